"""What it changes when a thing is shown twice and both views have to match.

With several views the lowest score decides, at the threshold of one comparison. A false match then
needs all of them, so a bound on the false match rate holds for views as well; what they cost is
genuine comparisons that one view misses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Float32, Float64, Int64
from gemel.calibrate.rates.intervals import (
    Estimate,
    Sample,
    jackknife_variance,
    n_carrying,
    proportion,
)
from gemel.decide.bands import matches
from gemel.encode.comparators import Scorer

N_VIEWS = 2


class Views(msgspec.Struct, frozen=True, kw_only=True):
    """Error rates where two records of one identity, as its views, are compared with a third.

    Attributes:
        n_views: 2.
        fmr: impostor comparisons in which both views match.
        fnmr: genuine comparisons in which not both do; None without identities of three records.
    """

    n_views: int
    fmr: Estimate
    fnmr: Estimate | None


def two_views(
    embeddings: Float32,
    identities: Int64,
    comparator: Scorer,
    threshold: float,
    *,
    confidence: float,
    level: Callable[[Float32, Any, Any], Float32] | None = None,
) -> Views | None:
    """Both error rates of two views at a threshold; None without two identities and two records.

    Every two records of an identity are views once, against every other record.

    Args:
        embeddings: (n, d) float32, unit rows.
        identities: (n,) int64 codes; -1 = unknown, takes part in nothing.
        comparator: what scores a pair.
        threshold: of the policy, for one comparison.
        confidence: level of the intervals.
        level: of scores of records, given by their positions.
    """
    known = np.flatnonzero(identities >= 0)
    known = known[np.argsort(identities[known], kind="stable")]
    size = np.unique(identities[known], return_counts=True)[1]
    if len(size) < 2 or size.max() < N_VIEWS:
        return None
    owner = np.repeat(np.arange(len(size)), size)
    ends = np.cumsum(size)
    false, missed = (np.zeros((4, len(size))) for _ in range(2))
    for i in np.flatnonzero(size >= N_VIEWS):
        own = np.arange(ends[i] - size[i], ends[i])
        left, right = known[own], known
        score = comparator.matrix(embeddings[left], embeddings[right])
        if level is not None:
            pairs = np.repeat(left, len(right)), np.tile(right, len(left))
            score = level(score.reshape(-1), *pairs).reshape(score.shape)
        match = matches(score, threshold)
        # A record is no view of itself.
        match[np.arange(len(own)), own] = False
        both = _pairs(match.sum(0))
        other = np.bincount(owner, both, len(size)).astype(np.float64)
        other[i] = 0
        n_other = np.where(np.arange(len(size)) == i, 0.0, size * _pairs(size[i]))
        _note(false, int(i), other, n_other)
        n = _pairs(size[i] - 1) * size[i]
        missed[:2, i] = n - both[own].sum(), n
    return Views(
        n_views=N_VIEWS,
        fmr=_estimate(false, int(size.sum()) // 3, confidence),
        fnmr=_estimate(missed, int((size // 3).sum()), confidence) if size.max() > 2 else None,
    )


def _pairs(n: Any) -> Any:
    return n * (n - 1) / 2


def _note(counts: Float64, i: int, errors: Float64, n: Float64) -> None:
    """Add errors and comparisons of identity i with each other: to its own, and to the others'."""
    counts[0, i], counts[1, i] = errors.sum(), n.sum()
    counts[2] += errors
    counts[3] += n


def _estimate(counts: Float64, n_independent: int, confidence: float) -> Estimate:
    """The share of errors; an identity that is left out takes with it what others did with it.

    Args:
        counts: (4, identities): errors and comparisons as views, and as what they are compared
            with.
        n_independent: comparisons that share no identity or record.
        confidence: level of the interval.
    """
    errors, n = counts[0].sum(), counts[1].sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        left_out = (errors - counts[0] - counts[2]) / (n - counts[1] - counts[3])
    takes_part = (counts[1] + counts[3]) > 0
    sample = Sample(int(n), n_carrying(counts[1] + counts[3]), n_independent)
    variance = jackknife_variance(left_out[takes_part])
    return proportion(float(errors / n), variance, sample, confidence)
