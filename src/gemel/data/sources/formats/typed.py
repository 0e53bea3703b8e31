"""Files whose values have types: Parquet and the sheets of spreadsheets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gemel.data.schema import as_text
from gemel.data.sources.formats import footing, frames, heading, pages, sheets
from gemel.data.sources.formats.naming import column_names
from gemel.data.sources.formats.table import Table, int64, of_frame, of_values
from gemel.errors import DataError

PARQUET = (".parquet", ".pq")


def read_parquet(path: Path) -> Table:
    """The table in a Parquet file.

    Raises:
        DataError: unreadable, or two columns have one name.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        # Not pl.read_parquet, which panics on a damaged page instead of raising.
        read = parquet.read_table(path, partitioning=None).replace_schema_metadata(None)
        read = read.rename_columns(read.column_names)
        read.validate(full=True)
    except (OSError, pyarrow.ArrowException, ValueError) as e:
        reason = str(e).splitlines()[0]
        raise DataError(f"cannot read the Parquet file: {reason}", where=str(path)) from e
    return of_frame(frames.as_polars(read, str(path)), str(path))


def read_sheet(path: Path, name: str | None = None) -> Table:
    """The table on the first sheet with one; rows and columns without a value are left out.

    Args:
        path: of the file.
        name: of the sheet, if it is another one.
    Raises:
        DataError: unreadable, or the header is none.
    """
    sheet = sheets.read(path, name)
    head = [_texts(row) for row in sheet.rows[: heading.LOOKED_AT]]
    at = heading.header_at(head)
    first, below = sheet.first + at, sheet.rows[at:]
    used = [i for i, cells in enumerate(zip(*below, strict=True)) if _any_value(cells)]
    groups = heading.row_above(head[:at])
    over = [groups[i] for i in used] if groups else []
    names, notes = column_names([head[at][i] for i in used], str(path), first, over)
    numbered = list(enumerate(below[1:], first + 1))
    kept = [(number, row) for number, row in numbered if _any_value(row)]
    blank = [number for number, row in numbered if not _any_value(row)]
    again, paged = pages.repeated(below[0], [row for _, row in kept], [n for n, _ in kept])
    blank += [kept[i][0] for i in again]
    for i in reversed(again):
        del kept[i]
    n_foot, foot = footing.left_out([row for _, row in kept], [n for n, _ in kept], {*blank})
    blank += [number for number, _ in kept[len(kept) - n_foot :]]
    del kept[len(kept) - n_foot :]
    columns = {name: [row[i] for _, row in kept] for name, i in zip(names, used, strict=True)}
    return Table(
        str(path),
        of_values(columns, str(path)).frame,
        int64([number for number, _ in kept]),
        (),
        len(kept),
        (
            *heading.skipped(head[:at], first),
            *heading.if_a_record(head[at], head[at + 1 :], first),
            *notes,
            *paged,
            *foot,
            *((sheet.note,) if sheet.note else ()),
        ),
        blank=tuple(blank),
    )


def _texts(cells: Sequence[Any]) -> list[str]:
    """Cells as text, empty where there is none."""
    return [as_text(cell) or "" for cell in cells]


def _any_value(cells: Sequence[Any]) -> bool:
    """Whether a cell has a value."""
    return any(value is not None for value in cells)
