"""Links between two files where a record of one, or of both, has one partner at most."""

from __future__ import annotations

import numpy as np

from gemel.arrays import Bool, Float64, Int64
from gemel.settings import Links

EQUAL = 1e-5


def kept(left: Int64, right: Int64, gain: Float64, links: Links) -> Bool:
    """Which links to keep, where records have so many partners: (p,) bool.

    Args:
        left: (p,) positions in the first file.
        right: (p,) positions, none of them a left one; no pair twice.
        gain: (p,) of each link, > 0.
        links: `one-to-many`: each right record keeps its best link, a left one any number.
    """
    if links == "one-to-one":
        return one_to_one(left, right, gain)
    if links == "many-to-many":
        return np.ones(len(left), np.bool_)
    return best(right if links == "one-to-many" else left, gain)


def as_good(left: Int64, right: Int64, gain: Float64, links: Links, taken: Bool) -> Bool:
    """Links that were not taken though none that was, of either of their records, gains more.

    Args:
        left: see `kept`.
        right: see `kept`.
        gain: see `kept`; what differs by less than float32 tells apart is equal.
        links: see `kept`.
        taken: (p,) bool, what `kept` gave.
    Returns:
        (p,) bool.
    """
    most = np.zeros(len(left))
    for record, has_one in ((left, links != "one-to-many"), (right, links != "many-to-one")):
        if has_one:
            of = np.zeros(int(record.max(initial=-1)) + 1)
            np.maximum.at(of, record[taken], gain[taken])
            most = np.maximum(most, of[record])
    return (gain >= most * (1 - EQUAL)) & ~taken


def staying(
    at: Float64,
    links: tuple[Int64, Int64, Float64],
    n_records: tuple[int, int],
    kind: Links,
) -> Float64:
    """Share of false links, at each of (m,) scores, that no better link of a record displaces.

    False links fall on records by chance, so it is the share of pairs of records of which neither
    has a better link, of those that may have one only.

    Args:
        at: scores.
        links: (k,) left and right positions and scores of those that were kept.
        n_records: of either file.
        kind: see `kept`.
    """
    found = np.ones(len(at))
    for record, n, has_one in zip(
        links[:2], n_records, (kind != "one-to-many", kind != "many-to-one"), strict=True
    ):
        if has_one and kind != "many-to-many":
            score = np.sort(links[2][best(record, links[2])])
            found *= 1 - (len(score) - np.searchsorted(score, at, side="right")) / n
    return found


def best(record: Int64, gain: Float64) -> Bool:
    """The link that gains most of each record, the first of equal ones: (p,) bool.

    Args:
        record: (p,) that each link is of.
        gain: (p,) of each link.
    """
    order = np.lexsort((-gain, record))
    first = np.ones(len(record), np.bool_)
    first[1:] = record[order][1:] != record[order][:-1]
    found = np.zeros(len(record), np.bool_)
    found[order[first]] = True
    return found


def one_to_one(left: Int64, right: Int64, gain: Float64) -> Bool:
    """Which links to keep, so that none shares a record and the gains add up to the most.

    Taking the best link first is not that: it may leave two records without their second best.

    Args:
        left: (p,) positions in the first file.
        right: (p,) positions, none of them a left one; no pair twice.
        gain: (p,) of each link, > 0.
    Returns:
        (p,) bool.
    Source: Jonker and Volgenant 1987, as in SciPy, with a place for each record to stay alone.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    found = np.zeros(len(left), np.bool_)
    if not len(left):
        return found
    _, row = np.unique(left, return_inverse=True)
    names, column = np.unique(right, return_inverse=True)
    n = int(row.max()) + 1
    alone = np.arange(n)
    # Every row takes one column, so what all costs have in common decides nothing.
    cost = np.concatenate([gain.max() + 1 - gain, np.full(n, gain.max() + 1)])
    rows, columns = np.concatenate([row, alone]), np.concatenate([column, len(names) + alone])
    graph = coo_array((cost, (rows, columns)), shape=(n, len(names) + n)).tocsr()
    taken_rows, taken = min_weight_full_bipartite_matching(graph)
    partner = np.empty(n, np.int64)
    partner[taken_rows] = taken
    found[:] = partner[row] == column
    return found
