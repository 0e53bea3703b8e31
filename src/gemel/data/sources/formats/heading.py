"""Which row of a table names its columns, where a title or notes stand above it.

It goes by the cells alone, so every reading of a file comes to the same. Another one is looked for
only where the first rows are nearly empty, or name groups of columns: they are short of cells, and
the row below them has texts where numbers follow.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from gemel.figures import number_of

LOOKED_AT = 50
"""Rows at the top that tell the width of the table."""
MOST_ABOVE = 20
"""Rows above the header."""
LEAST_WIDTH = 3
"""Columns below which only blank rows are skipped: a title is as wide as a row."""
SPARSE, FULL = 0.25, 0.8
"""Share of the columns that a row above the header fills at most, and the header at least."""
_NO_NAME = re.compile(r"[-+\d.,:/ ]+")


def header_at(rows: Sequence[Sequence[str]]) -> int:
    """Position of the row that names the columns; 0 where nothing says that it is another one.

    Args:
        rows: cells of the first rows, `LOOKED_AT` at most.

    Example:
        >>> header_at([["Customers, May", "", ""], ["id", "name", "town"], ["1", "Ann", "Bath"]])
        1
    """
    filled = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    width = width_of(filled)
    most = max(1, int(SPARSE * width)) if width >= LEAST_WIDTH else 0
    at = next((i for i, cells in enumerate(filled) if len(cells) > most), 0)
    if at > MOST_ABOVE:
        return 0
    full = next((i for i, cells in enumerate(filled) if len(cells) >= FULL * width), at)
    may_be = width >= LEAST_WIDTH and at < full <= MOST_ABOVE
    if may_be and _stands_out(rows, full) and not _comes_back(rows, full):
        return full
    if not any(filled[:at]) or _names(filled[at], width):
        return at
    return at if full == at and _stands_out(rows, at) else 0


def width_of(rows: Sequence[Sequence[str]]) -> int:
    """How many cells most rows fill; of as many, the more."""
    counts = Counter(len(row) for row in rows if row)
    return max(counts, key=lambda n: (counts[n], n), default=0)


def row_above(rows: Sequence[Sequence[str]]) -> Sequence[str]:
    """Cells of the last row above the header that has any; none if there is none.

    Args:
        rows: cells of the rows above it.
    """
    return next((row for row in reversed(rows) if any(map(str.strip, row))), ())


def skipped(rows: Sequence[Sequence[str]], header: int) -> tuple[str, ...]:
    """What a user should know of rows above the header.

    Args:
        rows: cells of these rows.
        header: number of the row of the header.
    """
    said = [cell.strip() for row in rows for cell in row if cell.strip()]
    if not said:
        return ()
    shown = " ".join(said)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    count = number_of(len(rows), "line")
    return (f"the header is row {header}; {count} above it left out: {shown!r}",)


def if_a_record(
    header: Sequence[str], rows: Sequence[Sequence[str]], number: int
) -> tuple[str, ...]:
    """What a user should know of a header that looks like one of the rows below.

    It has a number or a day where they have some, and a text that comes back in its column. A row
    that is equal to it says nothing: a printed list has its header on each page.

    Args:
        header: its cells.
        rows: cells of the first rows below.
        number: of the row of the header.

    Example:
        >>> if_a_record(["Bath", "12"], [["Bath", "7"], ["Ulm", "12"]], 1)[0][:36]
        'row 1 names the columns, and looks l'
    """
    others = [row for row in rows if row != header]
    columns = [[row[i].strip() for row in others if i < len(row)] for i in range(len(header))]
    cells = [cell.strip() for cell in header]
    is_value = [is_no_name(cell) for cell in cells]
    as_below = any(
        value and 2 * sum(map(is_no_name, column)) > len(column)
        for value, column in zip(is_value, columns, strict=True)
    )
    again = any(
        cell and not value and cell in column
        for cell, value, column in zip(cells, is_value, columns, strict=True)
    )
    if not (as_below and again):
        return ()
    shown = ", ".join(repr(cell[:20]) for cell in cells[:3])
    more = ", ..." if len(cells) > 3 else ""
    return (
        f"row {number} names the columns, and looks like a record ({shown}{more}): if it is one, "
        "put a row of names above it",
    )


def is_no_name(cell: str) -> bool:
    """Whether a cell is a number or a day, as values are."""
    return _NO_NAME.fullmatch(cell) is not None


def _stands_out(rows: Sequence[Sequence[str]], at: int) -> bool:
    """Whether a row has mostly texts, and no number where most rows below have one."""
    cells = [cell.strip() for cell in rows[at]]
    present = [cell for cell in cells if cell]
    if 2 * sum(map(is_no_name, present)) >= len(present):
        return False
    over_numbers = []
    for i, cell in enumerate(cells):
        below = [row[i].strip() for row in rows[at + 1 :] if i < len(row) and row[i].strip()]
        if below and 2 * sum(map(is_no_name, below)) > len(below):
            over_numbers.append(cell)
    return any(over_numbers) and not any(map(is_no_name, filter(None, over_numbers)))


def _comes_back(rows: Sequence[Sequence[str]], at: int) -> bool:
    """Whether a cell of a row stands in its column below as well, but for rows equal to it."""
    below = [row for row in rows[at + 1 :] if list(row) != list(rows[at])]
    return any(
        cell.strip() and cell.strip() in {row[i].strip() for row in below if i < len(row)}
        for i, cell in enumerate(rows[at])
    )


def _names(cells: Sequence[str], width: int) -> bool:
    """Whether cells are texts that differ and nearly as many as there are columns."""
    texts = [cell for cell in cells if not is_no_name(cell)]
    differ = len({cell.casefold() for cell in cells}) == len(cells)
    return differ and len(cells) >= FULL * width and len(texts) > len(cells) / 2
