"""Whether probabilities mean what they say, over all priors: data for curves, thinned out.

Measured on comparisons that nothing was fitted to. Costs are split into what the scores cannot
tell apart (the least possible) and what calibration loses on top. Nothing is drawn here.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from gemel.arrays import Bool, Float64
from gemel.calibrate.probability.detection_cost import (
    DetectionCost,
    Stakes,
    actual_cost,
    least_cost,
)
from gemel.calibrate.probability.fit import entropy, least_cross_entropy
from gemel.calibrate.probability.precision_recall import average_precision
from gemel.calibrate.probability.regression import binned
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import sweep
from gemel.decide.policy import Policy
from gemel.decide.ratio import Likelihood

PRIOR_ODDS = tuple(round(x, 1) for x in np.linspace(-6, 3, 46).tolist())
"""Base-10 logarithms of the odds of a genuine comparison that curves over priors are given at."""

N_BINS = 20
N_TIPPETT = 101
COMMON_PRIORS = (0.05, 0.01, 0.001)
"""Priors of the detection costs that others report, beside the policy's own."""


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Comparisons with about the same probability.

    Args:
        probability: mean of what was said, at the prior.
        share: what share of them is genuine, at the prior.
        n_genuine: comparisons in the bin.
        n_impostor: comparisons in the bin.
    """

    probability: float
    share: float
    n_genuine: int
    n_impostor: int


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """A detection cost (DCF), normalised and raw, with its prior and costs.

    Args:
        least: of the best threshold in hindsight (minDCF).
        actual: of the threshold that the probabilities lead to (actDCF).
    """

    least: DetectionCost
    actual: DetectionCost


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """How good and how well calibrated likelihood ratios are; plain JSON values.

    Args:
        prior: that of the policy; of bins and average_precision.
        average_precision: mean precision over recall at the prior.
        cllr: cost of the likelihood ratios, in bits.
        least_cllr: the same after the best rising transformation; the rest is calibration loss.
        costs: detection costs at the policy's prior, then at common ones, costs of errors equal.
        prior_odds: (p,) base-10 logarithms of prior odds.
        cross_entropy: (p,) cost of the probabilities at these, relative to always saying the
            prior (ECE curve): above 1 they mislead.
        least_cross_entropy: (p,) the same after the best rising transformation.
        bins: of the reliability diagram, rising.
        llr: (t,) rising, natural logarithms of ratios, for a Tippett plot.
        genuine_above: (t,) share of genuine comparisons with at least this ratio.
        impostor_above: (t,) share of impostor comparisons with at least this ratio.
        n_wide: comparisons whose Venn-Abers interval sends them to review; None without one.
    """

    prior: float
    average_precision: float
    cllr: float
    least_cllr: float
    costs: tuple[Cost, ...]
    prior_odds: tuple[float, ...]
    cross_entropy: tuple[float, ...]
    least_cross_entropy: tuple[float, ...]
    bins: tuple[Bin, ...]
    llr: tuple[float, ...]
    genuine_above: tuple[float, ...]
    impostor_above: tuple[float, ...]
    n_wide: int | None = None


class _Ratios:
    """Log-likelihood ratios of one class, rising, and how many comparisons have each."""

    def __init__(self, scores: Scores, chosen: Bool, likelihood: Likelihood) -> None:
        score, count = binned(scores, chosen)
        order = np.argsort(score)
        self.llr: Float64 = likelihood.llrs(score[order])
        self.count: Float64 = count[order]
        self.n = float(count.sum())

    def loss(self, logit: float, sign: int) -> float:
        """Mean of ln(1 + exp(sign * (llr + logit)))."""
        each = np.logaddexp(0, sign * (self.llr + logit))
        return float(self.count @ each) / self.n

    def above(self, llr: Float64) -> Float64:
        """Share with at least each of these ratios."""
        before = np.append(0, np.cumsum(self.count))
        share: Float64 = 1 - before[np.searchsorted(self.llr, llr)] / self.n
        return share


def reliability(scores: Scores, policy: Policy) -> Reliability | None:
    """What a policy's probabilities are worth on comparisons that nothing was fitted to.

    Args:
        scores: labelled comparisons of both classes.
        policy: its likelihood and prior.
    Returns:
        The curves; None if the policy has no likelihood.
    Raises:
        DataError: a class is missing.
    Source: ECE curve: Ramos and Gonzalez-Rodriguez 2013; Tippett plots: Meuwly 2001.
    """
    likelihood, prior = policy.likelihood, policy.prior
    if likelihood is None:
        return None
    curve = sweep(scores)
    genuine = _Ratios(scores, scores.genuine, likelihood)
    impostor = _Ratios(scores, ~scores.genuine, likelihood)
    priors = 1 / (1 + 10.0 ** -np.array(PRIOR_ODDS))
    least = least_cross_entropy(curve, np.append(priors, 0.5)).tolist()
    grid = _grid(genuine, impostor)
    stakes = [Stakes(prior=p) for p in dict.fromkeys((prior, *COMMON_PRIORS))]
    return Reliability(
        prior=prior,
        average_precision=average_precision(curve, prior),
        cllr=_cost(genuine, impostor, 0.5),
        least_cllr=least[-1],
        costs=tuple(
            Cost(least=least_cost(curve, s), actual=actual_cost(curve, likelihood, s))
            for s in stakes
        ),
        prior_odds=PRIOR_ODDS,
        cross_entropy=tuple(_cost(genuine, impostor, p) for p in priors.tolist()),
        least_cross_entropy=tuple(least[:-1]),
        bins=_bins(genuine, impostor, prior),
        llr=tuple(grid.tolist()),
        genuine_above=tuple(genuine.above(grid).tolist()),
        impostor_above=tuple(impostor.above(grid).tolist()),
        n_wide=_n_wide(scores, policy),
    )


def _cost(genuine: _Ratios, impostor: _Ratios, prior: float) -> float:
    """Empirical cross-entropy at a prior, relative to that of always saying it."""
    logit = math.log(prior / (1 - prior))
    cost = prior * genuine.loss(logit, -1) + (1 - prior) * impostor.loss(logit, 1)
    return cost / entropy(prior)


def _grid(genuine: _Ratios, impostor: _Ratios) -> Float64:
    low = min(genuine.llr[0], impostor.llr[0])
    return np.linspace(low, max(genuine.llr[-1], impostor.llr[-1]), N_TIPPETT)


def _bins(genuine: _Ratios, impostor: _Ratios, prior: float) -> tuple[Bin, ...]:
    """Bins of even width in the logarithm of the odds; empty ones are left out."""
    edges = _grid(genuine, impostor)[[0, -1]]
    edges = np.linspace(edges[0], edges[1], N_BINS + 1)
    logit = math.log(prior / (1 - prior))
    counts, said = [], []
    for side in (genuine, impostor):
        at = np.clip(np.searchsorted(edges, side.llr, side="right") - 1, 0, N_BINS - 1)
        probability = 1 / (1 + np.exp(-(side.llr + logit)))
        counts.append(np.bincount(at, side.count, N_BINS))
        said.append(np.bincount(at, side.count * probability, N_BINS))
    weight = (prior / genuine.n, (1 - prior) / impostor.n)
    mass = weight[0] * counts[0] + weight[1] * counts[1]
    return tuple(
        Bin(
            probability=float((weight[0] * said[0][i] + weight[1] * said[1][i]) / mass[i]),
            share=float(weight[0] * counts[0][i] / mass[i]),
            n_genuine=int(counts[0][i]),
            n_impostor=int(counts[1][i]),
        )
        for i in np.flatnonzero(mass)
    )


def _n_wide(scores: Scores, policy: Policy) -> int | None:
    """Comparisons that the width of their interval sends to review."""
    if policy.venn_abers is None or policy.review_width is None:
        return None
    return sum(int(np.count_nonzero(policy.is_wide(scores.score[at]))) for at in scores.blocks())
