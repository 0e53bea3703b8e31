"""What is read off a sweep whatever the threshold: equal error rates, the area, points to draw.

How the sweep is made, and which of its points a goal wants, is not known here.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float64
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import Sweep, equal_error_point, gap, hull_blocks, sweep


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


def eer(curve: Sweep) -> float:
    """Error rate where FMR equals FNMR, linear between neighbouring operating points.

    Source: ISO/IEC 19795-1; definition (b) of three that differ on small sets.
    """
    i = equal_error_point(curve)
    before, at = -gap(curve, i - 1), gap(curve, i)
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
