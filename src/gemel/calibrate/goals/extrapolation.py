"""Where a threshold may lie beyond what data can prove: an estimate, never a certificate.

The highest impostor score of each identity is an extreme value, and the tail of extreme values has
one form whatever the scores are. It is fitted and followed past the data. What is found is for
planning; nothing decides by it.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from gemel.arrays import Float64
from gemel.calibrate.scores.scores import Scores

TAIL_SHARE = 0.25
MIN_EXCEEDANCES = 20
N_DRAWS = 200
METHOD = "estimate, not a certificate: generalised Pareto tail of the identities' highest impostors"


class TailEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """An extrapolated threshold.

    Attributes:
        fmr: that it is expected to have.
        threshold: the estimate.
        low: lower limit, by resampling identities; the form of the tail is taken for granted.
        high: upper limit.
        n_exceedances: identities that the tail was fitted to.
        method: how, in words.
    """

    fmr: float
    threshold: float
    low: float
    high: float
    n_exceedances: int
    method: str = METHOD


def extrapolated(scores: Scores, fmr: float, confidence: float = 0.95) -> TailEstimate | None:
    """The threshold that an FMR beyond the data may need; None within, or with too few identities.

    The highest of an identity's m impostor scores is at least t with a chance of
    1 - (1 - FMR(t))^m, so a small FMR asks for a less extreme quantile of the highest scores.

    Args:
        scores: labelled comparisons of both classes.
        fmr: in (0, 1), of a single comparison.
        confidence: of the interval.
    Source: Hosking and Wallis 1987 (probability-weighted moments); the idea: ISO/IEC 5152:2024.
    """
    highest, m = _highest_by_identity(scores)
    n_tail = int(TAIL_SHARE * len(highest))
    if n_tail < MIN_EXCEEDANCES:
        return None
    chance = -math.expm1(m * math.log1p(-fmr))
    if chance >= TAIL_SHARE:  # within the data
        return None
    rng = np.random.default_rng(0)
    draws = [
        _quantile(np.sort(rng.choice(highest, len(highest)))[-n_tail - 1 :], chance, len(highest))
        for _ in range(N_DRAWS)
    ]
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    at = _quantile(np.sort(highest)[-n_tail - 1 :], chance, len(highest))
    return TailEstimate(
        fmr=fmr,
        threshold=at,
        low=min(float(low), at),
        high=max(float(high), at),
        n_exceedances=n_tail,
    )


def _highest_by_identity(scores: Scores) -> tuple[Float64, float]:
    """Highest impostor score of each identity, and how many impostors it has on average."""
    highest = np.full(scores.n_units, -np.inf)
    for at in scores.blocks():
        impostor = ~scores.genuine[at]
        for side in scores.units(at):
            np.maximum.at(highest, side[impostor], scores.score[at][impostor])
    part = scores.impostor_by_identity > 0
    return highest[part], float(scores.impostor_by_identity[part].mean())


def _quantile(tail: Float64, chance: float, n: int) -> float:
    """The score that a highest score reaches with a small chance.

    Args:
        tail: the highest of n values, ascending; the first is where the tail begins.
        chance: in (0, 1).
        n: values in all.
    """
    begin, excess = tail[0], tail[1:] - tail[0]
    share = len(excess) / n
    rank = (np.arange(1, len(excess) + 1) - 0.35) / len(excess)
    mean, moment = float(excess.mean()), float(((1 - rank) * excess).mean())
    if not mean > 2 * moment > 0:  # constant
        return float(tail[-1])
    shape = 2 - mean / (mean - 2 * moment)
    scale = 2 * mean * moment / (mean - 2 * moment)
    ratio = share / chance
    if abs(shape) < 1e-9:
        return float(begin + scale * math.log(ratio))
    return float(begin + scale * math.expm1(shape * math.log(ratio)) / shape)
