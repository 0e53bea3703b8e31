"""Charts of probabilities and likelihood ratios: whether they mean what they say.

Knows what `calibrate.probability.reliability` measured, and nothing of thresholds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit

from gemel.calibrate.probability.reliability import Reliability
from gemel.watch.charts.drawing import GENUINE, IMPOSTOR, LIMIT, OTHER, OURS, spaced, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARES = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
HIGHEST_COST = 1.5


def reliability(of: Reliability) -> str:
    """What was said against what was so, both as logarithms of odds.

    Where nothing or everything in a bin was genuine, the mark stands open at the edge.
    """
    said = logit(np.clip([b.probability for b in of.bins], 1e-9, 1 - 1e-9))
    share = np.array([b.share for b in of.bins])
    inside = (share > 0) & (share < 1)
    seen = logit(np.where(inside, share, 0.5))

    def draw(axes: Axes) -> None:
        low = min(float(said.min()), *seen[inside].tolist(), -2.0) - 0.5
        high = max(float(said.max()), *seen[inside].tolist(), 2.0) + 0.5
        axes.plot([low, high], [low, high], "--", color=LIMIT, linewidth=1, label="as said")
        axes.plot(said[inside], seen[inside], "o-", color=OURS, markersize=4, label="eval")
        edge = np.where(share == 0, low, high)
        axes.plot(
            said[~inside],
            edge[~inside],
            "o",
            color=OURS,
            markersize=4,
            fillstyle="none",
            clip_on=False,
            label="none or all genuine",
        )
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        for axis in (axes.xaxis, axes.yaxis):
            _shares(axis, (low, high))
        axes.set_xlabel("probability of a match, as said")
        axes.set_ylabel("share that was genuine")
        axes.legend(loc="upper left")

    return svg("reliability", draw, "Share of genuine comparisons against the stated probability")


def costs(of: Reliability) -> str:
    """Cost of the probabilities over all priors, relative to knowing only the prior.

    Source: Ramos and Gonzalez-Rodriguez 2013, the ECE curve.
    """

    def draw(axes: Axes) -> None:
        x = np.array(of.prior_odds)
        axes.axhline(1, color=LIMIT, linewidth=1, linestyle="--", label="the prior alone")
        axes.plot(x, of.cross_entropy, color=OURS, label="as said")
        axes.plot(x, of.least_cross_entropy, ":", color=OURS, label="best calibrated")
        own = math.log10(of.prior / (1 - of.prior))
        if x[0] <= own <= x[-1]:
            axes.axvline(own, color=OTHER, linewidth=1, label="prior of the policy")
        axes.set_xlim(x[0], x[-1])
        axes.set_ylim(0, min(HIGHEST_COST, 1.1 * max(1.0, *of.cross_entropy)))
        places = list(range(math.ceil(x[0]), math.ceil(x[-1])))  # the last would be cut off
        names = [f"1:{10**-p:,}" if p < 0 else f"{10**p:,}:1" for p in places]
        spaced(axes.xaxis, (x[0], x[-1]), places, names)
        axes.set_xlabel("odds of a genuine comparison in use")
        axes.set_ylabel("cost, relative")
        axes.legend(loc="best")

    return svg("ece", draw, "Empirical cross-entropy over priors")


def tippett(of: Reliability) -> str:
    """Share of comparisons with at least each likelihood ratio, by class.

    Source: Meuwly 2001.
    """

    def draw(axes: Axes) -> None:
        x = np.array(of.llr) / math.log(10)
        axes.plot(x, of.genuine_above, color=GENUINE, label="genuine")
        axes.plot(x, of.impostor_above, color=IMPOSTOR, label="impostor")
        axes.axvline(0, color=LIMIT, linewidth=1, linestyle="--")
        axes.set_xlim(x[0], x[-1])
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("likelihood ratio, powers of ten")
        axes.set_ylabel("share with at least that")
        axes.legend(loc="best")

    return svg("tippett", draw, "Tippett plot of likelihood ratios of both classes")


def _shares(axis: Any, limits: tuple[float, float]) -> None:
    places = [float(logit(s)) for s in SHARES]
    spaced(axis, limits, places, [f"{100 * expit(p):.6g}%" for p in places])
