"""Files that a command writes where the user says: never over what it reads, and there whole.

Results of duplicates and links have names of their own where the user says none; they take the
place of earlier results and of nothing else.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from gemel.errors import ConfigError
from gemel.files import write_whole
from gemel.improve.columns import FIRST, LAST, OF_PAIRS

SHORT = {"--out": "-o"}
PAGE_TITLE = b"gemel duplicates</title>"
TITLE_BYTES = 1000
"""Of a page; its title stands among them."""


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
                hint=f"name another file with {SHORT.get(option, option)}",
            )


def check_result(path: Path, suffix: str, reads: Sequence[Path], option: str = "--out") -> None:
    """Raise unless a result may be written there: over an earlier one, and over nothing else.

    Args:
        path: that the user names, or the usual one.
        suffix: as of `check`, and so are the others.
        reads: see there.
        option: see there.
    Raises:
        ConfigError: as `check`, or what stands there is no result of gemel.
    """
    check(path, suffix, reads, option)
    if path.is_file() and path.stat().st_size and not _is_result(path):
        raise ConfigError(
            "is there already, and gemel did not write it",
            where=str(path),
            hint=f"name another file with {SHORT.get(option, option)}, or move this one away",
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


def _is_result(path: Path) -> bool:
    """Whether a file is, by its columns or title, what duplicates or links are written to.

    A column that somebody added makes it theirs.
    """
    if path.suffix.lower() == ".html":
        with path.open("rb") as file:
            return PAGE_TITLE in file.read(TITLE_BYTES)
    columns = _columns(path)
    if columns == list(OF_PAIRS):
        return True
    of_both, told = columns[:2], tuple(columns[2 : len(OF_PAIRS)])
    if told == OF_PAIRS[2:] and all(name.endswith(" id") for name in of_both):
        sides = tuple(f"{name.removesuffix(' id')}." for name in of_both)
        return all(name.startswith(sides) for name in columns[len(OF_PAIRS) :])
    first = tuple(columns[: len(FIRST)])
    return first == FIRST and tuple(columns[-len(LAST) :]) == LAST and "id" in columns


def _columns(path: Path) -> list[str]:
    """The columns of a table as gemel writes tables; none if it is none."""
    import polars as pl

    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                return next(csv.reader(file), [])
        return list(pl.read_parquet_schema(path))
    except (OSError, UnicodeDecodeError, csv.Error, pl.exceptions.PolarsError):
        return []


def _holds(read: Path, path: Path) -> bool:
    """Whether writing to a path changes what is read: that file, or the images of that folder."""
    from gemel.data.sources.images import SUFFIXES

    if read.is_dir():
        return path.suffix.lower() in SUFFIXES and read.resolve() in path.resolve().parents
    same = path.exists() and read.exists() and path.samefile(read)
    return same or path.resolve() == read.resolve()
