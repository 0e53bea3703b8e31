"""Freed memory kept by the process while it trains, where the C library can be told so (glibc).

Every step frees and takes the same large blocks. By default glibc hands those above 32 MB back to
the system and takes them page by page again, which can take as long as the step itself.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of the parameters in `malloc.h`."""
ALL = 2**31 - 1
USUAL = {TRIM_THRESHOLD: 2**26, MMAP_THRESHOLD: 2**25}
"""Where glibc's own adjustment ends once large blocks were freed."""


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Keep what is freed, and hand it back at the end; elsewhere than with glibc nothing changes.

    Source: mallopt(3).
    """
    try:
        library = ctypes.CDLL("libc.so.6")
        tell, trim = library.mallopt, library.malloc_trim
    except (OSError, AttributeError):
        yield
        return
    for parameter in USUAL:
        tell(parameter, ALL)
    try:
        yield
    finally:
        for parameter, value in USUAL.items():
            tell(parameter, value)
        trim(0)
