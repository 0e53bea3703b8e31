"""Which last rows of a table are no records: a sum of those above, and remarks below a blank row.

By their cells alone, as the header is found: a sum says so, and what else it has are numbers; a
remark is one text, where most rows have three values or more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from gemel.data.schema import as_text
from gemel.data.sources.formats.heading import LEAST_WIDTH, LOOKED_AT, is_no_name, width_of

SUMS = frozenset(
    (
        *("sum", "total", "totals", "subtotal", "grand total", "summe", "summen", "gesamt"),
        *("gesamtsumme", "insgesamt", "somme", "total général", "totale", "suma", "totaal"),
        *(
            "razem",
            "ogółem",
            "łącznie",
            "celkem",
            "összesen",
            "totalt",
            "yhteensä",
            "toplam",
            "итого",
        ),
    )
)
_NUMBER = re.compile(
    r"[-+\d.,' \u00a0\u202f€$£%]*\d[-+\d.,' \u00a0\u202f€$£%]*(?:zł|Kč|kr\.?|Ft|[A-Z]{3})?"
)


def is_sum(last: Sequence[str], above: Sequence[Sequence[str]]) -> bool:
    """Whether the last row of a table is a sum: a word for one first, then numbers, and gaps.

    Args:
        last: its cells.
        above: cells of rows above it, which tell how many are filled in most.

    Example:
        >>> rows = [["1", "Ann", "12"], ["2", "Bob", "30"]]
        >>> is_sum(["Total", "", "42"], rows), is_sum(["Total", "petrol", "42"], rows)
        (True, False)
    """
    word, *others = [cell.strip() for cell in last if cell.strip()] or [""]
    if " ".join(word.casefold().strip(" :.").split()) not in SUMS or not others:
        return False
    filled = [[cell for cell in row if cell.strip()] for row in above]
    gaps = len(others) + 1 < width_of(filled)
    return gaps and len(last) >= LEAST_WIDTH and all(map(_NUMBER.fullmatch, others))


def left_out(
    rows: Sequence[Sequence[Any]], numbers: Sequence[int], blank: Collection[int]
) -> tuple[int, tuple[str, ...]]:
    """How many of the last rows are no records, and what a user should know of them.

    Args:
        rows: cells of the rows below the header without the blank ones, values of any type.
        numbers: of these rows.
        blank: numbers of the blank ones.
    """
    above = [_texts(row) for row in rows[:LOOKED_AT]]
    usual = width_of([[cell for cell in row if cell] for row in above])
    n = 0
    while n < len(rows) and _is_remark(_texts(rows[-1 - n])):
        n += 1
    if not n or n == len(rows) or usual < LEAST_WIDTH or numbers[-n] - 1 not in blank:
        n = 0
    notes = [
        f"row {number} left out, as it is a remark below the table: {_shown(row)!r}"
        for row, number in zip(rows[len(rows) - n :], numbers[len(rows) - n :], strict=True)
    ]
    last = len(rows) - n - 1
    if last >= 0 and is_sum(_texts(rows[last]), above):
        notes.insert(0, f"row {numbers[last]} left out, as it is a sum: {_shown(rows[last])!r}")
        n += 1
    return n, tuple(notes)


def _is_remark(cells: Sequence[str]) -> bool:
    """Whether a row has one text alone."""
    present = [cell for cell in cells if cell]
    return len(present) == 1 and not is_no_name(present[0])


def _texts(row: Sequence[Any]) -> list[str]:
    return [(as_text(cell) or "").strip() for cell in row]


def _shown(row: Sequence[Any]) -> str:
    text = next(cell for cell in _texts(row) if cell)
    return text if len(text) <= 40 else text[:37] + "..."
