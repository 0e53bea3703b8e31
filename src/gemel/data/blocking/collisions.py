"""Pairs of rows that share a key, and how many there are, without looking at any other pair."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Int64
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


def n_pairs(found: Blocks, first_right: int = 0) -> Int64:
    """Pairs of each block, (b,)."""
    if first_right:
        return found.n_left * (found.size - found.n_left)
    return found.size * found.n_left // 2


def pairs(keys: Keys, first_right: int = 0, most: int = MAX_BLOCK) -> tuple[Int32, Int32]:
    """Pairs of rows that share a key, left < right; one more than once if it shares several.

    Args:
        keys: of rows.
        first_right: position of the first row of the second data set; 0 for one data set.
        most: rows of a block, above which it is left out.
    """
    found = blocks(keys, first_right)
    keep = found.size <= most
    start, n_left, size = found.start[keep], found.n_left[keep], found.size[keep]
    block = np.repeat(np.arange(len(start)), n_left)
    rank = np.arange(len(block)) - np.repeat(np.cumsum(n_left) - n_left, n_left)
    # Of two data sets a row at the left meets all at the right, of one all that follow it.
    first = start[block] + (n_left[block] if first_right else rank + 1)
    each = start[block] + size[block] - first
    at = np.repeat(start[block] + rank, each)
    other = np.arange(len(at)) + np.repeat(first - (np.cumsum(each) - each), each)
    left, right = found.row[at].astype(np.int32), found.row[other].astype(np.int32)
    apart = left != right
    return left[apart], right[apart]


def joined(parts: list[tuple[Int32, Int32]], n: int) -> tuple[Int32, Int32]:
    """Each pair of the parts once, by left and right."""
    codes = [left.astype(np.int64) * n + right for left, right in parts if len(left)]
    if not codes:
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    code = np.unique(np.concatenate(codes))
    return (code // n).astype(np.int32), (code % n).astype(np.int32)
