"""A chart of false match rates between categories: where one threshold is not one rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gemel.calibrate.rates.by_category import Cell
from gemel.figures import natural, share
from gemel.watch.charts.drawing import GENUINE, IMPOSTOR, INK, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DECADES = 2.0
"""Powers of ten above or below the reference at which the colour is strongest."""
MOST_NUMBERS = 6
"""Categories up to which each cell says its rate."""


def matrix(cells: Sequence[Cell], reference: float) -> str:
    """FMR of every two categories as colours: above the reference red, below it green.

    Args:
        cells: of every two categories that have comparisons.
        reference: rate that is neither; the target, or the rate over all.
    Source: the heat maps of NIST's face recognition evaluations.
    """
    names = sorted({name for c in cells for name in (c.left, c.right)}, key=natural)
    place = {name: i for i, name in enumerate(names)}

    def draw(axes: Axes) -> None:
        from matplotlib.patches import Rectangle

        for c in cells:
            if c.fmr is None:
                continue
            for x, y in {(place[c.left], place[c.right]), (place[c.right], place[c.left])}:
                colour, alpha = _tint(c.fmr, reference)
                axes.add_patch(Rectangle((x, y), 1, 1, color=colour, alpha=alpha, linewidth=0))
                if len(names) <= MOST_NUMBERS:
                    text = share(c.fmr, 2).replace("\N{NO-BREAK SPACE}", "")
                    axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", color=INK)
        axes.set_xlim(0, len(names))
        axes.set_ylim(len(names), 0)
        short = [name if len(name) <= 12 else name[:11] + "…" for name in names]
        middle = [i + 0.5 for i in range(len(names))]
        turned = 0 if len(names) <= 4 else 90
        axes.set_xticks(middle, short, rotation=turned)
        axes.set_yticks(middle, short)
        axes.tick_params(length=0)
        axes.grid(visible=False)

    return svg("groups", draw, "False match rate of every two categories", (4.2, 3.9))


def _tint(fmr: float, reference: float) -> tuple[str, float]:
    if fmr <= 0 or reference <= 0:
        return GENUINE if fmr <= 0 else IMPOSTOR, 0.12 if fmr <= 0 else 0.7
    decades = math.log10(fmr / reference)
    colour = IMPOSTOR if decades > 0 else GENUINE
    return colour, 0.08 + 0.72 * min(1.0, abs(decades) / DECADES)
