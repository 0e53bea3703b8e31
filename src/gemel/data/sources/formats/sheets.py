"""The cells of a spreadsheet file: Excel (.xlsx, .xls) and OpenDocument (.ods), as values."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemel.data.sources.formats.text import NOTHING_IN_IT
from gemel.errors import DataError

SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


@dataclass(frozen=True)
class Sheet:
    """The used cells of a sheet.

    Attributes:
        rows: cells of each row, all rows of one length; an empty cell is None, a day ISO text.
        first: number of the first row in the sheet, from 1.
        note: which sheet it is, where there are several; else empty.
    """

    rows: list[list[Any]]
    first: int
    note: str


def read(path: Path) -> Sheet:
    """The first sheet that has cells.

    Raises:
        DataError: unreadable, or without a cell.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(path)
        names = book.sheet_names
        for name in names:
            sheet = book.get_sheet_by_name(name)
            if sheet.start is not None:
                # Only behind the first used row and column is anything read.
                rows = sheet.to_python(skip_empty_area=True)
                others = [n for n in names if n != name]
                note = f"sheet {name!r} is read; not read: {', '.join(others)}" if others else ""
                return Sheet([[_value(v) for v in row] for row in rows], sheet.start[0] + 1, note)
    except (CalamineError, OSError, ValueError) as e:
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise DataError(
            f"cannot read the spreadsheet: {reason}",
            where=str(path),
            hint="open it, take out its password if it has one, and save it anew or as CSV UTF-8",
        ) from e
    raise DataError("the file is empty", where=str(path), hint=NOTHING_IN_IT)


def _value(cell: Any) -> Any:
    """A cell as a single value."""
    if isinstance(cell, datetime.datetime):
        midnight = cell.time() == datetime.time()
        return cell.date().isoformat() if midnight else cell.isoformat(sep=" ")
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        return str(cell)
    return None if isinstance(cell, str) and not cell.strip() else cell
