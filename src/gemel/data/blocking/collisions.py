"""Pairs of rows that share a key, and how many there are, without looking at any other pair."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool, Int64
from gemel.data.blocking.keys import Keys

Int32 = NDArray[np.int32]

MAX_BLOCK = 1_000
"""Rows that share a key, above which the key says nothing: a million pairs, hardly one genuine."""


class Blocks(NamedTuple):
    """Rows in the order of their keys, and the runs of equal keys.

    Attributes:
        row: (m,) int64, ascending within a block.
        start: (b,) where each block begins.
        n_left: (b,) rows of it that stand at the left; with one data set all but the last.
        size: (b,) its rows.
    """

    row: Int64
    start: Int64
    n_left: Int64
    size: Int64

    def some(self, which: Bool) -> Blocks:
        """Some of the blocks."""
        return Blocks(self.row, self.start[which], self.n_left[which], self.size[which])


def blocks(keys: Keys, first_right: int = 0) -> Blocks:
    """The blocks that hold a pair.

    Args:
        keys: of rows.
        first_right: position of the first row of the second data set; 0 for one data set.
    """
    order = np.argsort(keys.key, kind="stable")
    key, row = keys.key[order], keys.row[order]
    edges = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.zeros(0, int)
    size = np.diff(edges, append=len(key))
    n_left = size - 1
    if first_right:
        n_left = np.add.reduceat(row < first_right, edges, dtype=np.int64) if len(edges) else size
        keep = (n_left > 0) & (n_left < size)
    else:
        keep = size > 1
    return Blocks(row, edges[keep], n_left[keep], size[keep])


def count(keys: Keys, first_right: int = 0) -> int:
    """How many pairs of rows share a key, one that shares several counted for each.

    Args:
        keys: of rows.
        first_right: position of the first row of the second data set; 0 for one data set.
    """
    if first_right:
        found = blocks(keys, first_right)
        return int((found.n_left * (found.size - found.n_left)).sum())
    key = np.sort(keys.key)
    size = np.diff(np.flatnonzero(np.append(True, key[1:] != key[:-1])), append=len(key))
    return int((size * (size - 1) // 2).sum()) if len(key) else 0


def pairs(keys: Keys, first_right: int = 0, most: int | None = None) -> tuple[Int32, Int32]:
    """Pairs of rows that share a key, left < right; one more than once if it shares several.

    Args:
        keys: of rows.
        first_right: position of the first row of the second data set; 0 for one data set.
        most: rows of a block, above which each row meets one other of it and no more; None:
            `MAX_BLOCK`.
    """
    found = blocks(keys, first_right)
    small = found.size <= (MAX_BLOCK if most is None else most)
    parts = [_all_of(found.some(small), first_right), _chains(found.some(~small), first_right)]
    left, right = (np.concatenate(side).astype(np.int32) for side in zip(*parts, strict=True))
    apart = left != right
    return left[apart], right[apart]


def _all_of(found: Blocks, first_right: int) -> tuple[Int64, Int64]:
    start, n_left, size = found.start, found.n_left, found.size
    block, rank = _places(n_left)
    # Of two data sets a row at the left meets all at the right, of one all that follow it.
    first = start[block] + (n_left[block] if first_right else rank + 1)
    each = start[block] + size[block] - first
    at = np.repeat(start[block] + rank, each)
    other = np.arange(len(at)) + np.repeat(first - (np.cumsum(each) - each), each)
    return found.row[at], found.row[other]


def _chains(found: Blocks, first_right: int) -> tuple[Int64, Int64]:
    """Pairs that hold a block together: each row with the next, or with one of the other side."""
    start, n_left, size = found.start, found.n_left, found.size
    if not first_right:
        block, rank = _places(n_left)
        return found.row[start[block] + rank], found.row[start[block] + rank + 1]
    block, rank = _places(np.maximum(n_left, size - n_left))
    left, right = rank % n_left[block], rank % (size - n_left)[block]
    return found.row[start[block] + left], found.row[start[block] + n_left[block] + right]


def _places(n: Int64) -> tuple[Int64, Int64]:
    """The block, and the place within it, of each of `n` things in every block."""
    block = np.repeat(np.arange(len(n)), n)
    return block, np.arange(len(block)) - np.repeat(np.cumsum(n) - n, n)


def joined(parts: list[tuple[Int32, Int32]], n: int) -> tuple[Int32, Int32]:
    """Each pair of the parts once, by left and right."""
    codes = [left.astype(np.int64) * n + right for left, right in parts if len(left)]
    if not codes:
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    code = np.unique(np.concatenate(codes))
    return (code // n).astype(np.int32), (code % n).astype(np.int32)
