"""Comparisons that two releases decide differently: how many of each kind, and a few to look at.

Outcomes are those of threshold and review band; rules and the width of a probability's interval,
which look at more than a score, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Float32, Int64
from gemel.calibrate.scores.all_pairs import genuine_blocks, impostor_blocks
from gemel.decide.bands import OUTCOMES, Outcome
from gemel.release.evidence.differences import Both
from gemel.release.evidence.mistakes import MAX_RECORDS
from gemel.release.evidence.part import Part
from gemel.release.evidence.schema import Item

N_EXAMPLES = 3


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison that was decided differently, with both scores."""

    left: Item
    right: Item
    before: float
    after: float


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """Comparisons of one class that went from one outcome to another.

    Attributes:
        genuine: of one identity.
        before: outcome of the first release.
        after: outcome of the second.
        n: how many.
        examples: the ones that the second is surest of.
    """

    genuine: bool
    before: Outcome
    after: Outcome
    n: int
    examples: tuple[Example, ...] = ()


def flips(both: Both, item: Callable[[int], Item]) -> tuple[Flip, ...]:
    """Every kind of change that occurs, with its number and examples.

    Above 6,000 records, examples are of whole identities drawn at random.

    Args:
        both: the first and the second release on the same records.
        item: a record by its position, as it is shown.
    """
    n = counts(both)
    kinds = [(g, a, b) for g, a, b in np.argwhere(n).tolist() if a != b]
    shown = _examples(both) if kinds else {}
    return tuple(
        Flip(
            genuine=bool(kind[0]),
            before=OUTCOMES[kind[1]],
            after=OUTCOMES[kind[2]],
            n=int(n[tuple(kind)]),
            examples=tuple(
                Example(left=item(i), right=item(j), before=before, after=after)
                for before, after, i, j in shown.get(tuple(kind), [])
            ),
        )
        for kind in kinds
    )


def counts(both: Both) -> Int64:
    """Comparisons by class, outcome before and outcome after: (2, 3, 3) int64."""
    total = np.zeros(18, np.int64)
    genuine = both[0].part.scores.genuine
    for at in both[0].part.scores.blocks():
        before, after = (c.band.outcomes(c.part.scores.score[at]) for c in both)
        total += np.bincount(9 * genuine[at] + 3 * before + after, minlength=18)
    return total.reshape(2, 3, 3)


Row = tuple[float, float, int, int]


def _examples(both: Both) -> dict[tuple[int, ...], list[Row]]:
    """Scores and record positions of the changes of each kind, the surest first."""
    kept: dict[tuple[int, ...], list[Row]] = {}
    bands = [c.band for c in both]
    for genuine, before, after, i, j in _blocks(both[0].part, both[1].part):
        old, new = bands[0].outcomes(before), bands[1].outcomes(after)
        sure = np.abs(after - np.float64(bands[1].threshold))
        changed = np.flatnonzero(old != new)
        changed = changed[np.argsort(-sure[changed], kind="stable")]
        for a, b in set(zip(old[changed].tolist(), new[changed].tolist(), strict=True)):
            rows = kept.setdefault((genuine, a, b), [])
            for at in changed[(old[changed] == a) & (new[changed] == b)][:N_EXAMPLES].tolist():
                rows.append((float(before[at]), float(after[at]), int(i[at]), int(j[at])))
            rows.sort(key=lambda row: -abs(row[1] - bands[1].threshold))
            del rows[N_EXAMPLES:]
    return kept


def _blocks(
    *parts: Part,
) -> Iterator[tuple[int, Float32, Float32, Int64, Int64]]:
    """Class, both scores and both record positions of all comparisons, a block at a time."""
    identities = parts[0].identities
    kept = parts[0].some(MAX_RECORDS)
    kept = kept[np.argsort(identities[kept], kind="stable")]
    codes, levels = identities[kept], [part.leveller() for part in parts]

    def levelled(k: int, score: Float32, i: Any, j: Any) -> Float32:
        level = levels[k]
        return score if level is None else level(score, i, j)

    inside: list[tuple[Float32, Int64, Int64]] = []
    for part in parts:
        blocks = list(genuine_blocks(part.embeddings[kept], codes, part.comparator))
        if not blocks:
            break
        score, i, j = (np.concatenate(column) for column in zip(*blocks, strict=True))
        inside.append((score, kept[i], kept[j]))
    if inside:
        i, j = inside[0][1:]
        yield 1, levelled(0, inside[0][0], i, j), levelled(1, inside[1][0], i, j), i, j
    across = (impostor_blocks(p.embeddings[kept], codes, p.comparator) for p in parts)
    for (before, left, at), (after, _, _) in zip(*across, strict=True):
        i, j = np.full(len(before), kept[left]), kept[at]
        yield 0, levelled(0, before, i, j), levelled(1, after, i, j), i, j
