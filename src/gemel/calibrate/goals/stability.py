"""How far a threshold itself can be trusted, and what choosing it on other data cost.

Identities are resampled and the threshold is chosen again each time: the interval says how far it
would move with other identities of the same kind. Only the comparisons near the threshold are
swept again; the others change no choice.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gemel.arrays import Int64
from gemel.calibrate.goals.choose import observed
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import Sweep, sweep, turning_points, weighted_sweep

N_DRAWS = 100
NEAR = 50_000
MAX_GENUINE = 200_000
"""Above it every second, third, ... genuine comparison by score stands for its neighbours."""
METHOD = f"{N_DRAWS} resamplings of the identities"


class Stability(msgspec.Struct, frozen=True, kw_only=True):
    """The threshold as an estimate.

    Attributes:
        low: lower limit of the threshold.
        high: upper limit.
        confidence: of the interval.
        regret: how much lower the risk on eval would be with the threshold that is best there;
            None for goals that minimise no risk.
        method: how the limits were found, in words.
    """

    low: float
    high: float
    confidence: float
    regret: float | None = None
    method: str = METHOD


def stability(
    dev: Scores, eval: Scores, target: Target, chosen: OperatingPoint, *, seed: int = 0
) -> Stability:
    """The interval of a chosen threshold, and its regret on eval.

    Args:
        dev: where it was chosen.
        eval: other identities.
        target: its goal; of a proven rate, the interval is that of the threshold with the same
            observed rate.
        chosen: the operating point on dev.
        seed: of the resampling.
    Source: Owen 2007, The pigeonhole bootstrap: a comparison of identities i and j counts
        weight i times weight j.
    """
    step = -(-dev.n_genuine // MAX_GENUINE)
    at = near(dev, chosen.n_false_match, step)
    rng = np.random.default_rng(seed)
    part = np.flatnonzero(dev.genuine_by_identity + dev.impostor_by_identity)
    draws = []
    for _ in range(N_DRAWS):
        weight = np.zeros(dev.n_units, np.int64)
        weight[part] = rng.multinomial(len(part), np.full(len(part), 1 / len(part)))
        curve = resampled(dev, at, weight, step)
        if curve is not None:
            draws.append(_threshold(curve, target, chosen))
    edges = [(1 - chosen.confidence) / 2, (1 + chosen.confidence) / 2]
    low, high = np.quantile(draws, edges) if draws else (chosen.threshold, chosen.threshold)
    return Stability(
        low=min(float(low), chosen.threshold),
        high=max(float(high), chosen.threshold),
        confidence=chosen.confidence,
        regret=_regret(eval, target, chosen),
    )


def near(scores: Scores, n_false_match: int, step: int) -> Int64:
    """Positions of every step-th genuine comparison and the highest impostors, by falling score.

    Args:
        scores: labelled comparisons of both classes.
        n_false_match: at the threshold of interest; three times as many impostors are kept.
        step: see `MAX_GENUINE`.
    """
    n = min(max(NEAR, 3 * n_false_match), scores.n_impostor)
    impostor = scores.score[~scores.genuine]
    cut = np.partition(impostor, len(impostor) - n)[len(impostor) - n]
    genuine = np.flatnonzero(scores.genuine)
    genuine = genuine[np.argsort(scores.score[genuine], kind="stable")][step // 2 :: step]
    at = np.concatenate([genuine, np.flatnonzero(~scores.genuine & (scores.score >= cut))])
    return at[np.argsort(-scores.score[at], kind="stable")].astype(np.int64)


def resampled(scores: Scores, at: Int64, weight: Int64, step: int) -> Sweep | None:
    """The sweep if unit i stood in the data `weight[i]` times; None if a class is gone.

    Args:
        scores: labelled comparisons of both classes.
        at: positions of those that matter, as `near` gives them.
        weight: (n_units,) int64.
        step: as for `near`.
    """
    genuine, (left, right) = scores.genuine[at], scores.units(at)
    both = np.where(left == right, weight[left], weight[left] * weight[right])
    drawn = np.flatnonzero(both)
    if not drawn.size:
        return None
    genuine, both, value = genuine[drawn], both[drawn], scores.score[at][drawn]
    curve = weighted_sweep(value, step * np.where(genuine, both, 0), np.where(genuine, 0, both))
    share = float(weight @ scores.impostor_by_identity) / float(scores.impostor_by_identity.sum())
    n_impostor = max(int(scores.n_impostor * share**2), curve.n_impostor)
    if not curve.n_genuine or not n_impostor:
        return None
    lowest = np.nextafter(value[-1], np.float32(-np.inf))
    return Sweep(
        np.append(curve.threshold, lowest),
        np.append(curve.n_false_match, n_impostor),
        np.append(curve.n_true_match, curve.n_genuine),
    )


def _threshold(curve: Sweep, target: Target, chosen: OperatingPoint) -> float:
    if not target.is_proven:
        return observed(curve, target, chosen.prior)
    if target.limit("fnmr") is not None:
        point = int(np.argmax(curve.fnmr() <= chosen.fnmr.value))
    else:
        point = int(np.searchsorted(curve.fmr(), chosen.fmr.value, side="right")) - 1
    return curve.between(max(point, 0))


def _regret(eval: Scores, target: Target, chosen: OperatingPoint) -> float | None:
    if target.goal.risk is None:
        return None
    curve = sweep(eval)
    prior = eval.prior if target.prior is None else target.prior
    here = int(np.searchsorted(-curve.threshold, -np.float64(chosen.threshold), side="right")) - 1
    points = np.append(turning_points(curve), here)
    fmr = curve.n_false_match[points] / curve.n_impostor
    on_eval = target.risk(fmr, 1 - curve.n_true_match[points] / curve.n_genuine, prior)
    return float(on_eval[-1] - on_eval.min())
