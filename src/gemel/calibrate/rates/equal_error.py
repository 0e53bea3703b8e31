"""The equal error rate with its interval: how far another draw of identities would move it.

Where the two rates meet is looked up in the sweep; what their errors add is counted by identity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec.structs import replace

from gemel.calibrate.rates.by_identity import Counts, Spread
from gemel.calibrate.rates.intervals import Estimate
from gemel.calibrate.rates.operating_point import overall
from gemel.calibrate.scores import curve_measures
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import Sweep, equal_error_point, sweep
from gemel.decide.bands import matches

SPAN = 2.0
"""Times below and above the rate between which the slopes of both rates are read."""


def equal_error(scores: Scores, confidence: float = 0.95) -> Estimate:
    """The rate at which false matches and false non-matches are equally frequent.

    Where more genuine comparisons are missed, the crossing moves along the curve of false matches:
    the rate changes by a mean of both, each with the slope of the other as its weight.

    Args:
        scores: labelled comparisons of both classes.
        confidence: level of the interval.
    Raises:
        DataError: one of the two classes is missing.
    Source: ISO/IEC 19795-1 for the rate; the implicit function theorem for its spread.
    """
    curve = sweep(scores)
    value, at = curve_measures.eer(curve), equal_error_point(curve)
    weight = _weight(curve, value)

    def rate(c: Counts) -> Any:
        return weight * c.fmr() + (1 - weight) * c.fnmr()

    spread = Spread(scores, matches(scores.score, curve.between(at)))
    found = overall(spread, rate, confidence)
    low, high = (limit + value - found.value for limit in (found.low, found.high))
    return replace(found, value=value, low=max(0.0, low), high=min(1.0, high), optimistic=None)


def _weight(curve: Sweep, value: float) -> float:
    """What the false match rate counts for: the slope of the other rate in that of both."""
    inside = np.flatnonzero((curve.fmr() <= SPAN * value) & (curve.fnmr() <= SPAN * value))
    if len(inside) < 2:
        return 0.5
    ends = inside[[0, -1]]
    fmr, fnmr = np.diff(curve.fmr()[ends]).item(), -np.diff(curve.fnmr()[ends]).item()
    return fnmr / (fmr + fnmr) if fmr + fnmr > 0 else 0.5
