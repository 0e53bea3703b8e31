"""Which row of a table names its columns, where a title or notes stand above it.

It goes by the cells alone, so every reading of a file comes to the same. Another one is looked for
only where the first row is nearly empty.
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
    if at > MOST_ABOVE or not any(filled[:at]):
        return at if at <= MOST_ABOVE else 0
    return at if _names(filled[at], width) else 0


def width_of(rows: Sequence[Sequence[str]]) -> int:
    """How many cells most rows fill; of as many, the more."""
    counts = Counter(len(row) for row in rows if row)
    return max(counts, key=lambda n: (counts[n], n), default=0)


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


def _names(cells: Sequence[str], width: int) -> bool:
    """Whether cells are texts that differ and nearly as many as there are columns."""
    texts = [cell for cell in cells if _NO_NAME.fullmatch(cell) is None]
    differ = len({cell.casefold() for cell in cells}) == len(cells)
    return differ and len(cells) >= FULL * width and len(texts) > len(cells) / 2
