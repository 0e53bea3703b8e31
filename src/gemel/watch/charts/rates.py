"""Charts of the two error rates: DET curve, scores, and rates at every threshold.

Knows curves and points, not what they are judged by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.calibrate.scores.curve_measures import CurveSummary
from gemel.watch.charts.drawing import (
    GENUINE,
    IMPOSTOR,
    LIMIT,
    OTHER,
    OURS,
    bars,
    clipped,
    logarithmic,
    spaced,
    svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5)


def det(
    dev: CurveSummary,
    eval: CurveSummary,
    points: Sequence[OperatingPoint],
    baseline: tuple[str, CurveSummary] | None = None,
    name: str = "",
) -> str:
    """DET curves on probit axes, with operating points on eval, the first with its intervals.

    Args:
        dev: dotted.
        eval: drawn through.
        points: on eval, the release's own first.
        baseline: name and curve of another similarity.
        name: of the release, on a page of several.

    Source: Martin et al. 1997, The DET curve in assessment of detection task performance.
    """

    def draw(axes: Axes) -> None:
        of = name and f"{name}, "
        curves = [(dev, f"{of}dev", OURS, ":"), (eval, f"{of}eval", OURS, "-")]
        if baseline is not None:
            curves.append((baseline[1], f"{baseline[0]}, eval", OTHER, "-"))
        for curve, label, colour, line in curves:
            x, y = np.asarray(curve.fmr), np.asarray(curve.fnmr)
            x, y = clipped(x, curve.n_impostor), clipped(y, curve.n_genuine)
            axes.plot(ndtri(x), ndtri(y), line, color=colour, label=label)
        _probit_axes(axes)
        for point in points[1:]:
            x, y = (
                clipped(point.fmr.value, eval.n_impostor),
                clipped(point.fnmr.value, eval.n_genuine),
            )
            axes.plot(ndtri(x), ndtri(y), "o", color=OURS, markersize=3.5, clip_on=False)
        _cross(axes, points[0], eval, f"{name}, its threshold" if name else "this release")
        axes.set_xlabel("false match rate")
        axes.set_ylabel("false non-match rate")
        axes.legend(loc="best")

    return svg("det", draw, "False non-match rate against false match rate on probit axes")


def histograms(curve: CurveSummary, point: OperatingPoint, name: str = "scores") -> str:
    """Score densities of genuine and impostor comparisons, with threshold and review band.

    Args:
        curve: of eval.
        point: on eval.
        name: unique on the page.
    """

    def draw(axes: Axes) -> None:
        edges = np.asarray(curve.bin_edge)
        for density, colour, label in (
            (curve.impostor_density, IMPOSTOR, "impostor"),
            (curve.genuine_density, GENUINE, "genuine"),
        ):
            axes.stairs(density, edges, color=colour, fill=True, alpha=0.35, linewidth=0)
            axes.stairs(density, edges, color=colour, linewidth=1.4, label=label)
        _threshold(axes, point)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_yticks([])
        axes.set_xlabel("score (higher: more alike)")
        axes.set_ylabel("share of comparisons")
        axes.legend(loc="best")

    return svg(name, draw, "Histogram of genuine and impostor scores with the threshold")


def rates(curve: CurveSummary, points: Sequence[OperatingPoint]) -> str:
    """FMR and FNMR at every threshold, on a logarithmic scale, with intervals at some.

    Args:
        curve: of eval.
        points: on eval, the release's own first.
    """

    def draw(axes: Axes) -> None:
        at = np.asarray(curve.threshold)
        floor = 0.5 / max(curve.n_impostor, curve.n_genuine)
        for values, colour, label in (
            (curve.fmr, IMPOSTOR, "FMR"),
            (curve.fnmr, GENUINE, "FNMR"),
        ):
            y = np.asarray(values)
            axes.plot(at[y > 0], y[y > 0], color=colour, label=label)
        for colour, name in ((IMPOSTOR, "fmr"), (GENUINE, "fnmr")):
            bars(axes, [p.threshold for p in points], [getattr(p, name) for p in points], colour)
        _threshold(axes, points[0])
        logarithmic(axes, floor)
        axes.set_xlim(at.min(), at.max())
        axes.set_xlabel("threshold")
        axes.set_ylabel("error rate")
        axes.legend(loc="lower left")

    return svg("rates", draw, "False match and false non-match rate at every threshold")


def _cross(axes: Axes, point: OperatingPoint, curve: CurveSummary, name: str) -> None:
    """The operating point of the release with both intervals, as far as the axes go."""
    x, y = (
        ndtri(clipped([e.value, e.low, e.high], n))
        for e, n in ((point.fmr, curve.n_impostor), (point.fnmr, curve.n_genuine))
    )
    axes.plot([x[1], x[2]], [y[0], y[0]], color=LIMIT, linewidth=1, scalex=False, scaley=False)
    axes.plot([x[0], x[0]], [y[1], y[2]], color=LIMIT, linewidth=1, scalex=False, scaley=False)
    axes.plot(x[0], y[0], "o", color=LIMIT, markersize=4.5, label=name, clip_on=False)


def _threshold(axes: Axes, point: OperatingPoint) -> None:
    """The threshold, and the review band behind it if there is one."""
    if point.review_high > point.review_low:
        axes.axvspan(point.review_low, point.review_high, color=LIMIT, alpha=0.12, linewidth=0)
    axes.axvline(point.threshold, color=LIMIT, linewidth=1.2, linestyle="--", label="threshold")


def _probit_axes(axes: Axes) -> None:
    """Limits around what lies below one half, where operating points are; rates as labels."""
    half = float(ndtri(0.5))
    points = np.concatenate([line.get_xydata() for line in axes.get_lines()])
    below = points[(points <= half).all(axis=1)]
    low = below.min(axis=0) if len(below) else np.full(2, half)
    low = np.minimum(low - 0.1, half - 1)
    axes.set_xlim(low[0], half)
    axes.set_ylim(low[1], half)
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        names = [f"{100 * rate:g}%" for rate in RATES]
        spaced(axis, limits, [float(ndtri(rate)) for rate in RATES], names)
