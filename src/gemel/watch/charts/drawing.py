"""Figures as inline SVG in the colours of the page they stand on; what charts have in common.

Drawn with marker colours that are then replaced by CSS variables, so that one picture serves light,
dark and paper. Text stays text. Knows no curve.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.calibrate.rates.intervals import Estimate
from gemel.figures import plain

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
SIZE = (3.7, 3.1)
"""Inches; so small that text is read on a phone, where a chart is as wide as the page."""
MIN_GAP = 0.18
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
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.handlelength": 1.4,
    "legend.borderaxespad": 0.2,
    "lines.linewidth": 1.6,
}


def svg(
    name: str, draw: Callable[[Axes], None], title: str, size: tuple[float, float] = SIZE
) -> str:
    """One figure as an `<svg>` element with ids of its own.

    Args:
        name: unique on the page; begins every id.
        draw: draws on the axes it is given.
        title: what the figure shows, for those who do not see it.
        size: width and height in inches.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: Any = {**STYLE, "svg.hashsalt": name}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        out = io.StringIO()
        with warnings.catch_warnings():
            # Of names too long for the figure, which is drawn all the same.
            warnings.filterwarnings("ignore", "constrained_layout not applied")
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
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


def spaced(
    axis: Any, values: Sequence[float], places: Sequence[float], names: Sequence[str]
) -> None:
    """Ticks of an axis that do not touch, the later ones having precedence.

    Args:
        axis: of matplotlib.
        values: limits of the axis, the lower first.
        places: of the ticks, rising.
        names: of the ticks.
    """
    low, high = values
    kept: list[tuple[float, str]] = []
    for place, name in zip(reversed(places), reversed(names), strict=True):
        room = not kept or kept[-1][0] - place > MIN_GAP * (high - low)
        if low <= place <= high and room:
            kept.append((place, name))
    axis.set_ticks([place for place, _ in kept], [name for _, name in kept])


def logarithmic(axes: Axes, low: float) -> None:
    """An upright axis of rates from a low one to all, with powers of ten in per cent.

    Args:
        axes: whose y axis it is.
        low: above 0.
    """
    axes.set_yscale("log")
    axes.set_ylim(low, 1.5)
    lowest = math.ceil(math.log10(low))
    powers = range(0, lowest - 1, -1 if lowest >= -4 else -2)
    axes.set_yticks([10.0**p for p in powers], [f"{plain(100 * 10.0**p, 1)}%" for p in powers])
    axes.minorticks_off()


def bars(axes: Axes, x: Sequence[float], estimates: Sequence[Estimate], colour: str) -> None:
    """Intervals as upright bars; where nothing was seen, a mark at what it may be at most.

    Args:
        axes: to draw on.
        x: where, one for each.
        estimates: whose intervals.
        colour: of the bars.
    """
    for at, e in zip(x, estimates, strict=True):
        if e.value > 0:
            axes.plot([at, at], [e.low, e.high], color=colour, linewidth=1, alpha=0.8)
        else:
            axes.plot(at, e.high, "v", color=colour, markersize=5)


def clipped(values: Any, n: int) -> Any:
    """Rates without 0 and 1, which have no place on a probit or logarithmic axis.

    Args:
        values: rates.
        n: comparisons behind them; half of one is what is left of nothing.
    """
    return np.clip(values, 0.5 / n, 1 - 0.5 / n)
