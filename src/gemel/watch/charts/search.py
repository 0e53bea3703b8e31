"""Charts of searches: what a larger gallery does to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.calibrate.rates.intervals import Estimate
from gemel.calibrate.rates.searches import SearchPoint
from gemel.watch.charts.drawing import GENUINE, IMPOSTOR, LIMIT, OTHER, OURS, bars, logarithmic, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def found(points: Sequence[SearchPoint]) -> str:
    """recall_at_1, recall_at_10 and identification at the threshold by size of the gallery."""
    size = [p.gallery_size for p in points]

    def draw(axes: Axes) -> None:
        for k, colour, line in ((10, OTHER, ":"), (1, OURS, "-")):
            some = [p.recall_at_k[k] for p in points]
            axes.plot(size, [e.value for e in some], line, color=colour, label=f"recall at {k}")
            bars(axes, size, some, colour)
        right = [_complement(p.fnir) for p in points]
        axes.plot(size, [e.value for e in right], color=GENUINE, label="found and matched")
        bars(axes, size, right, GENUINE)
        _sizes(axes, size)
        low = min(e.low for p in points for e in (*p.recall_at_k.values(), _complement(p.fnir)))
        low = max(0.0, low - 0.1 * (1 - low) - 0.005)
        axes.set_ylim(low, 1 + 0.03 * (1 - low))
        axes.set_ylabel("share of searches with a mate")
        axes.legend(loc="best")

    return svg("found", draw, "Recall by the size of the gallery")


def false(points: Sequence[SearchPoint], fmr: float | None) -> str:
    """FPIR by size of the gallery, on logarithmic axes.

    Args:
        points: of searches.
        fmr: of one comparison, where the threshold is the same for all sizes; dashed, what it would
            give if comparisons were independent.
    """
    size = np.array([p.gallery_size for p in points], np.float64)
    seen = np.array([p.fpir.value for p in points])

    def draw(axes: Axes) -> None:
        axes.plot(size[seen > 0], seen[seen > 0], "o-", color=IMPOSTOR, markersize=4, label="FPIR")
        bars(axes, size.tolist(), [p.fpir for p in points], IMPOSTOR)
        if fmr:
            expected = -np.expm1(size * np.log1p(-fmr))
            axes.plot(size, expected, "--", color=LIMIT, linewidth=1, label="1 - (1 - FMR)^N")
        least = [v for v in (*seen, fmr or 0.0) if v > 0] + [p.fpir.high for p in points]
        logarithmic(axes, min(least) / 3)
        _sizes(axes, size.tolist())
        axes.set_ylabel("share of strangers matched")
        axes.legend(loc="best")

    return svg("false", draw, "False positive identification rate by the size of the gallery")


def _sizes(axes: Axes, size: Sequence[float]) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("records in the gallery")
    axes.set_xlim(size[0] / 1.3, size[-1] * 1.3)
    ticks = [s for s in size if s == 10 ** round(np.log10(s))]
    axes.set_xticks(ticks, [f"{int(s):,}" for s in ticks])
    axes.minorticks_off()


def _complement(e: Estimate) -> Any:
    from msgspec.structs import replace

    return replace(e, value=1 - e.value, low=1 - e.high, high=1 - e.low)
