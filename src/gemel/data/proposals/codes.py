"""Columns of codes that come back in rows that are alike elsewhere: perhaps what says which belong.

Where the name says it too such a column is proposed (see `labels`), else it is only told of: a
telephone number comes back in the rows of one person as well, and the lines of an order are alike
without being the same thing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from gemel.data.schema import as_strings, without_gaps

if TYPE_CHECKING:
    import polars as pl

CODE = r"^[\w./:#-]*\d[\w./:#-]*$"
"""One word with a digit."""
DAY = r"^\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|^\d+[.,]\d+$"
"""A date or a number with a fraction, which is no code."""
FILLED, REPEATED, DIFFERENT = 0.9, 0.05, 0.1
"""Of the rows: that have a code, at least; of these, whose code comes back; different codes."""
CODES = 0.9
"""Share of the values that are codes, at least: the rest may be texts for "no value"."""
RISE, ALIKE = 0.25, 0.5
"""By how much other columns agree better in rows that share a code than in any two; and how large
a share of the other columns has to, of those that most rows have a value of."""
MAX_PAIRS, MIN_PAIRS = 300, 20
_GRAM = 3


def shared_by_alike(
    frame: pl.DataFrame, taken: Collection[str | None] = (), *, filled: float = FILLED
) -> list[str]:
    """The columns whose codes come back in rows that are alike elsewhere, the most alike first.

    Args:
        frame: the table.
        taken: columns that are something else.
        filled: share of the rows that have a code, at least.
    """
    flat = [c for c in frame.columns if c not in taken and not frame[c].dtype.is_nested()]
    frame = frame.select(without_gaps(frame[c], ()) for c in flat)
    free = [c for c in flat if frame[c].drop_nulls().n_unique() > 1]
    found: list[tuple[float, str]] = []
    for column in free:
        pairs = _pairs(as_strings(frame[column]), filled)
        others = [frame[c] for c in free if c != column and 2 * frame[c].count() >= len(frame)]
        if len(pairs) < MIN_PAIRS or not others:
            continue
        step = len(frame) // 2
        chance = [(one, (one + step) % len(frame)) for one, _ in pairs]
        rises = [_agreement(values, pairs) - _agreement(values, chance) for values in others]
        if sum(rise >= RISE for rise in rises) >= ALIKE * len(rises):
            found.append((fmean(rises), column))
    return [column for _, column in sorted(found, reverse=True)]


def _pairs(values: pl.Series, filled: float) -> list[tuple[int, int]]:
    """Some pairs of rows that share a code; none if these are no codes or do not come back."""
    n_present = values.count()
    values = values.set(~values.str.contains(CODE).fill_null(False), None)
    found = values.drop_nulls()
    n, n_different = len(found), found.n_unique()
    if n < max(filled * len(values), CODES * n_present) or found.str.contains(DAY).any():
        return []
    if not DIFFERENT * n <= n_different <= (1 - REPEATED / 2) * n:
        return []
    order = values.arg_sort()
    ordered = values.gather(order)
    later = (ordered == ordered.shift(1)).fill_null(False).arg_true()
    some = later.gather_every(max(1, len(later) // MAX_PAIRS))
    return list(zip(order.gather(some - 1).to_list(), order.gather(some).to_list(), strict=True))


def _agreement(values: pl.Series, pairs: Sequence[tuple[int, int]]) -> float:
    """How alike the values of both rows are, where both have one: the mean from 0 to 1."""
    left, right = (
        as_strings(values.gather([pair[side] for pair in pairs])).str.to_lowercase().to_list()
        for side in (0, 1)
    )
    both = zip(left, right, strict=True)
    alike = [_alike(a, b) for a, b in both if a is not None and b is not None]
    return fmean(alike) if alike else 0.0


def _alike(one: str, two: str) -> float:
    if one == two:
        return 1.0
    left, right = ({t[i : i + _GRAM] for i in range(len(t) - _GRAM + 1)} for t in (one, two))
    return len(left & right) / max(1, len(left | right))
