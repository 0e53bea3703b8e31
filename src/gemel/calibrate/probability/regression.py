"""Logistic and beta likelihood ratios, by regression with the classes weighted to a prior.

The prior says which scores a curve has to get right: where strangers are many, the highest ones.
The curve's logit less that of the prior is the log-likelihood ratio, free of the artificial share
of genuine comparisons in the data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gemel.arrays import Bool, Float64
from gemel.calibrate.scores.scores import Scores
from gemel.decide.ratio import Beta, Logistic, bounds
from gemel.errors import DataError

N_BINS = 1 << 15
MAX_STEPS = 100
MARGIN = 0.01
"""Room that a beta curve leaves beyond the scores seen, as a share of their range."""


@dataclass(frozen=True)
class _Sample:
    """Scores in narrow bins with smoothed labels and weights: (b,) each."""

    score: Float64
    label: Float64
    weight: Float64


def fit_logistic(scores: Scores, prior: float) -> Logistic:
    """The logistic likelihood of the scores.

    Args:
        scores: labelled comparisons of both classes.
        prior: share of genuine comparisons where it will be used, in (0, 1).
    Raises:
        DataError: genuine comparisons do not score higher.
    Source: Platt 1999 with his smoothed labels, so that separable classes give a finite slope;
        classes weighted by a prior: Brümmer and du Preez 2006.
    """
    sample = _sample(scores, prior)
    mean = float(np.average(sample.score, weights=sample.weight))
    spread = float(sample.score.std()) or 1.0
    columns = np.column_stack([(sample.score - mean) / spread, np.ones_like(sample.score)])
    slope, intercept = _newton(columns, sample).tolist()
    slope /= spread
    if not slope > 0:
        raise no_rise()
    intercept -= slope * mean + math.log(prior / (1 - prior))
    return Logistic(slope, intercept, *bounds(scores.n_genuine, scores.n_impostor))


def fit_beta(scores: Scores, prior: float) -> Beta:
    """The beta likelihood of the scores.

    Args:
        scores: labelled comparisons of both classes.
        prior: share of genuine comparisons where it will be used, in (0, 1).
    Raises:
        DataError: genuine comparisons do not score higher.
    Source: Kull, Silva Filho and Flach 2017: a coefficient that would fall is left out.
    """
    sample = _sample(scores, prior)
    low, high = float(sample.score.min()), float(sample.score.max())
    if low == high:
        raise no_rise()
    start, end = low - MARGIN * (high - low), high + MARGIN * (high - low)
    x = (sample.score - start) / (end - start)
    columns = np.column_stack([np.log(x), -np.log1p(-x), np.ones_like(x)])
    used = np.ones(3, np.bool_)
    found = _newton(columns, sample)
    while (found[:2] < 0).any():
        used[:2] &= found[:2] > 0
        found = np.zeros(3)
        found[used] = _newton(columns[:, used], sample)
    a, b, c = found.tolist()
    if not a + b > 0:
        raise no_rise()
    c -= math.log(prior / (1 - prior))
    return Beta(a, b, c, start, end, *bounds(scores.n_genuine, scores.n_impostor))


def no_rise() -> DataError:
    """What is wrong with scores that say nothing, or the contrary."""
    return DataError(
        "genuine comparisons do not score higher than impostors",
        hint="look at the evaluation of the encoder; a score must be a similarity, not a distance",
    )


def _sample(scores: Scores, prior: float) -> _Sample:
    """The scores, binned, each class with its share of the weight."""
    genuine, n_of_genuine = binned(scores, scores.genuine)
    impostor, n_of_impostor = binned(scores, ~scores.genuine)
    n_genuine, n_impostor = scores.n_genuine, scores.n_impostor
    score = np.concatenate([genuine, impostor])
    weight = np.concatenate(
        [prior * n_of_genuine / n_genuine, (1 - prior) * n_of_impostor / n_impostor]
    )
    is_genuine = np.arange(len(score)) < len(genuine)
    label = np.where(is_genuine, (n_genuine + 1) / (n_genuine + 2), 1 / (n_impostor + 2))
    return _Sample(score, label, weight / min(prior, 1 - prior))


def binned(scores: Scores, chosen: Bool) -> tuple[Float64, Float64]:
    """Mean score and count of narrow bins, so that a fit does not depend on the number of scores.

    Returns:
        Two (b,) float64 vectors, b <= N_BINS; up to that many scores stay as they are.
    """
    score = scores.score[chosen]
    if len(score) <= N_BINS:
        return score.astype(np.float64), np.ones(len(score))
    low, high = float(score.min()), float(score.max())
    count = np.histogram(score, N_BINS, (low, high))[0].astype(np.float64)
    total = np.histogram(score, N_BINS, (low, high), weights=score)[0]
    some = count > 0
    return total[some] / count[some], count[some]


def _newton(columns: Float64, sample: _Sample) -> Float64:
    """Coefficients of least weighted cross-entropy; damped Newton steps."""
    n = columns.shape[1]
    at = np.zeros(n)
    loss = _cross_entropy(columns @ at, sample)
    for _ in range(MAX_STEPS):
        p = 1 / (1 + np.exp(-np.clip(columns @ at, -500, 500)))
        gradient = columns.T @ (sample.weight * (p - sample.label))
        curvature = (columns * (sample.weight * p * (1 - p))[:, None]).T @ columns
        damping = 1e-12 * (
            1 + float(np.trace(curvature))
        )  # two distinct scores do not tell a from b
        step = np.linalg.solve(curvature + damping * np.eye(n), gradient)
        size = 1.0
        while (new := _cross_entropy(columns @ (at - size * step), sample)) > loss:
            size /= 2
            if size < 1e-8:
                return at
        at = at - size * step
        if loss - new < 1e-14:
            break
        loss = new
    return at


def _cross_entropy(logit: Float64, sample: _Sample) -> float:
    """Weighted cross-entropy of labels in [0, 1]."""
    return float(sample.weight @ (np.logaddexp(0, logit) - sample.label * logit))
