"""Error rates at every threshold: the exact sweep, its hull and its turning points.

A comparison is accepted if its score is at least the threshold, so equal scores are accepted
together and there is one operating point per distinct score, and one that accepts nothing. Which
point is wanted is not decided here.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32, Float64
from gemel.calibrate.scores.scores import Scores


@dataclass(frozen=True, eq=False)
class Sweep:
    """Counts at each operating point, from the strictest threshold to the loosest.

    Args:
        threshold: (m,) float32, falling; the first is +inf, the others are the distinct scores.
        n_false_match: (m,) int32 or int64, impostor comparisons accepted, rising; float64 where
            each counts with a weight.
        n_true_match: (m,) like n_false_match, genuine comparisons accepted.
    """

    threshold: Float32
    n_false_match: NDArray[Any]
    n_true_match: NDArray[Any]

    @property
    def n_genuine(self) -> int:
        """Number of genuine comparisons; where they have weights, their sum."""
        n: int = self.n_true_match[-1].item()
        return n

    @property
    def n_impostor(self) -> int:
        """Number of impostor comparisons; where they have weights, their sum."""
        n: int = self.n_false_match[-1].item()
        return n

    def fmr(self) -> Float64:
        """False match rate at each point: (m,) float64, rising."""
        return self.n_false_match / np.float64(self.n_impostor)

    def fnmr(self) -> Float64:
        """False non-match rate at each point: (m,) float64, falling."""
        return (self.n_genuine - self.n_true_match) / np.float64(self.n_genuine)

    def point(self, threshold: float) -> int:
        """Position of the operating point of a threshold: the last whose scores all reach it."""
        at = bisect_right(self.threshold, -threshold, key=lambda score: -float(score))
        return at - 1

    def gap(self, point: int) -> tuple[float, float]:
        """The scores next below and above all thresholds with the errors of an operating point.

        Beyond all scores that were seen there is no gap: its ends are both the outermost score.
        """
        ends = self.threshold[min(point + 1, len(self.threshold) - 1)], self.threshold[point]
        return float(ends[0]), float(ends[1] if point else ends[0])

    def between(self, point: int) -> float:
        """A threshold inside the gap below an operating point, with exactly its errors."""
        threshold = self.threshold
        if point == len(threshold) - 1:
            return float(threshold[-1])
        upper = threshold[point] if point else np.float32(np.inf)
        return between(threshold[point + 1], upper)


def between(lower: np.float32, upper: np.float32) -> float:
    """A threshold that rejects `lower` and accepts `upper`, in float32 and in float64.

    The middle of two neighbouring float32 values rounds to one of them; where it would round to
    the lower, the upper is taken. An infinite upper means just above lower.

    Example:
        >>> between(np.float32(0.25), np.float32(0.75))
        0.5
    """
    if np.isinf(upper):
        return float(np.nextafter(lower, upper, dtype=np.float32))
    middle = np.float32((float(lower) + float(upper)) / 2)
    return float(middle if lower < middle <= upper else upper)


def sweep(scores: Scores) -> Sweep:
    """Errors at every distinct score; ties are accepted together.

    Sorts both classes apart as float32 and merges the smaller into the larger: O(n log n).

    Args:
        scores: labelled comparisons of both classes.
    Raises:
        DataError: one of the two classes is missing.
    Source: Fawcett 2006, An introduction to ROC analysis, algorithm 1.
    """
    scores.require_both()
    few, many = scores.score[scores.genuine], scores.score[~scores.genuine]
    few_are_genuine = len(few) <= len(many)
    if not few_are_genuine:
        few, many = many, few
    few.sort()
    many.sort()
    n = len(scores)
    is_few = np.zeros(n, np.bool_)
    at = np.searchsorted(many, few)
    at += np.arange(len(few))
    is_few[at] = True
    merged = np.empty(n, np.float32)
    merged[at] = few
    np.logical_not(is_few, out=is_few)
    merged[is_few] = many
    np.logical_not(is_few, out=is_few)
    del at, few, many
    return _count(merged[::-1], is_few[::-1], few_are_genuine)


def _count(score: Float32, is_few: NDArray[np.bool_], few_are_genuine: bool) -> Sweep:
    """The sweep over falling scores, with the class of each."""
    count = np.int32 if len(score) < np.iinfo(np.int32).max else np.int64
    last = np.empty(len(score), np.bool_)
    np.not_equal(score[1:], score[:-1], out=last[:-1])
    last[-1] = True
    n_few = np.zeros(np.count_nonzero(last) + 1, count)
    n_few[1:] = np.cumsum(is_few, dtype=count)[last]
    n_many = np.zeros_like(n_few)
    n_many[1:] = np.flatnonzero(last)
    n_many[1:] += 1
    n_many -= n_few
    threshold = np.empty(len(n_few), np.float32)
    threshold[0] = np.inf
    threshold[1:] = score[last]
    if few_are_genuine:
        return Sweep(threshold, n_many, n_few)
    return Sweep(threshold, n_few, n_many)


def weighted_sweep(score: Float32, true: NDArray[Any], false: NDArray[Any]) -> Sweep:
    """The sweep of comparisons that count with weights; equal scores are accepted together.

    Args:
        score: (n,) float32, falling.
        true: (n,) weight of each as a genuine comparison, 0 for impostors.
        false: (n,) as an impostor comparison; one of the two is above 0.
    """
    last = np.append(score[1:] != score[:-1], True)
    n_false, n_true = (np.append(0, np.cumsum(weight)[last]) for weight in (false, true))
    return Sweep(np.append(np.float32(np.inf), score[last]), n_false, n_true)


def equal_error_point(curve: Sweep) -> int:
    """Position of the first operating point where FMR is at least FNMR."""
    low, high = 0, len(curve.threshold) - 1
    while low < high:
        middle = (low + high) // 2
        if gap(curve, middle) >= 0:
            high = middle
        else:
            low = middle + 1
    return low


def gap(curve: Sweep, point: int) -> float:
    """FMR minus FNMR at an operating point; rises along the sweep from -1 to 1."""
    fnmr = 1 - float(curve.n_true_match[point]) / curve.n_genuine
    return float(curve.n_false_match[point]) / curve.n_impostor - fnmr


def hull_blocks(curve: Sweep, added: int = 0) -> tuple[NDArray[np.intp], Float64, Float64]:
    """The segments of the ROC curve's convex hull: scores that pool adjacent violators pools.

    Args:
        curve: the exact sweep.
        added: impostor comparisons put above, and genuine ones put below, all scores.
    Returns:
        (k + 1,) positions in the sweep, from the strictest on: block i is the scores behind
        position i, up to position i + 1; and (k,) genuine and impostor comparisons in each block,
        added ones included.
    Source: Fawcett and Niculescu-Mizil 2007, PAV and the ROC convex hull.
    """
    from scipy.optimize import isotonic_regression

    corner = corners(curve)
    true = np.diff(curve.n_true_match[corner]).astype(np.float64)
    false = np.diff(curve.n_false_match[corner]).astype(np.float64)
    if added:
        corner = np.concatenate([corner[:1], corner, corner[-1:]])
        true, false = np.append([0.0], true), np.append([float(added)], false)
        true, false = np.append(true, added), np.append(false, 0.0)
    weight = true + false
    blocks = isotonic_regression(true / weight, weights=weight, increasing=False).blocks
    starts = blocks[:-1]
    return corner[blocks], np.add.reduceat(true, starts), np.add.reduceat(false, starts)


def corners(curve: Sweep) -> NDArray[np.intp]:
    """Positions that can be corners of the hull: after a genuine score and before an impostor's."""
    n = len(curve.threshold)
    kept = np.ones(n, np.bool_)
    kept[1:-1] = curve.n_true_match[1:-1] > curve.n_true_match[:-2]
    kept[1:-1] &= curve.n_false_match[2:] > curve.n_false_match[1:-1]
    return np.flatnonzero(kept)


def turning_points(curve: Sweep) -> NDArray[np.intp]:
    """Positions between which only genuine or only impostor comparisons are accepted.

    A risk that falls with each genuine and rises with each impostor comparison accepted is
    monotone between two of them, so that its least value is at one.
    """
    true = curve.n_true_match[1:] > curve.n_true_match[:-1]
    false = curve.n_false_match[1:] > curve.n_false_match[:-1]
    kept = np.ones(len(curve.threshold), np.bool_)
    kept[1:-1] = (true[:-1] & false[1:]) | (false[:-1] & true[1:])
    return np.flatnonzero(kept)
