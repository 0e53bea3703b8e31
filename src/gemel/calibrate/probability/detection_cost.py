"""What errors cost at a stated prior: the detection cost function, its least and its actual value.

A cost without its prior and its costs means nothing, so both travel with every value. The least
cost is that of the best threshold in hindsight; the actual one is that of the threshold which
calibrated scores lead to. Their difference is what a wrong calibration costs.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from gemel.calibrate.rates.operating_point import check_prior
from gemel.calibrate.scores.sweep import Sweep, corners
from gemel.decide.ratio import Likelihood
from gemel.errors import ConfigError


class Stakes(msgspec.Struct, frozen=True, kw_only=True):
    """How rare genuine comparisons are, and what each kind of error costs.

    Args:
        prior: share of genuine comparisons in use, in (0, 1).
        false_match_cost: of accepting an impostor comparison, > 0.
        false_non_match_cost: of missing a genuine one, > 0.
    Raises:
        ConfigError: a value is out of range.
    """

    prior: float
    false_match_cost: float = 1.0
    false_non_match_cost: float = 1.0

    def __post_init__(self) -> None:
        check_prior(self.prior)
        for name in ("false_match_cost", "false_non_match_cost"):
            cost = getattr(self, name)
            if not (cost > 0 and math.isfinite(cost)):
                raise ConfigError(f"{name} is {cost}, must be > 0", where=name)

    @property
    def always(self) -> float:
        """Cost of the better of two blind answers: always a match, or never."""
        miss = self.false_non_match_cost * self.prior
        return min(miss, self.false_match_cost * (1 - self.prior))


class DetectionCost(msgspec.Struct, frozen=True, kw_only=True):
    """Expected cost of a comparison at a threshold; plain JSON values.

    Args:
        stakes: prior and costs it holds for.
        threshold: a comparison matches if its score is at least this; None matches nothing.
        fmr: false match rate there.
        fnmr: false non-match rate there.
        raw: c_fnm * prior * FNMR + c_fm * (1 - prior) * FMR.
        normalised: raw over the cost of the better blind answer; 1 is no better than blind.
    """

    stakes: Stakes
    threshold: float | None
    fmr: float
    fnmr: float
    raw: float
    normalised: float


def least_cost(curve: Sweep, stakes: Stakes) -> DetectionCost:
    """The cost of the best threshold in hindsight (minDCF).

    Source: NIST Speaker Recognition Evaluation plans; Martin and Przybocki 2000.
    """
    points = corners(curve)
    fmr = curve.n_false_match[points] / curve.n_impostor
    fnmr = 1 - curve.n_true_match[points] / curve.n_genuine
    miss = stakes.false_non_match_cost * stakes.prior
    cost = miss * fnmr + stakes.false_match_cost * (1 - stakes.prior) * fmr
    return _at_point(curve, int(points[np.argmin(cost)]), stakes)


def cost_at(curve: Sweep, threshold: float, stakes: Stakes) -> DetectionCost:
    """The cost of a given threshold."""
    return _at_point(curve, curve.point(threshold), stakes)


def actual_cost(curve: Sweep, likelihood: Likelihood, stakes: Stakes) -> DetectionCost:
    """The cost of the threshold that calibrated scores lead to (actDCF).

    Args:
        curve: of comparisons on which the likelihood was not fitted.
        likelihood: what turns a score into a log-likelihood ratio.
        stakes: prior and costs; they fix the ratio from which on a match costs less.
    Source: Brümmer and du Preez 2006.
    """
    wrong, miss = stakes.false_match_cost, stakes.false_non_match_cost
    return cost_at(curve, likelihood.score_at(wrong / (wrong + miss), stakes.prior), stakes)


def _at_point(curve: Sweep, point: int, stakes: Stakes) -> DetectionCost:
    fmr = int(curve.n_false_match[point]) / curve.n_impostor
    fnmr = 1 - int(curve.n_true_match[point]) / curve.n_genuine
    raw = stakes.false_non_match_cost * stakes.prior * fnmr
    raw += stakes.false_match_cost * (1 - stakes.prior) * fmr
    return DetectionCost(
        stakes=stakes,
        threshold=float(curve.threshold[point]) if point else None,
        fmr=fmr,
        fnmr=fnmr,
        raw=raw,
        normalised=raw / stakes.always,
    )
