"""One writer per gallery directory.

The lock belongs to the open file and dies with the process, however that ends; the file stays and
means nothing by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self

from gemel.errors import GalleryError

FILE = "writer.lock"


class WriterLock:
    """The right to change the gallery in a directory, until `release`.

    Args:
        folder: the directory of the gallery.

    Raises:
        GalleryError: somebody else holds it, or the lock file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as e:
            raise GalleryError(
                f"cannot write here: {e.strerror}",
                where=str(folder),
                hint="make the directory writable",
            ) from e
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            holder = os.pread(self._handle, 32, 0).decode(errors="replace").strip()
            os.close(self._handle)
            who = "this process" if holder == str(os.getpid()) else f"process {holder or '?'}"
            raise GalleryError(
                f"{who} is writing to this gallery",
                where=str(folder),
                hint="a gallery has one writer: stop that one, or let it do the work (gemel serve "
                "takes POST and DELETE /v1/records)",
            ) from e
        with contextlib.suppress(OSError):  # the number helps people, the lock works without
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the right back."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
