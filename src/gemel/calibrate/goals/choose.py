"""Which threshold: a stated goal in, an operating point with its evidence out.

Thresholds are chosen on dev and measured again on eval with `operating.measure`. A rate that is
asked for is a promise, proven or refused; the other goals optimise what was observed and promise
nothing. The decision itself is `policy`'s.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float64
from gemel.calibrate.goals.certificates import (
    Certificate,
    fmr_threshold,
    fmr_thresholds,
    fnmr_threshold,
    smallest_fmr,
)
from gemel.calibrate.goals.certified_precision import precision_threshold
from gemel.calibrate.goals.gallery_sizes import fpir_threshold
from gemel.calibrate.goals.refusal import Refusal, n_joined, refused
from gemel.calibrate.goals.target import GOALS, Target
from gemel.calibrate.probability.fit import fit
from gemel.calibrate.rates.operating_point import OperatingPoint, measure
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import Sweep, between, equal_error_point, sweep, turning_points
from gemel.decide.bands import matches
from gemel.decide.ratio import Likelihood
from gemel.figures import rounded_up

NEAR_FLAT = 0.1
"""Operating points whose risk is this little (relatively) above the least count as equally good.

In simulated linkage worlds with 30 to 100 genuine comparisons this gained 0 to 0.004 F1 on eval
over the observed optimum, and lost nothing.
"""

HALF = 0.5
"""Share of the genuine comparisons that is worth naming, besides any."""


def choose(
    scores: Scores,
    target: Target,
    likelihood: Likelihood | None = None,
    curve: Sweep | None = None,
) -> OperatingPoint:
    """The operating point that reaches a goal, measured on the same comparisons.

    Args:
        scores: labelled comparisons of both classes (of dev).
        target: the goal.
        likelihood: calibrated score, for the review band; fitted to the scores if None.
        curve: their sweep, where several goals share it; made if None and needed.
    Raises:
        TargetRefused: the data cannot prove the goal, or an FMR only where nothing matches; says
            how many identities and comparisons are missing, and what they could prove.
        DataError: a class is missing.
        ConfigError: an FPIR without the size of the gallery.
    Source: cost: Elkan 2001; review band: Chow 1970; proofs: see certify.py.
    """
    scores.require_both()
    prior = scores.prior if target.prior is None else target.prior
    method = f"{target.kind} on the exact sweep"
    if target.is_proven:
        proof, method = _proof(scores, target, prior)
        threshold = proof.threshold
        _require_found(scores, target, threshold)
    else:
        threshold = observed(curve or sweep(scores), target, prior)
    band = None
    if target.review_cost is not None:
        ends = float(scores.score.min()), between(scores.score.max(), np.float32(np.inf))
        band = review_band(ends, threshold, target, prior, likelihood or fit(scores, prior))
    point = measure(
        scores,
        threshold,
        prior=target.prior,
        confidence=target.confidence,
        review=band,
    )
    return msgspec.structs.replace(
        point,
        target=target.kind,
        certified=target.is_proven,
        method=f"{method}; {point.method}",
    )


def observed(curve: Sweep, target: Target, prior: float) -> float:
    """The threshold that an observed goal, one that proves nothing, chooses on a sweep."""
    if target.goal.risk is None:
        return _equal_error_threshold(curve)
    return _least_risk_threshold(curve, target, prior)


def is_nearly_best(curve: Sweep, target: Target, prior: float, threshold: float) -> bool:
    """Whether a threshold has nearly the least risk of a goal on a sweep, if it has a risk."""
    if target.goal.risk is None:
        return False
    seen = _risks(curve, target, prior, np.append(turning_points(curve), curve.point(threshold)))
    return bool(seen[-1] <= seen.min() * (1 + NEAR_FLAT))


def _proof(scores: Scores, target: Target, prior: float) -> tuple[Certificate, str]:
    """The certificate of a proven goal, and what it says in words."""
    goal, value, confidence = target.goal, target.value or 0.0, target.confidence
    fmr, fnmr = target.limit("fmr"), target.limit("fnmr")
    if fmr is not None:
        proof, of = fmr_threshold(scores, fmr, confidence), "comparisons"
    elif fnmr is not None:
        proof, of = fnmr_threshold(scores, fnmr, confidence), "genuine comparisons"
    elif goal.proof == "precision":
        proof, of = precision_threshold(scores, value, confidence, prior), "matches"
    else:
        proof, of = fpir_threshold(scores, target), "comparisons"
        said = f"{goal.formula(value, 3)}, since {GOALS['fmr'].formula(proof.bound, 3)}"
        return proof, f"{said} proven on {proof.n_effective:,.0f} effective {of}"
    bound = proof.bound if fnmr is None or goal.falls else 1 - proof.bound
    said = goal.formula(bound, 3 if goal.falls else 4)
    return proof, f"{said} proven on {proof.n_effective:,.0f} effective {of}"


def _require_found(scores: Scores, target: Target, threshold: float) -> None:
    """Raise if a false match rate is proven only above all genuine comparisons.

    Args:
        scores: labelled comparisons of both classes (of dev).
        target: the goal.
        threshold: that proves it.
    Raises:
        TargetRefused: nothing is found; names the smallest rate that is proven where anything is,
            and where half of it is.
    """
    limit, genuine = target.limit("fmr"), scores.score[scores.genuine]
    if limit is None or matches(genuine, threshold).any():
        return
    impostor, smallest = ~scores.genuine, smallest_fmr(scores, target.confidence)
    raise refused(
        Refusal(
            kind="fmr",
            value=limit,
            confidence=target.confidence,
            n_identities=int(np.count_nonzero(scores.by_identity(impostor))),
            n_comparisons=scores.n_impostor,
            missing_identities=0,
            missing_comparisons=0,
            reach=smallest,
            smallest_fmr=smallest,
            n_units=n_joined(scores, scores.impostor_by_identity),
            share=scores.share,
            finds_nothing=True,
            useful=_useful(scores, limit, target.confidence),
        )
    )


def _useful(scores: Scores, limit: float, confidence: float) -> tuple[tuple[float, float], ...]:
    """Rates of two digits above a limit, with what is found where they are proven."""
    genuine = scores.score[scores.genuine]

    @cache
    def share(rate: float) -> float:
        (proof,) = fmr_thresholds(scores, [rate], confidence)
        return 0.0 if proof is None else float(matches(genuine, proof.threshold).mean())

    rates = _above(limit)
    first = (bisect_left(rates, least, key=share) for least in (1 / len(genuine), HALF))
    return tuple((rates[i], share(rates[i])) for i in dict.fromkeys(first) if i < len(rates))


def _above(limit: float) -> list[float]:
    """All rates of two digits from a limit on that are below one half, rising.

    Example:
        >>> _above(0.0961)[:6]
        [0.097, 0.098, 0.099, 0.1, 0.11, 0.12]
    """
    rates, rate = [], rounded_up(limit, 2)
    while rate < HALF:
        rates.append(rate)
        rate = float(f"{rate + 10.0 ** (math.floor(math.log10(rate) + 1e-9) - 1):.2g}")
    return rates


def _equal_error_threshold(curve: Sweep) -> float:
    """A threshold at which FMR and FNMR differ least."""
    after = equal_error_point(curve)
    points = np.array([after - 1, after])
    gap = curve.n_false_match[points] / curve.n_impostor
    gap -= 1 - curve.n_true_match[points] / curve.n_genuine
    return curve.between(int(points[np.argmin(np.abs(gap))]))


def _least_risk_threshold(curve: Sweep, target: Target, prior: float) -> float:
    """A threshold in the middle of the scores that have nearly the least risk.

    The least risk itself is often reached at a chance point of a nearly flat stretch.
    """
    points = turning_points(curve)
    seen = _risks(curve, target, prior, points)
    best = int(np.argmin(seen))
    bad = np.flatnonzero(seen > seen[best] * (1 + NEAR_FLAT))
    cut = int(np.searchsorted(bad, best))
    first = int(bad[cut - 1]) + 1 if cut > 0 else 0
    last = int(bad[cut]) - 1 if cut < len(bad) else len(seen) - 1
    if first == last or first == 0 or last == len(seen) - 1:
        return curve.between(int(points[best]))
    return between(curve.threshold[points[last] + 1], curve.threshold[points[first]])


def _risks(curve: Sweep, target: Target, prior: float, points: NDArray[np.intp]) -> Float64:
    """What a goal wants least of, at these points of a sweep."""
    fmr = curve.n_false_match[points] / curve.n_impostor
    fnmr = 1 - curve.n_true_match[points] / curve.n_genuine
    return target.risk(fmr, fnmr, prior)


def review_band(
    ends: tuple[float, float],
    threshold: float,
    target: Target,
    prior: float,
    likelihood: Likelihood,
) -> tuple[float, float] | None:
    """Scores for which asking a person costs less than either answer; None if there are none.

    Widened to the threshold, so that a certified threshold is never undercut. Scores beyond all
    that were seen count like the last one seen.

    Args:
        ends: the lowest score that was seen, and one above all of them.
        threshold: of a match.
        target: says what asking, and what either error costs.
        prior: share of genuine comparisons.
        likelihood: what a score says.
    Source: Chow 1970: ask iff c_review / c_fnm < P(match) < 1 - c_review / c_fm.
    """
    if target.review_cost is None:
        return None
    low = target.review_cost / target.false_non_match_cost
    high = 1 - target.review_cost / target.false_match_cost
    if low >= high:
        return None
    least, above_all = ends
    return (
        min(max(likelihood.score_at(low, prior), least), threshold),
        max(min(likelihood.score_at(high, prior), above_all), threshold),
    )
