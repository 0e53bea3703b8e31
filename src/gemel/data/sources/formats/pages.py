"""Rows that a printed list repeats on each page: its header, and what stands above it there.

By cells alone, as the header is found. They are no records, and left out with a note.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gemel.data.schema import as_text
from gemel.data.sources.formats.heading import LEAST_WIDTH, LOOKED_AT, if_a_record
from gemel.figures import number_of


def repeated(
    header: Sequence[Any], rows: Sequence[Sequence[Any]], numbers: Sequence[int]
) -> tuple[list[int], tuple[str, ...]]:
    """Positions of the rows that a page begins with, from the top, and what a user should know.

    Args:
        header: cells of the row that names the columns.
        rows: cells of the rows below it without the blank ones, values of any type.
        numbers: of these rows.
    Returns:
        Of each row that is equal to the header, and of those directly above it with one cell; of
        none where the header may be a record itself.

    Example:
        >>> rows = [["1", "Ann", "Ulm"], ["Page 2", "", ""], ["No", "Name", "Town"], ["2", "", ""]]
        >>> repeated(["No", "Name", "Town"], rows, [2, 3, 4, 5])[0]
        [1, 2]
    """
    if len(header) < LEAST_WIDTH:
        return [], ()
    found: list[int] = []
    n_headers = 0
    for at, row in enumerate(rows):
        if row != header:
            continue
        above = at
        while above and _n_cells(rows[above - 1]) == 1:
            above -= 1
        found += range(above, at + 1)
        n_headers += 1
    if not found or _may_be_a_record(header, rows):
        return [], ()
    others = len(found) - n_headers
    more = f", and {number_of(others, 'line')} of one cell above" if others else ""
    times = number_of(n_headers, "time")
    first = numbers[found[0]]
    note = f"the header comes again {times}, from row {first} on{more}: left out"
    return found, (note,)


def _n_cells(row: Sequence[Any]) -> int:
    """How many of its cells have a value."""
    return sum(bool((as_text(cell) or "").strip()) for cell in row)


def _may_be_a_record(header: Sequence[Any], rows: Sequence[Sequence[Any]]) -> bool:
    """Whether it looks like one of the rows below."""
    head, *below = [[as_text(cell) or "" for cell in row] for row in (header, *rows[:LOOKED_AT])]
    return bool(if_a_record(head, below, 0))
