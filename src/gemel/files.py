"""Files and folders that are there whole or not at all, and locks that die with their process.

Knows names and bytes, not what they mean. What fails is an OSError, which the caller puts into
words. After a call returns, its result survives a kill and a power cut.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self


@contextlib.contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that gets its name once its content is on disk: old or new, never half.

    An error leaves nothing behind; what a kill leaves has a fixed name (`draft_of`), so that the
    next attempt writes over it.
    """
    draft = draft_of(path)
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    sync(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Write or replace a file as `whole` does."""
    with whole(path) as file:
        file.write(content)


def draft_of(path: Path) -> Path:
    """Where the content of a file is until it is complete."""
    return path.with_name(f".{path.name}.tmp")


def publish_folder(folder: Path, into: Path) -> None:
    """Flush a folder and all that is in it to disk, then give it its final name, in one step."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder, then the folder
        sync(path)
    sync(folder)
    folder.rename(into)
    sync(into.parent)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Held(BlockingIOError):
    """Somebody else holds the lock.

    Attributes:
        holder: in words, as far as it is known.
    """

    def __init__(self, holder: str) -> None:
        super().__init__(f"{holder} holds the lock")
        self.holder = holder


class Lock:
    """The right to do something, until `release` or the end of the process, however that ends.

    The lock belongs to the open file; the file stays and means nothing by itself.

    Args:
        path: of the file, made if it is not there; its folder exists.
        wait: for whoever holds it.

    Raises:
        Held: somebody does, and there was no waiting.
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, *, wait: bool = False) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as e:
            number = os.pread(self._handle, 32, 0).decode(errors="replace").strip()
            os.close(self._handle)
            own = number == str(os.getpid())
            raise Held("this process" if own else f"process {number or '?'}") from e
        except BaseException:
            os.close(self._handle)
            raise
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
