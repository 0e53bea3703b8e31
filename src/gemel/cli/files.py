"""Files that a command writes where the user says: never over what it reads, and there whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gemel.errors import ConfigError
from gemel.files import write_whole


def check(path: Path, suffix: str, reads: Sequence[Path], option: str = "--output") -> None:
    """Raise unless a file may be written there; asked before any work is done.

    Args:
        path: that the user names.
        suffix: of the format that is written, with its dot; or several, with blanks between.
        reads: files and folders of images that must stay as they are.
        option: that names the path.
    Raises:
        ConfigError: another suffix, no such folder, a folder, or something that is read.
    """
    where = f"{option} {path}"
    known = suffix.split()
    if path.suffix.lower() not in known:
        formats = " or ".join(one[1:].upper() for one in known)
        raise ConfigError(
            f"the format is {formats}, so the name has to end in {' or '.join(known)}",
            where=where,
            hint=f"for example {option} {path.stem or 'found'}{known[0]}",
        )
    if not path.absolute().parent.is_dir():
        raise ConfigError(
            "no such folder to write to", where=where, hint="make it, or name another"
        )
    try:
        path.exists()
    except OSError as e:  # a name that no file can have
        raise ConfigError(
            f"cannot be written: {e.strerror}", where=option, hint="shorten it"
        ) from e
    if path.is_dir():
        raise ConfigError("this is a folder", where=where, hint="name a file inside it")
    for read in reads:
        if _holds(read, path):
            raise ConfigError(
                f"would be written {'into' if read.is_dir() else 'over'} {read}, which is read",
                where=where,
                hint="name another file",
            )


def write(path: Path, content: bytes) -> None:
    """Put a file in its place whole, or not at all.

    Raises:
        ConfigError: it cannot be written there.
    """
    try:
        write_whole(path, content)
    except OSError as e:
        raise ConfigError(
            f"cannot be written: {e.strerror}",
            where=str(path),
            hint="make it writable, or name another place",
        ) from e


def _holds(read: Path, path: Path) -> bool:
    """Whether writing to a path changes what is read: that file, or the images of that folder."""
    from gemel.data.sources.images import SUFFIXES

    if read.is_dir():
        return path.suffix.lower() in SUFFIXES and read.resolve() in path.resolve().parents
    same = path.exists() and read.exists() and path.samefile(read)
    return same or path.resolve() == read.resolve()
