"""Error rates at every threshold: the exact sweep and what is read off it.

A comparison is accepted if its score is at least the threshold, so equal scores are accepted
together and there is one operating point per distinct score, and one that accepts nothing. Which
point is wanted is not decided here.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import msgspec
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

    def between(self, point: int) -> float:
        """A threshold inside the gap below an operating point, with exactly its errors."""
        threshold = self.threshold
        if point == len(threshold) - 1:
            return float(threshold[-1])
        upper = threshold[point] if point else np.float32(np.inf)
        return between(threshold[point + 1], upper)


class CurveSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The curves of one split, thinned out for a report; plain JSON values.

    `threshold`, `fmr` and `fnmr` are points of the DET curve. A histogram bin i covers
    `bin_edge[i]` to `bin_edge[i + 1]`; densities integrate to one in each class.
    """

    n_genuine: int
    n_impostor: int
    eer: float
    eer_hull: float
    auroc: float
    threshold: tuple[float, ...]
    fmr: tuple[float, ...]
    fnmr: tuple[float, ...]
    bin_edge: tuple[float, ...]
    genuine_density: tuple[float, ...]
    impostor_density: tuple[float, ...]


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
        if _gap(curve, middle) >= 0:
            high = middle
        else:
            low = middle + 1
    return low


def _gap(curve: Sweep, point: int) -> float:
    """FMR minus FNMR at an operating point; rises along the sweep from -1 to 1."""
    fnmr = 1 - float(curve.n_true_match[point]) / curve.n_genuine
    return float(curve.n_false_match[point]) / curve.n_impostor - fnmr


def eer(curve: Sweep) -> float:
    """Error rate where FMR equals FNMR, linear between neighbouring operating points.

    Source: ISO/IEC 19795-1; definition (b) of three that differ on small sets.
    """
    i = equal_error_point(curve)
    before, at = -_gap(curve, i - 1), _gap(curve, i)
    fmr = curve.n_false_match[i - 1 : i + 1] / curve.n_impostor
    return float(fmr[0] + before / (before + at) * (fmr[1] - fmr[0]))


def eer_hull(curve: Sweep) -> float:
    """Error rate where FMR equals FNMR on the convex hull of the ROC curve (ROCCH-EER).

    Never above `eer`, and optimistic on small sets.

    Source: Bosaris toolkit; Brümmer and de Villiers 2013, arXiv 1304.2865.
    """
    fmr, fnmr = _hull(curve)
    i = int(np.searchsorted(fmr - fnmr, 0.0))
    slope = (fnmr[i] - fnmr[i - 1]) / (fmr[i] - fmr[i - 1]) if fmr[i] > fmr[i - 1] else -np.inf
    if np.isinf(slope):
        return float(fmr[i])
    return float((fnmr[i] - slope * fmr[i]) / (1.0 - slope))


def _hull(curve: Sweep) -> tuple[Float64, Float64]:
    """FMR and FNMR at the corners of the lower convex hull, FMR rising."""
    _, true, false = hull_blocks(curve)
    fmr = np.append(0, np.cumsum(false)) / curve.n_impostor
    return fmr, 1.0 - np.append(0, np.cumsum(true)) / curve.n_genuine


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


def auroc(curve: Sweep) -> float:
    """Probability that a genuine comparison scores above an impostor; ties count half.

    Source: Hanley and McNeil 1982.
    """
    true, false = curve.n_true_match, curve.n_false_match
    area = 0.0
    for start in range(0, len(true) - 1, 1 << 20):
        stop = min(start + (1 << 20), len(true) - 1) + 1
        height = true[start : stop - 1].astype(np.float64) + true[start + 1 : stop]
        area += float(np.dot(np.diff(false[start:stop]), height)) / 2
    return area / (curve.n_genuine * float(curve.n_impostor))


def summary(scores: Scores, n_points: int = 200, n_bins: int = 60) -> CurveSummary:
    """The curves of one split, thinned out for a report.

    Args:
        scores: labelled comparisons of both classes.
        n_points: points of the DET curve at most, at log-spaced FMR.
        n_bins: histogram bins, common to both classes.
    Raises:
        DataError: one of the two classes is missing.
    """
    curve = sweep(scores)
    at = _det_points(curve, n_points)
    edges = np.linspace(float(curve.threshold[-1]), float(curve.threshold[1]), n_bins + 1)
    if edges[0] == edges[-1]:
        edges = np.linspace(edges[0] - 0.5, edges[0] + 0.5, n_bins + 1)
    ends = float(edges[0]), float(edges[-1])
    genuine = np.histogram(scores.score[scores.genuine], n_bins, ends, density=True)[0]
    impostor = np.histogram(scores.score[~scores.genuine], n_bins, ends, density=True)[0]
    return CurveSummary(
        n_genuine=curve.n_genuine,
        n_impostor=curve.n_impostor,
        eer=eer(curve),
        eer_hull=eer_hull(curve),
        auroc=auroc(curve),
        threshold=tuple(curve.threshold[at].tolist()),
        fmr=tuple((curve.n_false_match[at] / curve.n_impostor).tolist()),
        fnmr=tuple((1.0 - curve.n_true_match[at] / curve.n_genuine).tolist()),
        bin_edge=tuple(edges.tolist()),
        genuine_density=tuple(genuine.tolist()),
        impostor_density=tuple(impostor.tolist()),
    )


def _det_points(curve: Sweep, n_points: int) -> NDArray[np.intp]:
    """Positions of at most n_points operating points: log-spaced in FMR, even in FNMR above 0."""
    n_half = max(n_points // 2, 2)
    level = np.geomspace(0.5, curve.n_impostor, n_half)
    by_fmr = np.searchsorted(curve.n_false_match, level, side="right") - 1
    by_fnmr = np.searchsorted(curve.n_true_match, np.linspace(0, curve.n_genuine, n_half))
    at = np.unique(np.concatenate([by_fmr, by_fnmr]))
    return at[at > 0]
