"""One-to-one and one-to-many links, and how many false ones are left after linking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # which imports its parts when they are used

from gemel.arrays import Bool, Float64, Int64
from gemel.settings import EVERY, Links

EQUAL = 1e-5
SURE = 0.84
"""That no more false links were displaced than is believed: a standard deviation."""


@dataclass(frozen=True, eq=False)
class Linked:
    """What linking left, to tell how many of the false links that scores speak of are among it.

    False links fall on records by chance. One is displaced where a record that may have one partner
    only has a better link, so those that were displaced tell how many there are.

    Attributes:
        left: (k,) positions in the first file, of the links that were kept.
        right: (k,) positions in the second.
        score: (k,) of each.
        n_records: of either file.
        kind: see `kept`.
        n_displaced: links that were not kept.
    """

    left: Int64
    right: Int64
    score: Float64
    n_records: tuple[int, int]
    kind: Links
    n_displaced: int

    def staying(self, at: Float64) -> Float64:
        """Share of false links, at each of (m,) scores, that no better link displaces: (m,)."""
        found = np.ones(len(at))
        has_one = self.kind != "one-to-many", self.kind != "many-to-one"
        for record, n, one in zip((self.left, self.right), self.n_records, has_one, strict=True):
            if one and self.kind != EVERY:
                score = np.sort(self.score[best(record, self.score)])
                found *= 1 - (len(score) - np.searchsorted(score, at, side="right")) / n
        return found

    def left_of(self, n_false: float, n_staying: float) -> float:
        """How many false links are left, where so many were told, and so many of them to stay.

        Fewer, if so few were displaced that there cannot have been so many.

        Source: Garwood 1936, for the most that a count speaks for.
        """
        most = float(scipy.special.gammaincinv(self.n_displaced + 1, SURE))
        return n_staying * min(1.0, most / max(n_false - n_staying, most))


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
    if links == EVERY:
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
