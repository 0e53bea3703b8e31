"""Pairs of records that may belong together, found by an exact scan in blocks.

The comparator has the last word on every score; what a score means is decided elsewhere. Memory
does not grow with the number of comparisons: a record keeps its best partners and no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.encode.comparators import Scorer

MAX_PARTNERS = 100
"""Partners kept per record; a record has more only where hundreds are alike."""
BLOCK_ROWS = 512
BLOCK_COLUMNS = 8192
SCORED_AT_ONCE = 512
"""Pairs whose rows stay in the cache of a core: six times as fast as 32,768 at 753 dimensions."""
TIE = 1e-5
"""A block may score a pair this much lower than the comparator does alone, by rounding."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of records by position, left < right, each once.

    Attributes:
        left: (p,) int64.
        right: (p,) int64.
        score: (p,) float64, by the comparator pair by pair.
        n_full: records that had more partners than are kept.
    """

    left: Int64
    right: Int64
    score: Float64
    n_full: int = 0

    def __len__(self) -> int:
        return len(self.left)

    def take(self, which: Bool | Int64) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.left[which], self.right[which], self.score[which], self.n_full)

    def among(self, at: Int64) -> Pairs:
        """The same pairs by place in `at`, ascending positions that hold all of theirs."""
        left, right = np.searchsorted(at, self.left), np.searchsorted(at, self.right)
        return Pairs(left, right, self.score, self.n_full)


def none() -> Pairs:
    """No pairs."""
    return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def joined(parts: list[Pairs]) -> Pairs:
    """All pairs of the parts, which share none."""
    if not parts:
        return none()
    return Pairs(
        np.concatenate([p.left for p in parts]),
        np.concatenate([p.right for p in parts]),
        np.concatenate([p.score for p in parts]),
        sum(p.n_full for p in parts),
    )


def scan(
    rows: Float32,
    comparator: Scorer,
    block: range,
    *,
    first_right: int = 0,
    floor: float,
    most: int = MAX_PARTNERS,
) -> Pairs:
    """Pairs of the records of a block with later records, where the score reaches a floor.

    Args:
        rows: (n, d) float32, unit rows; of two data sets, one after the other.
        comparator: what scores a pair.
        block: positions of the left records.
        first_right: position of the first record that may stand at the right; 0 for one data set.
        floor: scores below it are of no interest.
        most: partners kept per left record, best first, ties by position.
    """
    parts = []
    for start in range(block.start, block.stop, BLOCK_ROWS):
        lefts = np.arange(start, min(start + BLOCK_ROWS, block.stop))
        parts.append(_partners(rows, comparator, lefts, first_right, floor, most))
    return joined(parts)


def _partners(
    rows: Float32, comparator: Scorer, lefts: Int64, first_right: int, floor: float, most: int
) -> Pairs:
    kept, n_full = none(), 0
    cut = floor - TIE * max(1.0, abs(floor))
    for start in range(max(first_right, int(lefts[0]) + 1), len(rows), BLOCK_COLUMNS):
        stop = min(start + BLOCK_COLUMNS, len(rows))
        scores = comparator.matrix(rows[lefts], rows[start:stop])
        i, j = np.nonzero(scores >= cut)
        later = start + j > lefts[i]
        i, j = i[later], j[later]
        near, full = best(Pairs(lefts[i], start + j, scores[i, j].astype(np.float64)), most)
        found = exact(rows, comparator, near.left, near.right)
        # What a record has already and what this block adds, cut again: memory stays bounded.
        kept, again = best(joined([kept, found.take(found.score >= floor)]), most)
        n_full = max(n_full, full, again)
    return Pairs(kept.left, kept.right, kept.score, n_full)


def exact(rows: Float32, comparator: Scorer, left: Int64, right: Int64) -> Pairs:
    """These pairs with the score that the comparator gives each alone."""
    score = np.empty(len(left))
    for start in range(0, len(left), SCORED_AT_ONCE):
        part = slice(start, start + SCORED_AT_ONCE)
        score[part] = comparator.score(rows[left[part]], rows[right[part]])
    return Pairs(left, right, score)


def best(pairs: Pairs, most: int) -> tuple[Pairs, int]:
    """The best partners of each left record, and how many records had more.

    Args:
        pairs: in any order.
        most: partners kept per left record.
    Returns:
        The pairs, by left and right, and the number of records.
    """
    order = np.lexsort((pairs.right, -pairs.score, pairs.left))
    left = pairs.left[order]
    rank = np.arange(len(left)) - np.searchsorted(left, left)
    kept = order[rank < most]
    n_full = int(np.count_nonzero(rank == most))
    return pairs.take(kept[np.lexsort((pairs.right[kept], pairs.left[kept]))]), n_full
