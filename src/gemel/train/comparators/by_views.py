"""What is told of records without labels that have no fields: by variants of them, and by crowding.

Two views of one record are the only pairs that surely belong together. Records that are not the
same lie in the embedding like points of some dimension: a record has so many others within a
distance as a power of it says. Where more of them lie close than that, some of them are the same.
What comes out is an estimate, optimistic about what is missed: views differ as training made them
differ, what people call the same may differ more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from gemel.arrays import Float32, Float64, Int64
from gemel.data.labelled.chains import closure
from gemel.data.pairing import ALL, Pairing
from gemel.encode.comparators.cosine import Cosine
from gemel.release.run import Estimate
from gemel.train.comparators.estimate import estimate, n_pairs
from gemel.train.comparators.unlabelled import SURE

N_BINS = 4096
"""Of the distance sqrt((1 - cosine) / 2), from 0 to 1."""
MAX_QUERIES = 4000
"""Records whose pairs with all others are looked at."""
MOST_VIEWS = 0.99
AWAY, NEAR = (2.0, 8.0), (0.25, 1.0)
"""Pairs per record within the two distances that tell how crowded it is: first so far out that what
is the same hardly counts, then as near as it goes. Nearer in, points are of a lower dimension than
farther out, so that what is told from too far finds too few strangers close by (lab log)."""
SAME = np.concatenate([[0.0], 0.5 * 2.0 ** (np.arange(32) / 4)])
"""Pairs that belong together, per record, that are looked for: where each file is there in nine
versions, there are four."""
CONFIRMED = 0.8
"""Of so many pairs: counted with strangers, they make these seem more frequent than they are."""
TINY = 1e-12
EVEN = 0.5
"""Probability below which what is counted says nothing of pairs that belong together."""


@dataclass(frozen=True, eq=False)
class Viewed:
    """What was told of records by their views.

    Attributes:
        embeddings: (n, d) unit rows.
        count: (N_BINS,) pairs at each distance, as if all had been looked at.
        right: (N_BINS,) of these, how many are expected to belong together.
        pairing: which pairs of the records may be.
        notes: what a user should know of them.
        likely: none: what is told by views has no keys.
    """

    embeddings: Float32
    count: Float64
    right: Float64
    pairing: Pairing = ALL
    notes: tuple[str, ...] = ()
    likely: Int64 = field(default_factory=lambda: np.zeros((2, 0), np.int64))

    @property
    def identities(self) -> Int64:
        """Codes of the n records; those that surely belong together share one."""
        sure = np.flatnonzero(self.right < SURE * self.count)
        reach = int(sure[0]) if len(sure) else N_BINS
        left, right = _within(self.embeddings, reach, self.pairing)
        return closure(len(self.embeddings), left, right)

    def fitted(self) -> tuple[Cosine, Estimate]:
        """The cosine, and what its scores are expected to hold."""
        at = np.flatnonzero(self.count > 0)
        probability = self.right[at] / self.count[at]
        score = (1 - 2 * ((at + 1) / N_BINS) ** 2).astype(np.float32)
        told = estimate(score, probability, self.count[at], len(self.embeddings), by="views")
        return Cosine(), told

    def fitted_otherwise(self) -> None:
        """None: it can be read in one way alone."""


def told(embeddings: Float32, views: tuple[Float32, Float32], pairing: Pairing = ALL) -> Viewed:
    """What the distances of records and of their views tell of which belong together.

    Args:
        embeddings: (n, d) unit rows.
        views: two views of each, (n, d) unit rows.
        pairing: which pairs of the records may be.
    Source: Levina and Bickel 2004, Maximum likelihood estimation of intrinsic dimension (counts
        of neighbours as a power of the distance).
    """
    n = len(embeddings)
    count = _counts(embeddings, pairing)
    count *= n_pairs(n, pairing) / count.sum()
    one, two = views
    variants = np.bincount(_bin(np.einsum("nd,nd->n", one, two)), minlength=N_BINS) / n
    return Viewed(embeddings, count, _right(count, np.cumsum(variants), n), pairing)


def _right(count: Float64, found: Float64, n: int) -> Float64:
    """Pairs expected to belong together at each distance, at most as many as there are.

    Args:
        count: pairs at each distance.
        found: share of pairs of views within each, rising.
        n: records.
    """
    same = _same(count, n)
    # A few of them stay among the strangers, which seem more frequent by that: what looks alike by
    # a template or a series is nearer than their power says. Where they are many, all others go.
    many = same >= CONFIRMED * SAME[1] * n
    apart = same - NEAR[0] * n if many else 0.0
    near, far = (k * n + same - apart for k in NEAR)
    surplus = _surplus(count, _crowd(np.cumsum(count) - apart, near, far))
    # What is farther apart than nearly all views of one record is of one kind, not the same.
    farthest = int(np.searchsorted(found, MOST_VIEWS))
    seen = min(int(np.count_nonzero(surplus >= EVEN)), farthest)
    right = np.zeros(N_BINS)
    right[: len(surplus)] = surplus * count[: len(surplus)]
    within = float(found[seen - 1]) if seen else 0.0
    total = max(right[:seen].sum() / max(within, 1 / n), 1.0)
    beyond = np.diff(found, prepend=0.0)[seen:] * total
    right[seen:] = np.minimum(beyond, right[seen:])
    # Where nothing seems the same, the nearest pair is the first that could be.
    nearest = int(np.argmax(count > 0))
    right[nearest] = max(right[nearest], TINY)
    return right


def _same(count: Float64, n: int) -> float:
    """Pairs that strangers do not explain, strangers told from pairs that are farther apart.

    How many lie nearer than those they are told from has to be known first: it is the largest
    number that is confirmed. If it were taken for none where each file is there in several
    versions, these would be taken for strangers, and nothing would be found.
    """
    reach, found = np.cumsum(count), 0.0
    for nearer in SAME * n:
        near, far = (k * (n + nearer / AWAY[0]) for k in AWAY)
        if nearer and far > EVEN * reach[-1]:
            break
        surplus = _surplus(count, _crowd(reach, near, far))
        told = float((surplus * count[: len(surplus)]).sum())
        if told >= CONFIRMED * nearer:
            found = told
    return found


def _surplus(count: Float64, wrong: Float64) -> Float64:
    """Share of the pairs at each distance that is not explained by what is wrong; it falls."""
    from scipy.optimize import isotonic_regression

    counted = np.maximum(count[: len(wrong)], TINY)
    share = isotonic_regression(1 - wrong / counted, weights=counted, increasing=False).x
    clipped: Float64 = np.clip(share, 0.0, 1.0)
    return clipped


def _crowd(reach: Float64, near: float, far: float) -> Float64:
    """Pairs of records that are not the same, at each distance up to one.

    Args:
        reach: pairs within each distance, rising.
        near: pairs within the one distance that the power is told by.
        far: within the other.
    """
    inner, outer = (min(int(np.searchsorted(reach, k)) + 1, N_BINS) for k in (near, far))
    power = 1.0
    if outer > inner:
        power = float(np.log(reach[outer - 1] / reach[inner - 1]) / np.log(outer / inner))
    within: Float64 = reach[inner - 1] * (np.arange(inner + 1) / inner) ** power
    return np.diff(within)


def _bin(cosine: Float32) -> Int64:
    distance = np.sqrt(np.clip((1 - cosine) / 2, 0, 1))
    return np.minimum((distance * N_BINS).astype(np.int64), N_BINS - 1)


def _blocks(embeddings: Float32, queries: Int64, pairing: Pairing) -> Iterator[tuple[Int64, Int64]]:
    """Rows of distances of queries and all records, as bins; what is no pair has none, -1."""
    for part in np.array_split(queries, max(1, len(queries) // 256)):
        at = _bin(embeddings[part] @ embeddings.T)
        at[np.arange(len(part)), part] = -1
        if pairing.files is not None:
            at[pairing.files[part][:, None] == pairing.files[None]] = -1
        yield part, at


def _counts(embeddings: Float32, pairing: Pairing) -> Float64:
    """Pairs at each distance, of some records with all."""
    n = len(embeddings)
    queries = np.sort(np.random.default_rng(0).permutation(n)[:MAX_QUERIES])
    total = np.zeros(N_BINS)
    for _, at in _blocks(embeddings, queries, pairing):
        total += np.bincount(at[at >= 0], minlength=N_BINS)
    return total


def _within(embeddings: Float32, reach: int, pairing: Pairing) -> tuple[Int64, Int64]:
    """Pairs of records closer than so many bins."""
    left, right = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for part, at in _blocks(embeddings, np.arange(len(embeddings)), pairing):
        row, column = np.nonzero((at >= 0) & (at < reach))
        left.append(part[row])
        right.append(column)
    return np.concatenate(left), np.concatenate(right)
