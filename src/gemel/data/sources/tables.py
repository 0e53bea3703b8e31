"""Tables as they stand in files; what the values mean is `schema`'s business."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gemel.data.sources.formats import delimited, objects, sheets, typed
from gemel.data.sources.formats.absent import no_file
from gemel.data.sources.formats.table import Table
from gemel.data.sources.formats.text import GZIP, NOTHING_IN_IT, ending
from gemel.errors import DataError

SUFFIXES = (
    *delimited.SUFFIXES,
    *objects.LINES,
    *objects.ARRAY,
    *typed.PARQUET,
    *sheets.SUFFIXES,
)


def read(path: Path, sheet: str | None = None, encoding: str | None = None) -> Table:
    """The table in a CSV, TSV, JSON (an array), JSONL, Parquet or Excel file; text may be in gzip.

    Args:
        path: of the file.
        sheet: of a spreadsheet; None: the first with a table.
        encoding: of text that is not UTF-8; None: cp1252 where a CSV is plainly that.
    Raises:
        ConfigError: no such encoding.
        DataError: no such file, unknown type, unreadable, or without such a sheet, a header or a
            record.
    """
    readers: dict[str, Callable[[Path], Table]] = {
        **dict.fromkeys(delimited.SUFFIXES, lambda file: delimited.read(file, encoding)),
        **dict.fromkeys(
            (*objects.LINES, *objects.ARRAY), lambda file: objects.read(file, encoding)
        ),
        **dict.fromkeys(typed.PARQUET, typed.read_parquet),
        **dict.fromkeys(sheets.SUFFIXES, lambda file: typed.read_sheet(file, sheet)),
    }
    reader = readers.get(ending(path))
    is_packed = path.suffix.lower() == GZIP
    if reader is None or (is_packed and ending(path) in (*typed.PARQUET, *sheets.SUFFIXES)):
        hint = f"known: {' '.join(SUFFIXES)}, text in {GZIP} as well, or a folder of images"
        raise DataError(f"unknown file type {path.suffix or path.name}", where=str(path), hint=hint)
    if sheet is not None and ending(path) not in sheets.SUFFIXES:
        what = "a sheet is named, and this is no spreadsheet"
        raise DataError(what, where=str(path), hint=f"sheets have: {' '.join(sheets.SUFFIXES)}")
    if not path.exists():
        raise no_file(path)
    if path.is_file() and not path.stat().st_size:
        raise DataError("the file is empty", where=str(path), hint=NOTHING_IN_IT)
    table = reader(path)
    if table.n_read == 0:
        raise DataError("the file has no records", where=str(path), hint=NOTHING_IN_IT)
    return table


def is_table(path: Path) -> bool:
    """Whether a file is one of those that `read` takes, by its name."""
    return ending(path) in SUFFIXES
