"""What answers mean, and what as many others drawn from them would have meant: the intervals.

Where reviewers may err, what they said is understood in every way that their second answers leave
open, and an interval spans them all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist

import msgspec
import numpy as np

from gemel.arrays import Float64
from gemel.calibrate.answers.answered import Answers, Rates, answered_sweep, rates
from gemel.calibrate.answers.reviewers import Belief, Reviewers
from gemel.calibrate.goals.choose import observed
from gemel.calibrate.goals.target import Target
from gemel.calibrate.probability.precision_recall import precision_at
from gemel.calibrate.scores.sweep import Sweep
from gemel.decide.bands import Band, matches

N_RESAMPLES = 200
SURE = 0.999
"""Confidence that a threshold is not the best one before it is moved: at 95 % a right one would be
moved at one look in twenty, and one looks every night."""
MEASURES = ("fmr", "fnmr", "precision", "prior")

Draw = tuple[Answers, Float64]
"""Answers, and how often each counts."""


@dataclass(frozen=True, eq=False)
class Better:
    """Where the better threshold lies; the widest of all ways to understand the answers.

    Of thresholds that no answered decision tells apart, each is as good as any other.

    Attributes:
        interval: by the percentiles of draws, at the confidence of the goal.
        sure: at `SURE`, by their mean and deviation, since few draws know no such percentiles.
    """

    interval: tuple[float, float]
    sure: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Resampled:
    """Answers as they are best understood, and resampled.

    Attributes:
        answers: by falling score, so that every sweep of them is linear.
        wrong: share of wrong answers about impostors outside of the review band.
        ways: to understand the answers, each with its draws.
        is_trusted: there is one way, and reviewers do not err.
    """

    answers: Answers
    wrong: float
    ways: list[list[Draw]]
    is_trusted: bool

    @classmethod
    def of(cls, answers: Answers, reviewers: Reviewers | None, seed: int) -> Resampled:
        """Answers with their draws.

        Args:
            answers: as given.
            reviewers: who gave them; None trusts them.
            seed: of the draws.
        """
        rng = np.random.default_rng(seed)
        order = np.argsort(-answers.score, kind="stable")
        sorted_, n = answers.taken(order), len(answers)
        if reviewers is None or not n:
            draws = [
                (sorted_, np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64))
                for _ in range(N_RESAMPLES if n else 0)
            ]
            return cls(sorted_, 0.0, [draws], True)

        def meant(belief: Belief) -> Answers:
            return replace(sorted_, genuine=belief.genuine[order])

        beliefs, ways = reviewers.beliefs(), []
        for belief in beliefs:
            found = (reviewers.again(belief, rng) for _ in range(N_RESAMPLES // len(beliefs)))
            ways.append(
                [(replace(sorted_, genuine=b.genuine[order]), b.times[order]) for b in found]
            )
        best = beliefs[0]
        return cls(
            replace(sorted_, genuine=best.genuine[order]), float(best.wrong[0, 0]), ways, False
        )

    def rates(self, band: Band, confidence: float) -> Rates:
        """Error rates at a threshold, with intervals that span every way to understand answers."""
        edges = band.review_low, band.review_high
        best = rates(self.answers, band.threshold, band=edges, confidence=confidence)
        if self.is_trusted:
            return best
        seen = [np.array([_measured(d, band.threshold) for d in way]) for way in self.ways]
        limits = [np.quantile(v, _tails(confidence), axis=0) for v in seen]
        changed = {}
        for i, name in enumerate(MEASURES):
            estimate = getattr(best, name)
            low = min(estimate.low, *(float(v[0, i]) for v in limits))
            high = max(estimate.high, *(float(v[1, i]) for v in limits))
            changed[name] = msgspec.structs.replace(estimate, low=low, high=high)
        return msgspec.structs.replace(best, **changed)

    def better(self, target: Target) -> Better:
        """Where the threshold that looks best lies."""
        limits, sure = [], []
        for way in self.ways:
            found = [_best(draw, target) for draw in way]
            usable = np.array([gap for gap in found if gap is not None]).reshape(-1, 2)
            if len(usable):
                tails = zip(usable.T, _tails(target.confidence), strict=True)
                limits.append(np.array([np.quantile(ends, tail) for ends, tail in tails]))
                reach = NormalDist().inv_cdf(_tails(SURE)[1]) * usable.std(axis=0)
                sure.append(usable.mean(axis=0) + reach * np.array([-1.0, 1.0]))
        return Better(_widest(limits), _widest(sure))


def reached(curve: Sweep, fmr: Float64, target: Target, prior: float) -> float | None:
    """The threshold that reaches a goal; None if none does.

    Args:
        curve: of the answers.
        fmr: at each of its points: bounds that prove a rate, or what is observed.
        target: the goal.
        prior: share of genuine comparisons in use.
    """
    if not target.is_proven:
        return observed(curve, target, prior)
    if target.kind == "fmr":
        held = np.flatnonzero(fmr <= (target.value or 0))
        return curve.between(int(held[-1])) if held.size else None
    # Precision need not fall with the threshold: from strict to loose, the first failure ends it.
    enough = precision_at(fmr, curve.fnmr(), prior) >= (target.value or 0)
    enough[0] = False
    if not enough.any():
        return None
    first = int(np.argmax(enough))
    failures = np.flatnonzero(~enough[first:])
    return curve.between(first + int(failures[0]) - 1 if failures.size else len(enough) - 1)


def _widest(intervals: list[Float64]) -> tuple[float, float]:
    return float(np.min(intervals, axis=0)[0]), float(np.max(intervals, axis=0)[1])


def _tails(confidence: float) -> tuple[float, float]:
    return (1 - confidence) / 2, (1 + confidence) / 2


def _best(draw: Draw, target: Target) -> tuple[float, float] | None:
    """Ends of the gap that a draw calls best; None if all its answers are of one kind."""
    answers, times = draw
    if not ((answers.true * times).any() and (answers.false * times).any()):
        return None
    curve = answered_sweep(answers, times)
    prior = target.prior
    if prior is None:
        prior = curve.n_genuine / (curve.n_genuine + curve.n_impostor)
    threshold = reached(curve, curve.fmr(), target, prior)
    return curve.gap(0 if threshold is None else curve.point(threshold))


def _measured(draw: Draw, threshold: float) -> tuple[float, ...]:
    """`MEASURES` of a draw at a threshold."""
    answers, times = draw
    true, false = answers.true * times, answers.false * times
    match = matches(answers.score, threshold)
    n_true, n_false = max(true.sum(), 1e-300), max(false.sum(), 1e-300)
    true_match, false_match = true[match].sum(), false[match].sum()
    precision = true_match / max(true_match + false_match, 1e-300)
    return (
        false_match / n_false,
        max(1 - true_match / n_true, 0.0),
        precision,
        n_true / (n_true + n_false),
    )
