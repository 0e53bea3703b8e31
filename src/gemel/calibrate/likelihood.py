"""From a score to a likelihood ratio and, at a prior, to the probability of a match.

A logistic curve with the classes weighted by a prior: its logit less that of the prior is the
log-likelihood ratio, free of the artificial share of genuine comparisons in the data. The prior it
is fitted at says which scores it has to get right: where strangers are many, the highest ones. No
threshold is known here.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from gemel.arrays import Float64
from gemel.calibrate.curves import Sweep
from gemel.calibrate.scores import Scores
from gemel.errors import DataError

N_BINS = 1 << 15
MAX_STEPS = 100


class Likelihood(msgspec.Struct, frozen=True):
    """Natural log-likelihood ratio as a rising line of the score.

    Args:
        slope: > 0.
        intercept: log-likelihood ratio of score 0.
    """

    slope: float
    intercept: float

    def llr(self, score: float) -> float:
        """Log-likelihood ratio: ln of p(score | genuine) / p(score | impostor)."""
        return self.slope * score + self.intercept

    def probability(self, score: float, prior: float) -> float:
        """Probability of a match at a prior in (0, 1)."""
        logit = self.slope * score + self.intercept + math.log(prior / (1.0 - prior))
        if logit >= 0.0:
            return 1.0 / (1.0 + math.exp(-logit))
        odds = math.exp(logit)
        return odds / (1.0 + odds)

    def score_at(self, probability: float, prior: float) -> float:
        """The score that has a probability of a match, in (0, 1), at a prior."""
        odds = probability / (1 - probability) * (1 - prior) / prior
        return (math.log(odds) - self.intercept) / self.slope


def fit(scores: Scores, prior: float = 0.5) -> Likelihood:
    """The logistic likelihood of the scores.

    Args:
        scores: labelled comparisons of both classes, of identities that trained nothing.
        prior: share of genuine comparisons where it will be used, in (0, 1).
    Raises:
        DataError: a class is missing, or genuine comparisons do not score higher.
    Source: Platt 1999 with his smoothed labels, so that separable classes give a finite slope;
        classes weighted by a prior: Brümmer and du Preez 2006.
    """
    scores.require_both()
    genuine = _binned(scores.score[scores.genuine])
    impostor = _binned(scores.score[~scores.genuine])
    x = np.concatenate([genuine[0], impostor[0]])
    is_genuine = np.arange(len(x)) < len(genuine[0])
    n_genuine, n_impostor = scores.n_genuine, scores.n_impostor
    weight = np.concatenate(
        [prior * genuine[1] / n_genuine, (1 - prior) * impostor[1] / n_impostor]
    )
    label = np.where(is_genuine, (n_genuine + 1) / (n_genuine + 2), 1 / (n_impostor + 2))
    mean, spread = float(np.average(x, weights=weight)), float(x.std()) or 1.0
    slope, intercept = _newton((x - mean) / spread, label, weight / min(prior, 1 - prior))
    slope /= spread
    if not slope > 0:
        raise DataError(
            "genuine comparisons do not score higher than impostors",
            hint="look at the evaluation of the encoder; a score must be a similarity, "
            "not a distance",
        )
    return Likelihood(slope, intercept - slope * mean - math.log(prior / (1 - prior)))


def _binned(score: np.ndarray) -> tuple[Float64, Float64]:
    """Mean score and count of narrow bins, so that a fit does not depend on the number of scores.

    Returns:
        Two (b,) float64 vectors, b <= N_BINS; up to that many scores stay as they are.
    """
    if len(score) <= N_BINS:
        return score.astype(np.float64), np.ones(len(score))
    low, high = float(score.min()), float(score.max())
    count = np.histogram(score, N_BINS, (low, high))[0].astype(np.float64)
    total = np.histogram(score, N_BINS, (low, high), weights=score)[0]
    some = count > 0
    return total[some] / count[some], count[some]


def _newton(x: Float64, label: Float64, weight: Float64) -> tuple[float, float]:
    """Slope and intercept of least weighted cross-entropy; damped Newton steps."""
    at = np.zeros(2)
    columns = np.column_stack([x, np.ones_like(x)])
    loss = _cross_entropy(columns @ at, label, weight)
    for _ in range(MAX_STEPS):
        p = 1 / (1 + np.exp(-np.clip(columns @ at, -500, 500)))
        gradient = columns.T @ (weight * (p - label))
        curvature = (columns * (weight * p * (1 - p))[:, None]).T @ columns
        step = np.linalg.solve(curvature + 1e-12 * np.eye(2), gradient)
        size = 1.0
        while (new := _cross_entropy(columns @ (at - size * step), label, weight)) > loss:
            size /= 2
            if size < 1e-8:
                return float(at[0]), float(at[1])
        at = at - size * step
        if loss - new < 1e-14:
            break
        loss = new
    return float(at[0]), float(at[1])


def _cross_entropy(logit: Float64, label: Float64, weight: Float64) -> float:
    """Weighted cross-entropy of labels in [0, 1]."""
    return float(weight @ (np.logaddexp(0, logit) - label * logit))


def cllr(scores: Scores, likelihood: Likelihood) -> float:
    """Cost of the log-likelihood ratios in bits: 0 perfect, 1 no better than always saying 0.

    Args:
        scores: labelled comparisons of both classes.
        likelihood: what turns a score into a log-likelihood ratio.
    Source: Brümmer and du Preez 2006, Application-independent evaluation of speaker detection.
    """
    genuine = likelihood.slope * scores.score[scores.genuine].astype(np.float64)
    impostor = likelihood.slope * scores.score[~scores.genuine].astype(np.float64)
    miss = np.logaddexp(0, -(genuine + likelihood.intercept)).mean()
    false = np.logaddexp(0, impostor + likelihood.intercept).mean()
    return float(miss + false) / (2 * math.log(2))


def least_cllr(curve: Sweep) -> float:
    """Cllr after the best rising transformation of the scores (pool adjacent violators).

    The difference of `cllr` to it is the calibration loss.

    Source: Brümmer and du Preez 2006.
    """
    from scipy.optimize import isotonic_regression

    true, false = np.diff(curve.n_true_match), np.diff(curve.n_false_match)
    weight = (true + false).astype(np.float64)
    share = isotonic_regression(true / weight, weights=weight, increasing=False).x
    with np.errstate(divide="ignore"):
        llr = np.log(share) - np.log1p(-share) - math.log(curve.n_genuine / curve.n_impostor)
    some_true, some_false = true > 0, false > 0
    miss = np.average(np.logaddexp(0, -llr[some_true]), weights=true[some_true])
    wrong = np.average(np.logaddexp(0, llr[some_false]), weights=false[some_false])
    return float(miss + wrong) / (2 * math.log(2))
