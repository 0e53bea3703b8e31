"""Classification by a few examples: how alike a query is to each class, from its supports alone.

A class is nothing but its supports, so classes come and go without training. The score of a class
depends on the query and on the supports of that class, never on which other classes there are: a
calibration of scores therefore holds whatever is enrolled. Higher is more alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy  # which imports its parts when they are used
from numpy.typing import NDArray

from gemel.arrays import Float32, Float64, Int64, unit_rows
from gemel.decide.classes import Method
from gemel.encode.comparators import Scorer
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.scatter import Scatter, within
from gemel.errors import DataError

CELLS = 1 << 22
"""Scores computed at once: 16 MiB of float32."""
NEIGHBOURS = 5


@dataclass(frozen=True, eq=False)
class Supports:
    """Examples of n_classes classes, class by class.

    Args:
        rows: (n, d) float32, unit rows, those of one class after the other.
        starts: (n_classes,) int64, where each class begins; each has at least one row.
    """

    rows: Float32
    starts: Int64

    @classmethod
    def of(cls, rows: Float32, labels: Int64) -> Supports:
        """Supports in any order, with the code of their class.

        Args:
            rows: (n, d) float32, unit rows.
            labels: (n,) codes 0 to n_classes - 1, each at least once.
        Raises:
            DataError: there are none, lengths differ, or a code is left out.
        """
        if rows.ndim != 2 or labels.shape != rows.shape[:1] or not len(rows):
            raise DataError(f"{rows.shape} supports do not fit {labels.shape} labels")
        if labels.min() < 0 or not np.bincount(labels).all():
            raise DataError("the classes of supports must be 0, 1, 2, ... without a gap")
        order = np.argsort(labels, kind="stable")
        starts = np.searchsorted(labels[order], np.arange(labels.max() + 1))
        return cls(np.ascontiguousarray(rows[order]), starts.astype(np.int64))

    @property
    def counts(self) -> Int64:
        """Supports of each class: (n_classes,) int64."""
        return np.diff(self.starts, append=len(self.rows))

    @property
    def labels(self) -> Int64:
        """Class of each row: (n,) int64."""
        return np.repeat(np.arange(len(self.starts)), self.counts)

    @cached_property
    def means(self) -> Float32:
        """Mean row of each class, not scaled: (n_classes, d) float32."""
        sums: Float64 = np.add.reduceat(self.rows, self.starts, axis=0, dtype=np.float64)
        return np.ascontiguousarray(sums / self.counts[:, None], np.float32)

    @cached_property
    def prototypes(self) -> Float32:
        """Mean row of each class, scaled to length one: (n_classes, d) float32."""
        return unit_rows(self.means)


def nearest(supports: Supports, queries: Float32, comparator: Scorer | None = None) -> Float32:
    """Score of the most similar support of each class: (q, n_classes) float32.

    Args:
        supports: of the classes.
        queries: (q, d) float32, unit rows.
        comparator: what scores a pair; cosine if not given.
    Source: Cover and Hart 1967; with one support per class it is one-shot matching (Koch 2015).
    """
    return _by_class(supports, queries, comparator, lambda s: _best(s, supports.starts))


def prototype(supports: Supports, queries: Float32, comparator: Scorer | None = None) -> Float32:
    """Score with the mean support of each class, scaled to length one: (q, n_classes) float32.

    Args:
        supports: of the classes.
        queries: (q, d) float32, unit rows.
        comparator: what scores a pair; cosine if not given.
    Source: Snell, Swersky and Zemel 2017, Prototypical networks.
    """
    out = np.empty((len(queries), len(supports.starts)), np.float32)
    for at in _blocks(len(queries), len(supports.starts)):
        out[at] = (comparator or Cosine()).matrix(queries[at], supports.prototypes)
    return out


def knn(
    supports: Supports,
    queries: Float32,
    comparator: Scorer | None = None,
    *,
    k: int = NEIGHBOURS,
) -> Float32:
    """Mean score of the k most similar supports of each class, better ones weighing more.

    The neighbours are sought in each class by itself: a vote among all classes would depend on
    which of them are enrolled. A class with fewer supports gives what it has. The weight of a
    support falls by e with every unit that its score is below the best one.

    Args:
        supports: of the classes.
        queries: (q, d) float32, unit rows.
        comparator: what scores a pair; cosine if not given.
        k: neighbours, at least 1.
    Returns:
        (q, n_classes) float32.
    """
    return _by_class(supports, queries, comparator, lambda s: _mean_of_best(s, supports, k))


def mahalanobis(supports: Supports, queries: Float32, spread: Scatter | None = None) -> Float32:
    """Minus half the squared Mahalanobis distance from the mean of each class.

    Args:
        supports: of the classes.
        queries: (q, d) float32, unit rows.
        spread: within a class, of other classes; None takes that of the supports themselves,
            which needs a class with two of them.
    Returns:
        (q, n_classes) float32.
    Raises:
        DataError: no spread, and no class with two supports.
    Source: Lee et al. 2018, A simple unified framework for detecting out-of-distribution samples;
        pooled covariance, since one of each class cannot be had from a few supports.
    """
    shape = spread or within(supports.rows, supports.labels)
    centres = shape.whitened(supports.means)
    x = shape.whitened(queries)
    length = np.einsum("ij,ij->i", centres, centres) / 2
    out = np.empty((len(queries), len(centres)), np.float32)
    for at in _blocks(len(queries), len(centres)):
        own = np.einsum("ij,ij->i", x[at], x[at])[:, None] / 2
        out[at] = np.minimum(x[at] @ centres.T - length - own, 0)
    return out


def scores(
    method: Method,
    supports: Supports,
    queries: Float32,
    *,
    comparator: Scorer | None = None,
    spread: Scatter | None = None,
) -> Float32:
    """Scores by the method of that name: (q, n_classes) float32."""
    if method == "mahalanobis":
        return mahalanobis(supports, queries, spread)
    named = {"nearest": nearest, "prototype": prototype, "knn": knn}
    return named[method](supports, queries, comparator)


def probabilities(scores: NDArray[Any], temperature: float) -> Float64:
    """Probability of each class, given that it is one of them: softmax of scores / temperature.

    Args:
        scores: (q, n_classes).
        temperature: > 0, in units of the score.
    Returns:
        (q, n_classes) float64, rows sum to one.
    Example:
        >>> probabilities(np.array([[1.0, 1.0]]), 0.1).tolist()
        [[0.5, 0.5]]
    """
    x = np.asarray(scores, np.float64) / temperature
    x = np.exp(x - x.max(axis=1, keepdims=True))
    shares: Float64 = x / x.sum(axis=1, keepdims=True)
    return shares


def fit_temperature(episodes: Sequence[tuple[Float32, Int64]]) -> float:
    """Temperature at which the probabilities are most likely.

    Args:
        episodes: scores (q, n_classes) and the right class of each query (q,).
    Raises:
        DataError: no query.
    Source: Guo et al. 2017, On calibration of modern neural networks.
    """
    if not sum(len(truth) for _, truth in episodes):
        raise DataError("no query to fit a temperature on")
    spans = [np.ptp(s, axis=1) for s, _ in episodes]
    unit = max(float(np.median(np.concatenate(spans))), 1e-6)

    def loss(log_t: float) -> float:
        total = 0.0
        for s, truth in episodes:
            p = probabilities(s, unit * np.exp(log_t))[np.arange(len(truth)), truth]
            total -= float(np.log(np.maximum(p, 1e-30)).sum())
        return total

    found = scipy.optimize.minimize_scalar(loss, bounds=(-7.0, 3.0), method="bounded")
    return float(unit * np.exp(found.x))


def _by_class(
    supports: Supports,
    queries: Float32,
    comparator: Scorer | None,
    reduce: Callable[[Float32], Float32],
) -> Float32:
    """All scores with all supports, reduced to one per class, a block of queries at a time."""
    out = np.empty((len(queries), len(supports.starts)), np.float32)
    for at in _blocks(len(queries), len(supports.rows)):
        out[at] = reduce((comparator or Cosine()).matrix(queries[at], supports.rows))
    return out


def _blocks(n_queries: int, n_columns: int) -> list[slice]:
    step = max(1, CELLS // max(n_columns, 1))
    return [slice(start, start + step) for start in range(0, n_queries, step)]


def _best(scores: Float32, starts: Int64) -> Float32:
    best: Float32 = np.maximum.reduceat(scores, starts, axis=1)
    return best


def _mean_of_best(scores: Float32, supports: Supports, k: int) -> Float32:
    """Weighted mean of the k best of each class; equal scores are taken together."""
    starts, counts = supports.starts, supports.counts
    left = scores.copy()
    top = _best(left, starts)
    total, weight = np.zeros(top.shape), np.zeros(top.shape)
    wanted = np.minimum(counts, k) + np.zeros(top.shape, np.int64)
    best = top
    while wanted.any():
        is_best = left == np.repeat(best, counts, axis=1)
        taken = np.minimum(np.add.reduceat(is_best, starts, axis=1, dtype=np.int64), wanted)
        value = np.where(taken, best, top).astype(np.float64)  # a used-up class has no best left
        w = taken * np.exp(value - top)
        total += w * value
        weight += w
        wanted -= taken
        left[is_best] = -np.inf
        best = _best(left, starts)
    return (total / weight).astype(np.float32)
