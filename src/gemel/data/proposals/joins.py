"""Columns of one file that hold what two columns of the other hold: `Roth, Ann`, `3019 Batlow`.

A value counts where its words are, in order, all those of a value of one column and then all those
of a value of the other one. Rows are not known to belong together here, so whose values they are
says nothing.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gemel.arrays import Bool, Int64
from gemel.data.schema import as_strings
from gemel.data.sources.columns import JOINED
from gemel.data.values import dates

if TYPE_CHECKING:
    import polars as pl

LEAST = 0.25
"""Share of the values of a column that hold values of both from which on it is proposed."""
SAMPLE = 2000
"""Different values of a column that are looked at."""
FEW = 3
"""Different values below which a column is no part: any word is one of a title's."""
MOST_WORDS = 12
"""Words of a value beyond which it is a text, and no two values."""
_POSTCODE = r"\b(\d{3})\s(\d{2})\b"
"""Five digits in two groups, as Czechs and Swedes write what others write as one."""


class Join(NamedTuple):
    """A column that holds what two columns of the other file hold.

    Attributes:
        left: of the first file; of several, with a sign between.
        right: of the second.
        share: of the different values of the one column, that hold a value of both.
    """

    left: str
    right: str
    share: float

    @property
    def remark(self) -> str:
        """How sure it is, in words."""
        return f"{self.share:.0%} of the values hold both"


def find(left: pl.DataFrame, right: pl.DataFrame) -> list[Join]:
    """Columns of either file that hold two of the other, the surest first; no column twice.

    Args:
        left: raw columns of the first file that may be compared, missing values null.
        right: of the second.

    Example:
        >>> import polars as pl
        >>> crm = pl.DataFrame({"first": ["Ann", "Bo", "Cy"], "last": ["Maier", "Roth", "Au Lait"]})
        >>> shop = pl.DataFrame({"name": ["MAIER, Bo", "AU LAIT, Ann", "WHO, Ever"]})
        >>> [(join.left, join.right) for join in find(crm, shop)]
        [('last + first', 'name')]
    """
    sides = [
        {c: v for c in frame.columns if (v := _plain(frame[c])) is not None}
        for frame in (left, right)
    ]
    found: list[tuple[float, bool, str, tuple[str, str]]] = []
    for is_left, (whole, parts) in enumerate((sides[::-1], sides)):
        for name, values in whole.items():
            share, both = _best(values, parts)
            if share >= LEAST and share > _alone(name, both, (whole, parts)):
                found.append((share, not is_left, name, both))
    taken: tuple[set[str], set[str]] = (set(), set())
    out: list[Join] = []
    for share, of_left, name, both in sorted(found, reverse=True):
        ones, twos = (set(both), {name}) if of_left else ({name}, set(both))
        if ones & taken[0] or twos & taken[1]:
            continue
        taken[0].update(ones)
        taken[1].update(twos)
        joined = JOINED.join(both)
        out.append(Join(*((joined, name) if of_left else (name, joined)), share))
    return out


def _best(values: pl.Series, parts: dict[str, pl.Series]) -> tuple[float, tuple[str, str]]:
    """What share of these values are values of two columns, one behind the other; and of which."""
    import polars as pl

    some = values.gather_every(max(1, len(values) // SAMPLE)).head(SAMPLE)
    splits = [
        (i, " ".join(words[:at]), " ".join(words[at:]))
        for i, words in enumerate(text.split(" ") for text in some.to_list())
        if len(words) <= MOST_WORDS
        for at in range(1, len(words))
    ]
    if not splits:
        return 0.0, ("", "")
    row = np.array([i for i, _, _ in splits])
    heads, tails = (pl.Series([split[side] for split in splits]) for side in (1, 2))
    several = {c: v for c, v in parts.items() if len(v) >= FEW}
    begins, ends = ({c: _among(texts, v) for c, v in several.items()} for texts in (heads, tails))
    best = max(
        ((_rows(row[begins[a] & ends[b]]), (a, b)) for a, b in permutations(several, 2)),
        default=(0, ("", "")),
    )
    return best[0] / len(some), best[1]


def _alone(
    name: str, both: tuple[str, str], sides: tuple[dict[str, pl.Series], dict[str, pl.Series]]
) -> float:
    """How much one column shares with either of two, or either of these with another one."""
    whole, parts = sides
    own = [_shared(whole[name], parts[part]) for part in both]
    # What has a counterpart of its own is no part of another one.
    others = [_shared(v, parts[part]) for c, v in whole.items() if c != name for part in both]
    return max(own + others)


def _shared(one: pl.Series, two: pl.Series) -> float:
    few, many = sorted((one, two), key=len)
    return float(_among(few, many).mean())


def _among(texts: pl.Series, values: pl.Series) -> Bool:
    found: Bool = texts.is_in(values.implode()).to_numpy()
    return found


def _rows(rows: Int64) -> int:
    return len(np.unique(rows))


def _plain(values: pl.Series) -> pl.Series | None:
    """The different values as words with a blank between; None of days and of what has no words."""
    if values.dtype.is_nested() or values.dtype.is_temporal():
        return None
    present = as_strings(values).drop_nulls()
    if not len(present) or dates.looks_like_dates(present):
        return None
    words = present.str.to_lowercase().str.replace_all(_POSTCODE, "$1$2")
    words = words.str.replace_all(r"[\W_]+", " ").str.strip_chars()
    words = words.filter(words != "").unique(maintain_order=True)
    return words if len(words) else None
