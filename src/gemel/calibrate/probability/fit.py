"""From a score to a likelihood ratio and, at a prior, to the probability of a match.

Here the shape is chosen (see ratio.py) and judged: few genuine comparisons carry a logistic curve
only; with more, the shape wins that does best on identities it was not fitted to. No threshold is
known here.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Callable
from typing import Literal

import numpy as np

from gemel.arrays import Bool, Float32, Float64
from gemel.calibrate.probability.regression import fit_beta, fit_logistic, no_rise
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import Sweep, hull_blocks, sweep
from gemel.decide.ratio import Beta, Likelihood, Logistic, Pav
from gemel.errors import DataError
from gemel.settings import RatioShape

__all__ = ["Beta", "Likelihood", "Logistic", "Pav", "cllr", "cross_entropy", "fit", "least_cllr"]

Kind = Literal["auto"] | RatioShape

MIN_GENUINE = 200
"""Genuine comparisons below which only the logistic shape is fitted."""

N_FOLDS = 4
MAX_COMPARED = 4_000_000
"""Impostor comparisons that shapes are chosen on, at most; above it, a random part."""

MAX_KNOTS = 256


def fit(scores: Scores, prior: float = 0.5, kind: Kind = "auto") -> Likelihood:
    """The likelihood ratio of the scores.

    Args:
        scores: labelled comparisons of both classes, of identities that trained nothing.
        prior: share of genuine comparisons where it will be used, in (0, 1).
        kind: the shape. `auto`: logistic below 200 genuine comparisons, else the shape with the
            least cross-entropy at the prior over identity-disjoint folds.
    Raises:
        DataError: a class is missing, or genuine comparisons do not score higher.
    """
    scores.require_both()
    if kind == "auto":
        kind = _best_kind(scores, prior) if scores.n_genuine >= MIN_GENUINE else "logistic"
    return _FITS[kind](scores, prior)


def fit_pav(scores: Scores, prior: float = 0.5) -> Pav:
    """The likelihood by pool adjacent violators, with one comparison of each class added.

    The added impostor scores highest and the added genuine comparison least, so that the ratio of
    no block is infinite. Each block becomes a knot at the median of its scores, both classes
    weighing the same.

    Args:
        scores: labelled comparisons of both classes.
        prior: changes nothing: the shape is right at every prior alike.
    Raises:
        DataError: genuine comparisons do not score higher.
    Source: Brümmer and du Preez 2006; rule of succession as in the Bosaris toolkit.
    """
    return pav_of(sweep(scores))


def pav_of(curve: Sweep) -> Pav:
    """The same of comparisons that were swept; they may have weights.

    Raises:
        DataError: genuine comparisons do not score higher.
    """
    ends, true, false = hull_blocks(curve, added=1)
    if len(true) < 2:
        raise no_rise()
    kept = np.unique(np.linspace(0, len(true), min(len(true), MAX_KNOTS) + 1).astype(int))[:-1]
    true, false = np.add.reduceat(true, kept), np.add.reduceat(false, kept)
    ends = ends[np.append(kept, len(ends) - 1)]
    value = np.log(true / false) - math.log((curve.n_genuine + 1) / (curve.n_impostor + 1))
    rising = np.maximum.accumulate(value[::-1])  # equal ratios of weights may be rounded apart
    if rising[0] == rising[-1]:
        raise no_rise()
    knot = [_middle(curve, int(a), int(b)) for a, b in itertools.pairwise(ends)]
    return Pav(tuple(knot[::-1]), tuple(rising.tolist()))


def _middle(curve: Sweep, before: int, last: int) -> float:
    """Class-balanced median of the scores between two operating points."""

    def mass(point: int) -> float:
        true = int(curve.n_true_match[point]) / curve.n_genuine
        return true + int(curve.n_false_match[point]) / curve.n_impostor

    half = (mass(before) + mass(last)) / 2
    at = bisect_left(range(before + 1, last), half, key=mass)
    return float(curve.threshold[before + 1 + at])


_FITS: dict[RatioShape, Callable[[Scores, float], Likelihood]] = {
    "logistic": fit_logistic,
    "beta": fit_beta,
    "pav": fit_pav,
}


def _best_kind(scores: Scores, prior: float) -> RatioShape:
    """The shape with the least cross-entropy at the prior on identities it was not fitted to."""
    rng = np.random.default_rng(0)
    fold = rng.integers(0, N_FOLDS, scores.n_codes, dtype=np.int8)
    left, right = fold[scores.left], fold[scores.right]
    if scores.n_impostor > MAX_COMPARED:
        kept = rng.random(len(scores), dtype=np.float32) < MAX_COMPARED / scores.n_impostor
        left[~(kept | scores.genuine)] = -1
    loss: dict[RatioShape, float] = dict.fromkeys(_FITS, 0.0)
    for f in range(N_FOLDS):
        inside = (left == f) & (right == f)
        outside = (left != f) & (right != f) & (left >= 0)
        train, held_out = _part(scores, outside), _part(scores, inside)
        if not (
            train.n_genuine and train.n_impostor and held_out.n_genuine and held_out.n_impostor
        ):
            continue
        for kind, fitted in _FITS.items():
            try:
                loss[kind] += cross_entropy(held_out, fitted(train, prior), prior)
            except DataError:
                loss[kind] = math.inf
    return min(loss, key=lambda kind: loss[kind])


def _part(scores: Scores, chosen: Bool) -> Scores:
    """Some of the comparisons."""
    at = np.flatnonzero(chosen)
    return Scores(scores.score[at], scores.genuine[at], scores.left[at], scores.right[at])


def cross_entropy(scores: Scores, likelihood: Likelihood, prior: float) -> float:
    """Cost of the probabilities at a prior, relative to always saying the prior itself.

    Args:
        scores: labelled comparisons of both classes.
        likelihood: what turns a score into a log-likelihood ratio.
        prior: share of genuine comparisons, in (0, 1).
    Returns:
        0 perfect, 1 no better than the prior; above 1 misleading.
    Source: Ramos and Gonzalez-Rodriguez 2013, Reliable support: empirical cross-entropy.
    """
    logit = math.log(prior / (1 - prior))
    miss = _mean_loss(scores.score[scores.genuine], likelihood, logit, -1)
    false = _mean_loss(scores.score[~scores.genuine], likelihood, logit, 1)
    return (prior * miss + (1 - prior) * false) / entropy(prior)


def _mean_loss(score: Float32, likelihood: Likelihood, logit: float, sign: int) -> float:
    """Mean of ln(1 + exp(sign * (llr + logit))), a block at a time."""
    total = 0.0
    for start in range(0, len(score), 1 << 20):
        posterior: Float64 = likelihood.llrs(score[start : start + (1 << 20)]) + logit
        total += float(np.logaddexp(0, sign * posterior).sum())
    return total / len(score)


def cllr(scores: Scores, likelihood: Likelihood) -> float:
    """Cost of the log-likelihood ratios in bits: 0 perfect, 1 no better than always saying 0.

    Args:
        scores: labelled comparisons of both classes.
        likelihood: what turns a score into a log-likelihood ratio.
    Source: Brümmer and du Preez 2006, Application-independent evaluation of speaker detection.
    """
    return cross_entropy(scores, likelihood, 0.5)


def least_cllr(curve: Sweep) -> float:
    """Cllr after the best rising transformation of the scores (pool adjacent violators).

    The difference of `cllr` to it is the calibration loss.

    Source: Brümmer and du Preez 2006.
    """
    return float(least_cross_entropy(curve, np.array([0.5]))[0])


def least_cross_entropy(curve: Sweep, priors: Float64) -> Float64:
    """`cross_entropy` at (p,) priors after the best rising transformation of the scores."""
    _, true, false = hull_blocks(curve)
    with np.errstate(divide="ignore"):
        llr = np.log(true) - np.log(false) - math.log(curve.n_genuine / curve.n_impostor)
    out = np.empty(len(priors))
    for i, prior in enumerate(priors.tolist()):
        logit = math.log(prior / (1 - prior))
        miss = true[true > 0] @ np.logaddexp(0, -llr[true > 0] - logit) / curve.n_genuine
        wrong = false[false > 0] @ np.logaddexp(0, llr[false > 0] + logit) / curve.n_impostor
        out[i] = (prior * miss + (1 - prior) * wrong) / entropy(prior)
    return out


def entropy(prior: float) -> float:
    """Cost of always saying the prior, in natural units."""
    return -prior * math.log(prior) - (1 - prior) * math.log1p(-prior)
