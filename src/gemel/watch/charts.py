"""Charts of a report as inline SVG, in the colours of the page they stand on.

Drawn with marker colours that are then replaced by CSS variables, so that one picture serves light,
dark and paper. Text stays text. Knows curves and points, not what they are judged by.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from gemel.calibrate.curves import CurveSummary
from gemel.calibrate.operating import OperatingPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, GRID, OURS, OTHER, GENUINE, IMPOSTOR, LIMIT = (f"#01020{i}" for i in range(1, 8))
VARIABLES = {
    INK: "--ink-soft",
    GRID: "--line",
    OURS: "--ours",
    OTHER: "--other",
    GENUINE: "--genuine",
    IMPOSTOR: "--impostor",
    LIMIT: "--ink",
}
SIZE = (4.4, 3.5)
RATES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5)
MIN_GAP = 0.15
"""Of an axis between two labels, so that they do not touch."""
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
}


def det(
    dev: CurveSummary,
    eval: CurveSummary,
    point: OperatingPoint,
    baseline: tuple[str, CurveSummary] | None = None,
) -> str:
    """DET curves on probit axes, with the operating point on eval and its intervals.

    Source: Martin et al. 1997, The DET curve in assessment of detection task performance.
    """

    def draw(axes: Axes) -> None:
        curves = [(dev, "dev", OURS, ":"), (eval, "eval", OURS, "-")]
        if baseline is not None:
            curves.append((baseline[1], f"{baseline[0]}, eval", OTHER, "-"))
        for curve, label, colour, line in curves:
            x, y = np.asarray(curve.fmr), np.asarray(curve.fnmr)
            x = np.clip(x, 0.5 / curve.n_impostor, 1 - 0.5 / curve.n_impostor)
            y = np.clip(y, 0.5 / curve.n_genuine, 1 - 0.5 / curve.n_genuine)
            axes.plot(ndtri(x), ndtri(y), line, color=colour, label=label)
        _cross(axes, point, eval)
        _probit_axes(axes)
        axes.set_xlabel("false match rate")
        axes.set_ylabel("false non-match rate")
        axes.legend(loc="best")

    return _svg("det", draw, "False non-match rate against false match rate on probit axes")


def histograms(curve: CurveSummary, point: OperatingPoint) -> str:
    """Score densities of genuine and impostor comparisons, with threshold and review band."""

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

    return _svg("scores", draw, "Histogram of genuine and impostor scores with the threshold")


def rates(curve: CurveSummary, point: OperatingPoint) -> str:
    """FMR and FNMR at every threshold, on a logarithmic scale."""

    def draw(axes: Axes) -> None:
        at = np.asarray(curve.threshold)
        floor = 0.5 / max(curve.n_impostor, curve.n_genuine)
        for values, colour, label in (
            (curve.fmr, IMPOSTOR, "FMR"),
            (curve.fnmr, GENUINE, "FNMR"),
        ):
            y = np.asarray(values)
            axes.plot(at[y > 0], y[y > 0], color=colour, label=label)
        _threshold(axes, point)
        axes.set_yscale("log")
        axes.set_ylim(floor, 1.5)
        axes.set_xlim(at.min(), at.max())
        axes.set_xlabel("threshold")
        axes.set_ylabel("error rate")
        axes.legend(loc="lower left")

    return _svg("rates", draw, "False match and false non-match rate at every threshold")


def _cross(axes: Axes, point: OperatingPoint, curve: CurveSummary) -> None:
    """The operating point with both intervals."""
    fmr, fnmr = point.fmr, point.fnmr
    x = _within([fmr.value, fmr.low, fmr.high], curve.n_impostor)
    y = _within([fnmr.value, fnmr.low, fnmr.high], curve.n_genuine)
    axes.plot([x[1], x[2]], [y[0], y[0]], color=LIMIT, linewidth=1)
    axes.plot([x[0], x[0]], [y[1], y[2]], color=LIMIT, linewidth=1)
    axes.plot(x[0], y[0], "o", color=LIMIT, markersize=4.5, label="this release")


def _within(values: Sequence[float], n: int) -> Any:
    return ndtri(np.clip(values, 0.5 / n, 1 - 0.5 / n))


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
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        kept: list[float] = []
        for rate in reversed(RATES):
            room = not kept or ndtri(kept[-1]) - ndtri(rate) > MIN_GAP * (high - low)
            if low <= ndtri(rate) <= high and room:
                kept.append(rate)
        axis.set_ticks([float(ndtri(r)) for r in kept], [f"{100 * r:g}%" for r in kept])


def _svg(name: str, draw: Any, title: str) -> str:
    """One figure as an `<svg>` element with ids of its own."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: Any = {**STYLE, "svg.hashsalt": name}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{name}-", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]+"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]+"', r"\1", text, count=1)
    text = text.replace("'DejaVu Sans'", "inherit-page, system-ui")
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
