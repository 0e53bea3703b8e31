"""Which threshold: a stated goal in, an operating point with its evidence out.

Thresholds are chosen on dev and measured again on eval with `operating.measure`. A rate that is
asked for is a promise, proven or refused; the other goals optimise what was observed and promise
nothing. The decision itself is `policy`'s.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import numpy as np

from gemel.arrays import Float64
from gemel.calibrate.goals.certificates import Certificate, fmr_threshold, fnmr_threshold
from gemel.calibrate.goals.certified_precision import precision_threshold
from gemel.calibrate.goals.refusal import refused
from gemel.calibrate.probability.fit import fit
from gemel.calibrate.rates.by_identity import Method
from gemel.calibrate.rates.operating_point import OperatingPoint, check_prior, f1_at, measure
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import Sweep, between, equal_error_point, sweep, turning_points
from gemel.decide.ratio import Likelihood
from gemel.errors import ConfigError, TargetRefused

__all__ = ["OperatingPoint", "Target", "choose", "fmr_for_fpir", "measure"]

Kind = Literal["eer", "f1", "accuracy", "cost", "fmr", "fnmr", "recall", "precision", "fpir"]
EXAMPLES: dict[Kind, float] = {
    "fmr": 0.001,
    "fnmr": 0.01,
    "recall": 0.99,
    "precision": 0.99,
    "fpir": 0.01,
}
PROVEN: tuple[Kind, ...] = tuple(EXAMPLES)
"""Kinds that ask for a rate, which is proven or refused."""

NEAR_FLAT = 0.1
"""Operating points whose risk is this little (relatively) above the least count as equally good.

In simulated linkage worlds with 30 to 100 genuine comparisons this gained 0 to 0.004 F1 on eval
over the observed optimum, and lost nothing.
"""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The goal of a threshold.

    Args:
        kind: `eer` equal error rates; `f1`, `accuracy` the best observed; `cost` the least
            expected cost. Proven: `fmr` at most `value` false matches among impostors; `fnmr` at
            most `value` false non-matches among genuine, with the fewest false matches; `recall`
            the same, as 1 - fnmr; `precision` at least `value` genuine among matches; `fpir` at
            most `value` searches without a mate that match something.
        value: the rate that the proven kinds ask for, in (0, 1).
        confidence: of proofs and intervals.
        prior: share of genuine comparisons in use; None = as in the data.
        false_match_cost: cost of accepting an impostor comparison.
        false_non_match_cost: cost of missing a genuine one.
        review_cost: cost of asking a person; None = nobody is asked, there is no review band.
        intervals: how intervals by identity are found: by the `mean` of jackknife and dyadic
            variance, `jackknife`, `dyadic` or `bootstrap`.
        gallery_size: records that a search compares with, of `fpir`.
    Raises:
        ConfigError: a value is out of range or missing.
    """

    kind: Kind = "f1"
    value: float | None = None
    confidence: float = 0.95
    prior: float | None = None
    false_match_cost: float = 1.0
    false_non_match_cost: float = 1.0
    review_cost: float | None = None
    intervals: Method = "mean"
    gallery_size: int | None = None

    def __post_init__(self) -> None:
        check_prior(self.prior)
        if self.kind in PROVEN:
            if self.value is None or not 0 < self.value < 1:
                raise ConfigError(
                    f"target {self.kind} needs a value between 0 and 1, not {self.value}",
                    where="calibrate.value",
                    hint=f"for example value = {EXAMPLES[self.kind]}",
                )
        elif self.value is not None:
            raise ConfigError(
                f"target {self.kind} takes no value",
                where="calibrate.value",
                hint=f"a value goes with the targets {', '.join(PROVEN)}",
            )
        if self.gallery_size is not None and (self.kind != "fpir" or self.gallery_size < 1):
            raise ConfigError(
                f"target {self.kind} with a gallery of {self.gallery_size} records",
                where="calibrate.gallery_size",
                hint="a size of 1 or more goes with the target fpir",
            )
        if not 0.5 < self.confidence < 1:
            raise ConfigError(
                f"confidence is {self.confidence}, must lie between 0.5 and 1",
                where="calibrate.confidence",
            )
        for name in ("false_match_cost", "false_non_match_cost", "review_cost"):
            cost = getattr(self, name)
            if cost is not None and not (cost > 0 and math.isfinite(cost)):
                raise ConfigError(
                    f"{name} is {cost}, must be above 0 and finite",
                    where=f"calibrate.{name}",
                    hint="costs count against each other: 10 and 1 means ten times as bad",
                )


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
        TargetRefused: the data cannot prove the goal; says how many identities and comparisons
            are missing, and what they could prove.
        DataError: a class is missing.
        ConfigError: an FPIR without the size of the gallery.
    Source: cost: Elkan 2001; review band: Chow 1970; proofs: see certify.py.
    """
    scores.require_both()
    prior = scores.prior if target.prior is None else target.prior
    method = f"{target.kind} on the exact sweep"
    if target.kind in PROVEN:
        proof, method = _proof(scores, target, prior)
        threshold = proof.threshold
    else:
        threshold = observed(curve or sweep(scores), target, prior)
    band = _review_band(scores, threshold, target, prior, likelihood)
    point = measure(
        scores,
        threshold,
        prior=target.prior,
        confidence=target.confidence,
        review=band,
        method=target.intervals,
    )
    return msgspec.structs.replace(
        point,
        target=target.kind,
        certified=target.kind in PROVEN,
        method=f"{method}; {point.method}",
    )


def observed(curve: Sweep, target: Target, prior: float) -> float:
    """The threshold that an observed goal (none of `PROVEN`) chooses on a sweep."""
    if target.kind == "eer":
        return _equal_error_threshold(curve)
    return _least_risk_threshold(curve, target, prior)


def _proof(scores: Scores, target: Target, prior: float) -> tuple[Certificate, str]:
    """The certificate of a proven kind, and what it says in words."""
    value, confidence = target.value or 0.0, target.confidence
    if target.kind == "precision":
        proof = precision_threshold(scores, value, confidence, prior)
        said, of = f"precision >= {proof.bound:.4g}", "matches"
    elif target.kind == "recall":
        proof = fnmr_threshold(scores, 1 - value, confidence)
        said, of = f"recall >= {1 - proof.bound:.4g}", "genuine comparisons"
    elif target.kind == "fnmr":
        proof = fnmr_threshold(scores, value, confidence)
        said, of = f"FNMR <= {proof.bound:.3g}", "genuine comparisons"
    elif target.kind == "fmr":
        proof = fmr_threshold(scores, value, confidence)
        said, of = f"FMR <= {proof.bound:.3g}", "comparisons"
    else:
        proof = _fpir_proof(scores, target)
        said, of = f"FPIR <= {value:.3g}, since FMR <= {proof.bound:.3g}", "comparisons"
    return proof, f"{said} proven on {proof.n_effective:,.0f} effective {of}"


def _fpir_proof(scores: Scores, target: Target) -> Certificate:
    """The certificate of the FMR that an FPIR needs in a gallery."""
    if target.gallery_size is None:
        raise ConfigError(
            "an FPIR depends on the size of the gallery",
            where="calibrate.gallery_size",
            hint="say how many records a search compares with",
        )
    fpir = target.value or 0.0
    limit = fmr_for_fpir(fpir, target.gallery_size)
    try:
        return fmr_threshold(scores, limit, target.confidence)
    except TargetRefused as e:
        # The largest gallery for which the smallest FMR still gives the FPIR.
        reach = math.log1p(-fpir) / math.log1p(-min(e.refusal.reach, 1 - 1e-9))
        raise refused(
            msgspec.structs.replace(
                e.refusal,
                kind="fpir",
                value=fpir,
                gallery_size=target.gallery_size,
                reach=math.floor(reach),
            )
        ) from e


def fmr_for_fpir(fpir: float, gallery_size: int) -> float:
    """FMR that each comparison may have, so that a search of a gallery stays within an FPIR.

    Args:
        fpir: share of searches without a mate in the gallery that may match something, in (0, 1).
        gallery_size: enrolled records.
    Where some probes match more easily than others, or records of the gallery are alike, the FPIR
    is smaller than this allows for (Jensen), never larger.

    Source: Grother and Phillips 2004, independent comparisons: FPIR = 1 - (1 - FMR)^N.
    Example:
        >>> f"{fmr_for_fpir(0.01, 10_000):.3g}"
        '1.01e-06'
    """
    return -math.expm1(math.log1p(-fpir) / max(gallery_size, 1))


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
    fmr = curve.n_false_match[points] / curve.n_impostor
    fnmr = 1 - curve.n_true_match[points] / curve.n_genuine
    seen = risk(fmr, fnmr, target, prior)
    best = int(np.argmin(seen))
    bad = np.flatnonzero(seen > seen[best] * (1 + NEAR_FLAT))
    cut = int(np.searchsorted(bad, best))
    first = int(bad[cut - 1]) + 1 if cut > 0 else 0
    last = int(bad[cut]) - 1 if cut < len(bad) else len(seen) - 1
    if first == last or first == 0 or last == len(seen) - 1:
        return curve.between(int(points[best]))
    return between(curve.threshold[points[last] + 1], curve.threshold[points[first]])


def risk(fmr: Float64, fnmr: Float64, target: Target, prior: float) -> Float64:
    """What is to be least, at each operating point: (m,) float64 >= 0."""
    if target.kind == "f1":
        loss: Float64 = 1 - f1_at(fmr, fnmr, prior)
        return loss
    match_cost, non_match_cost = 1.0, 1.0
    if target.kind == "cost":
        match_cost, non_match_cost = target.false_match_cost, target.false_non_match_cost
    return prior * non_match_cost * fnmr + (1 - prior) * match_cost * fmr


def _review_band(
    scores: Scores, threshold: float, target: Target, prior: float, likelihood: Likelihood | None
) -> tuple[float, float] | None:
    """Scores for which asking a person costs less than either answer; None if there are none.

    Widened to the threshold, so that a certified threshold is never undercut. Scores beyond all
    that were seen count like the last one seen.

    Source: Chow 1970: ask iff c_review / c_fnm < P(match) < 1 - c_review / c_fm.
    """
    if target.review_cost is None:
        return None
    low = target.review_cost / target.false_non_match_cost
    high = 1 - target.review_cost / target.false_match_cost
    if low >= high:
        return None
    calibrated = likelihood or fit(scores, prior)
    least = float(scores.score.min())
    above_all = between(scores.score.max(), np.float32(np.inf))
    return (
        min(max(calibrated.score_at(low, prior), least), threshold),
        max(min(calibrated.score_at(high, prior), above_all), threshold),
    )
