"""Which records labelled pairs join: what `same` pairs join belongs together.

A chain of `same` pairs joins all its records (transitive closure). A `different` pair inside such
a chain is a conflict and reported with the chain, unless pairs are taken as they are given: then
it stays what it is. Records that only stand in `different` pairs are identities of their own; two
identities count as different people unless a pair joins them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from gemel.arrays import Bool, Int64
from gemel.data.dataset import UNKNOWN, BadRecord
from gemel.data.sources.pairs import Pairs
from gemel.errors import quoted, short

_CHAINS_SHOWN = 20
_CHAIN = 8
"""Records of a chain that are shown, its ends included."""


def identities(
    ids: Sequence[str], pairs: Pairs, *, as_given: bool = False
) -> tuple[list[str | None], list[BadRecord]]:
    """Identity name of each record, and the pairs that could not be used.

    Args:
        ids: record ids, unique.
        pairs: left and right are such ids.
        as_given: a pair contradicts others only if they are of the same two records.
    Returns:
        (n,) names: the id of the first record of the identity, or None for a record that no usable
        pair names; and a report for each pair that names an unknown record or contradicts others.
    """
    place = {name: i for i, name in enumerate(ids)}
    left, right = (_places(side, place) for side in (pairs.left, pairs.right))
    known = (left != UNKNOWN) & (right != UNKNOWN)
    zeros = {name.lstrip("0"): name for name in reversed(ids)} if not known.all() else {}
    bad = [
        BadRecord(pairs.file, int(pairs.rows[i]), column, _unread(side[i], zeros))
        for i in np.flatnonzero(~known).tolist()
        for column, side, at in (
            (pairs.named.left, pairs.left, left),
            (pairs.named.right, pairs.right, right),
        )
        if at[i] == UNKNOWN
    ]
    joined, apart = known & pairs.same, known & ~pairs.same
    component = closure(len(ids), left[joined], right[joined])
    conflicts = np.flatnonzero(apart & (component[left] == component[right]))
    if as_given:
        ends = np.sort(np.stack([left, right], axis=1), axis=1)
        said = {tuple(pair) for pair in ends[joined].tolist()}
        kept = [a == b or (a, b) in said for a, b in ends[conflicts].tolist()]
        conflicts = conflicts[np.array(kept, np.bool_)]
    bad += _conflicts(ids, pairs, (left, right), joined, conflicts)
    named = np.zeros(len(ids), dtype=np.bool_)
    named[left[known]] = named[right[known]] = True
    first: dict[int, str] = {}
    names = [first.setdefault(c, ids[i]) for i, c in enumerate(component.tolist())]
    return [n if known_ else None for n, known_ in zip(names, named, strict=True)], bad


def _unread(name: str, zeros: Mapping[str, str]) -> str:
    """Why a pair of an unknown record is refused; spreadsheets take zeros off the front of ids."""
    near = zeros.get(name.lstrip("0"))
    hint = "" if near is None else f"; did you mean {quoted(near)}? zeros in front were lost"
    return f"no record {quoted(name)} was read{hint}"


def closure(n: int, left: Int64, right: Int64) -> Int64:
    """Component of each of n things when left[i] and right[i] are joined: (n,) codes.

    Example:
        >>> closure(4, np.array([0, 2]), np.array([2, 3])).tolist()
        [0, 1, 0, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(left), np.bool_), (left, right)), shape=(n, n))
    component: Int64 = connected_components(edges, directed=False)[1].astype(np.int64)
    return component


def _places(names: Sequence[str], place: dict[str, int]) -> Int64:
    return np.fromiter((place.get(n, UNKNOWN) for n in names), np.int64, count=len(names))


def _conflicts(
    ids: Sequence[str], pairs: Pairs, ends: tuple[Int64, Int64], joined: Bool, conflicts: Int64
) -> list[BadRecord]:
    if not conflicts.size:
        return []
    neighbours: dict[int, list[int]] = {}
    for a, b in zip(ends[0][joined].tolist(), ends[1][joined].tolist(), strict=True):
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    out = []
    for n_shown, i in enumerate(conflicts.tolist()):
        a, b = int(ends[0][i]), int(ends[1][i])
        reason = "says different, but other pairs join the two"
        if a == b:
            reason = "says that a record is different from itself"
        elif n_shown < _CHAINS_SHOWN:
            joined_by = [short(ids[j]) for j in _chain(neighbours, a, b)]
            left_out = len(joined_by) - _CHAIN
            if left_out > 0:
                joined_by[_CHAIN - 1 : -1] = [f"{left_out} more"]
            reason += f": {' = '.join(joined_by)}"
        out.append(BadRecord(pairs.file, int(pairs.rows[i]), pairs.named.same, reason))
    return out


def _chain(neighbours: dict[int, list[int]], start: int, end: int) -> list[int]:
    """Shortest chain of joined records from start to end."""
    came_from = {start: start}
    queue = deque([start])
    while queue and end not in came_from:
        at = queue.popleft()
        for other in neighbours.get(at, ()):
            if other not in came_from:
                came_from[other] = at
                queue.append(other)
    chain = [end]
    while chain[-1] != start:
        chain.append(came_from[chain[-1]])
    return chain[::-1]
