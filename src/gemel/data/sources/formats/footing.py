"""Which last row of a table is a sum of those above, and no record.

By its cells alone, as the header is found: it says so, and what else it has are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gemel.data.sources.formats.heading import LEAST_WIDTH, width_of

SUMS = frozenset(
    (
        *("sum", "total", "totals", "subtotal", "grand total", "summe", "summen", "gesamt"),
        *("gesamtsumme", "insgesamt", "somme", "total général", "totale", "suma", "totaal"),
    )
)
_NUMBER = re.compile(r"[-+\d.,' \u00a0\u202f€$£%]*\d[-+\d.,' \u00a0\u202f€$£%]*")


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


def left_out(last: Sequence[str], row: int) -> str:
    """What a user should know of such a row.

    Args:
        last: its cells.
        row: its number.
    """
    word = next(cell.strip() for cell in last if cell.strip())
    return f"row {row} left out, as it is a sum: {word!r}"
