"""The cells of a spreadsheet file: Excel (.xlsx, .xls) and OpenDocument (.ods), as values."""

from __future__ import annotations

import datetime
import difflib
from dataclasses import dataclass, replace
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
        name: of the sheet.
    """

    rows: list[list[Any]]
    first: int
    note: str
    name: str = ""

    @property
    def is_table(self) -> bool:
        """Whether two of its rows or more have two values or more: no cover, no line of text."""
        return sum(sum(v is not None for v in row) > 1 for row in self.rows) > 1


def read(path: Path, wanted: str | None = None) -> Sheet:
    """One sheet: the first with a table, or else the first with cells.

    Args:
        path: of the file.
        wanted: name of the sheet that is read instead.
    Raises:
        DataError: unreadable, without a cell, or without a sheet of that name.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(path)
        names = book.sheet_names
        if wanted is not None and wanted not in names:
            near = difflib.get_close_matches(wanted, names, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"sheets: {', '.join(names)}"
            raise DataError(f"no sheet {wanted!r}", where=str(path), hint=hint)
        found = []
        for name in names if wanted is None else [wanted]:
            sheet = book.get_sheet_by_name(name)
            if sheet.start is not None:
                # Only behind the first used row and column is anything read.
                rows = [[_value(v) for v in row] for row in sheet.to_python(skip_empty_area=True)]
                found.append(Sheet(rows, sheet.start[0] + 1, "", name))
    except (CalamineError, OSError, ValueError) as e:
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise DataError(
            f"cannot read the spreadsheet: {reason}",
            where=str(path),
            hint="open it, take out its password if it has one, and save it anew or as CSV UTF-8",
        ) from e
    if not found:
        raise DataError("the file is empty", where=str(path), hint=NOTHING_IN_IT)
    tables = [sheet for sheet in found if sheet.is_table]
    chosen = (tables or found)[0]
    others = [n for n in names if n != chosen.name]
    if wanted is not None or not others:
        return chosen
    note = f"sheet {chosen.name!r} is read; not read: {', '.join(others)}"
    if len(tables) > 1:
        also = ", ".join(repr(sheet.name) for sheet in tables[1:])
        note += f"; a table as well: {also}, which data.sheet would name"
    return replace(chosen, note=note)


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
