"""The threshold that a goal asks for where nothing was measured, only estimated.

An estimate says how many pairs of either kind reach each score, as if they had been counted. A rate
is then reached in expectation; nothing is proven, and every interval is all there is.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from gemel.arrays import Float64
from gemel.calibrate.goals.choose import observed, review_band
from gemel.calibrate.goals.target import Target
from gemel.calibrate.probability.precision_recall import precision_at
from gemel.calibrate.rates.intervals import Estimate
from gemel.calibrate.rates.operating_point import OperatingPoint, accuracy_at, f1_at
from gemel.calibrate.scores.curve_measures import CurveSummary, auroc, eer, eer_hull
from gemel.calibrate.scores.sweep import Sweep
from gemel.decide.ratio import Likelihood
from gemel.errors import DataError

METHOD = "estimated without labels, not measured"
N_BINS = 60


class Expected(Protocol):
    """Pairs expected to reach each of some falling scores; see `release.run.Estimate`."""

    @property
    def threshold(self) -> tuple[float, ...]:
        """(m,) falling."""

    @property
    def right(self) -> tuple[float, ...]:
        """(m,) pairs that belong together among those that reach each."""

    @property
    def wrong(self) -> tuple[float, ...]:
        """(m,) pairs that do not."""


def sweep_of(expected: Expected) -> Sweep:
    """The pairs as if they had been counted."""
    return Sweep(
        np.array([np.inf, *expected.threshold], np.float32),
        np.array([0.0, *expected.wrong]),
        np.array([0.0, *expected.right]),
    )


def choose(curve: Sweep, target: Target, likelihood: Likelihood | None = None) -> OperatingPoint:
    """The operating point that a goal asks for, if the estimate is right.

    Args:
        curve: the pairs expected.
        target: the goal.
        likelihood: what a score says, for the review band; None: there is no band.
    Raises:
        DataError: no threshold is expected to reach it.
    """
    total = curve.n_genuine + curve.n_impostor
    prior = curve.n_genuine / total if target.prior is None else target.prior
    fmr, fnmr = curve.fmr(), curve.fnmr()
    if not target.is_proven:
        return at_threshold(curve, observed(curve, target, prior), target, likelihood)
    value = target.value or 0.0
    if (limit := target.limit("fnmr")) is not None:
        enough = np.flatnonzero(fnmr <= limit)[:1]
    elif (limit := target.limit("fmr")) is not None:
        enough = 1 + np.flatnonzero(fmr[1:] <= limit)[-1:]
    else:
        enough = 1 + np.flatnonzero(precision_at(fmr, fnmr, prior)[1:] >= value)[-1:]
    if not enough.size:
        raise DataError(
            f"no threshold is expected to reach {target.goal.formula(value, 3)}",
            where="calibrate.value",
            hint="ask for less, or say which records belong together",
        )
    return at_threshold(curve, curve.between(int(enough[0])), target, likelihood)


def at_threshold(
    curve: Sweep, threshold: float, target: Target, likelihood: Likelihood | None = None
) -> OperatingPoint:
    """What is expected at a threshold; arguments as of `choose`."""
    n_genuine, n_impostor, at = curve.n_genuine, curve.n_impostor, curve.point(threshold)
    prior = n_genuine / (n_genuine + n_impostor) if target.prior is None else target.prior
    fmr, fnmr = float(curve.fmr()[at]), float(curve.fnmr()[at])
    precision = precision_at(np.array([fmr]), np.array([fnmr]), prior)
    band = None
    if likelihood is not None:
        ends = float(curve.threshold[-1]), curve.between(0)
        band = review_band(ends, threshold, target, prior, likelihood)
    low, high = band or (threshold, threshold)
    above, below = curve.point(high), curve.point(low)
    asked = (count[below] - count[above] for count in (curve.n_true_match, curve.n_false_match))
    return OperatingPoint(
        threshold=threshold,
        review_low=low,
        review_high=high,
        target=target.kind,
        certified=False,
        method=METHOD,
        confidence=target.confidence,
        prior=prior,
        prior_source="estimated" if target.prior is None else "stated",
        n_identities=0,
        n_genuine=round(n_genuine),
        n_impostor=round(n_impostor),
        n_false_match=round(float(curve.n_false_match[at])),
        n_false_non_match=round(n_genuine - float(curve.n_true_match[at])),
        n_review=round(float(sum(asked))),
        fmr=_told(fmr),
        fnmr=_told(fnmr),
        precision=_told(float(precision[0])),
        recall=_told(1 - fnmr),
        f1=_told(float(f1_at(fmr, fnmr, prior))),
        accuracy=_told(float(accuracy_at(fmr, fnmr, prior))),
    )


def _told(value: float) -> Estimate:
    """A rate of which nothing is known for sure."""
    return Estimate(value=value, low=0.0, high=1.0, n_effective=0.0, method=METHOD)


def summary(curve: Sweep) -> CurveSummary:
    """The curves that are expected."""
    threshold = curve.threshold[1:].astype(np.float64)
    edges = np.linspace(threshold[-1], max(threshold[0], threshold[-1] + 1e-6), N_BINS + 1)

    def density(count: Float64) -> tuple[float, ...]:
        above = np.interp(edges, threshold[::-1], count[1:][::-1])
        found = -np.diff(above) / (max(above[0], 1e-12) * (edges[1] - edges[0]))
        return tuple(np.maximum(found, 0.0).tolist())

    return CurveSummary(
        n_genuine=round(curve.n_genuine),
        n_impostor=round(curve.n_impostor),
        eer=eer(curve),
        eer_hull=eer_hull(curve),
        auroc=auroc(curve),
        threshold=tuple(threshold.tolist()),
        fmr=tuple(curve.fmr()[1:].tolist()),
        fnmr=tuple(curve.fnmr()[1:].tolist()),
        bin_edge=tuple(edges.tolist()),
        genuine_density=density(curve.n_true_match),
        impostor_density=density(curve.n_false_match),
    )
