"""Labelled pairs that stand more than once in their file: they are read, and said to be there.

A pair that was copied counts twice, in what is learned and in every rate. One that has both answers
is no such: its `different` is refused where identities are made of pairs (see `chains`).
"""

from __future__ import annotations

from gemel.data.sources.pairs import Pairs
from gemel.errors import quoted
from gemel.figures import number_of


def notes(pairs: Pairs) -> list[str]:
    """What a user should know of pairs that come again, with one answer and with both.

    Args:
        pairs: of a file; which of the two records stands first makes no difference.
    """
    rows: dict[tuple[str, ...], list[int]] = {}
    for i, pair in enumerate(zip(pairs.left, pairs.right, strict=True)):
        rows.setdefault(tuple(sorted(pair)), []).append(i)
    again = [at for at in rows.values() if len(at) > 1]
    divided = [at for at in again if len(set(pairs.same[at].tolist())) > 1]
    agreed = [at for at in again if len(set(pairs.same[at].tolist())) == 1]
    found = []
    if agreed:
        n = number_of(len(agreed), "pair stands", "pairs stand")
        count = "it counts" if len(agreed) == 1 else "they count"
        found.append(
            f"{pairs.file}: {n} more than once with one answer, and {count} as often: "
            f"{_shown(pairs, agreed[0])}"
        )
    if divided:
        n = number_of(len(divided), "pair has", "pairs have")
        found.append(f"{pairs.file}: {n} both answers: {_shown(pairs, divided[0])}")
    return found


def _shown(pairs: Pairs, at: list[int]) -> str:
    """The records of a pair, and where it stands."""
    left, right = (quoted(side[at[0]]) for side in (pairs.left, pairs.right))
    *first, last = (f"{int(row):,}" for row in pairs.rows[at])
    return f"{left} and {right} in rows {', '.join(first)} and {last}"
