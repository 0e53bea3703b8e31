"""A new threshold from answers, or the reason why the present one stays.

A threshold is moved only when the answers are many enough, when they come from both sides of the
review band (else every mistake that nobody can see speaks for fewer reviews), and when the interval
of the better threshold leaves the present one out. One move changes a bounded share of decisions.
Nothing is put into force here.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import numpy as np

from gemel.arrays import Bool, Float64
from gemel.calibrate.answers.answered import Answers, Rates, answered_sweep, fmr_bounds, rates
from gemel.calibrate.goals.choose import observed
from gemel.calibrate.goals.target import Target
from gemel.calibrate.probability.precision_recall import precision_at
from gemel.calibrate.scores.sweep import Sweep
from gemel.decide.bands import Band, in_review, matches
from gemel.errors import ConfigError

N_RESAMPLES = 200

Advice = Literal["wait", "keep", "move"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When answers may move a threshold, and how far.

    Args:
        min_effective: effective answers that are needed of each class.
        min_audited: answers that are needed from each side of the review band.
        max_changed: share of decisions that one move may change.
    """

    min_effective: float = 30.0
    min_audited: int = 30
    max_changed: float = 0.05


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What the answers say about the threshold; plain JSON values.

    Attributes:
        verdict: `wait` for more answers, `keep` the threshold, or `move` it.
        reason: in words.
        target: the goal that the threshold serves.
        n_answers: answers that were used.
        n_genuine: effective genuine answers.
        n_impostor: effective impostor answers.
        present: what the present threshold does; None without answers of both kinds.
        proposed: what the proposed one would do; None unless the verdict is `move`.
        band: threshold and review band of the proposal; None unless the verdict is `move`.
        interval: of the threshold that reaches the goal; None while waiting.
        changed: share of decisions that would be another.
        is_limited: the move was cut short; the next one goes on from there.
    """

    verdict: Advice
    reason: str
    target: Target
    n_answers: int
    n_genuine: float
    n_impostor: float
    present: Rates | None = None
    proposed: Rates | None = None
    band: Band | None = None
    interval: tuple[float, float] | None = None
    changed: float = 0.0
    is_limited: bool = False


def propose(
    answers: Answers, present: Band, target: Target, limits: Limits, *, seed: int = 0
) -> Proposal:
    """Whether the answers ask for another threshold, and which.

    Args:
        answers: to decisions of one space and comparator, old enough that answers had time to come.
        present: the thresholds in force.
        target: the goal they serve; its prior, where None, is estimated from the answers.
        limits: what a move needs.
        seed: of the resampling.
    Raises:
        ConfigError: a goal that answers cannot judge.
    """
    if not target.goal.by_answers:
        raise ConfigError(
            f"answers cannot judge the goal {target.kind!r}", where="calibrate.target"
        )
    of_class = answers.n_effective(answers.genuine), answers.n_effective(~answers.genuine)

    def said(verdict: Advice, reason: str, **more: object) -> Proposal:
        facts = {"n_answers": len(answers), "n_genuine": of_class[0], "n_impostor": of_class[1]}
        seen = {"present": now} if now else {}
        return msgspec.convert(
            {"verdict": verdict, "reason": reason, "target": target, **facts, **seen, **more},
            Proposal,
            from_attributes=True,
        )

    now = _rates(answers, present, target) if min(of_class) > 0 else None
    missing = _missing(answers, of_class, present, limits)
    if missing:
        return said("wait", missing)
    bounds = fmr_bounds(answers, target.confidence)
    wanted = _threshold(answered_sweep(answers), bounds, target, _prior(answers, target))
    if wanted is None:
        return said("wait", f"the answers cannot prove {target.kind} {target.value:g} yet")
    interval = _interval(answers, target, seed)
    if interval[0] <= present.threshold <= interval[1]:
        shown = f"[{interval[0]:.4g}, {interval[1]:.4g}]"
        return said("keep", f"the present threshold lies within {shown}", interval=interval)
    threshold, is_limited = _limited(answers, present.threshold, wanted, limits.max_changed)
    band = present.moved(threshold)
    return said(
        "move",
        "the interval of the better threshold leaves the present one out",
        proposed=_rates(answers, band, target),
        band=band,
        interval=interval,
        changed=_changed(answers, present.threshold, threshold),
        is_limited=is_limited,
    )


def _prior(answers: Answers, target: Target) -> float:
    return answers.prior if target.prior is None else target.prior


def _rates(answers: Answers, band: Band, target: Target) -> Rates:
    edges = band.review_low, band.review_high
    return rates(answers, band.threshold, band=edges, confidence=target.confidence)


def _missing(answers: Answers, of_class: tuple[float, float], present: Band, limits: Limits) -> str:
    """What has to come before anything can be said; empty if nothing is missing."""
    for n, name in zip(of_class, ("genuine", "impostor"), strict=True):
        if n < limits.min_effective:
            return (
                f"{n:.0f} effective {name} answers, {limits.min_effective:.0f} are needed: about "
                f"{math.ceil(limits.min_effective - n)} more"
            )
    sides: tuple[tuple[Bool, str], ...] = (
        (matches(answers.score, present.review_high), "above"),
        (~matches(answers.score, present.review_low), "below"),
    )
    for side, name in sides:
        n_audited = int(np.count_nonzero(side & answers.audited))
        if n_audited < limits.min_audited:
            return (
                f"{n_audited} audited answers {name} the review band, {limits.min_audited} are "
                "needed: without them every unseen mistake speaks for fewer reviews"
            )
    return ""


def _threshold(curve: Sweep, fmr: Float64, target: Target, prior: float) -> float | None:
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
    reached = precision_at(fmr, curve.fnmr(), prior) >= (target.value or 0)
    reached[0] = False
    if not reached.any():
        return None
    first = int(np.argmax(reached))
    failures = np.flatnonzero(~reached[first:])
    return curve.between(first + int(failures[0]) - 1 if failures.size else len(reached) - 1)


def _interval(answers: Answers, target: Target, seed: int) -> tuple[float, float]:
    """Percentile interval of the threshold that looks best, over resampled answers."""
    rng = np.random.default_rng(seed)
    order = np.argsort(-answers.score, kind="stable")  # sorted once, so that each sweep is linear
    answers = Answers(
        answers.score[order], answers.genuine[order], answers.weight[order], answers.audited[order]
    )
    n, found = len(answers), []
    for _ in range(N_RESAMPLES):
        times = np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)
        if not (times[answers.genuine].any() and times[~answers.genuine].any()):
            continue
        curve = answered_sweep(answers, times)
        prior = target.prior
        if prior is None:
            prior = curve.n_genuine / (curve.n_genuine + curve.n_impostor)
        threshold = _threshold(curve, curve.fmr(), target, prior)
        found.append(float(answers.score.max()) if threshold is None else threshold)
    low, high = np.quantile(found, [(1 - target.confidence) / 2, (1 + target.confidence) / 2])
    return float(low), float(high)


def _changed(answers: Answers, present: float, other: float) -> float:
    """Share of decisions between two thresholds."""
    low, high = sorted((present, other))
    between = in_review(answers.score, low, high)
    return float(answers.weight[between].sum() / answers.weight.sum())


def _limited(
    answers: Answers, present: float, wanted: float, max_changed: float
) -> tuple[float, bool]:
    """The wanted threshold, or the furthest on the way to it that changes few enough decisions."""
    if _changed(answers, present, wanted) <= max_changed:
        return wanted, False
    low, high = sorted((present, wanted))
    on_the_way = np.unique(answers.score[in_review(answers.score, low, high)])
    if wanted < present:
        on_the_way = on_the_way[::-1]
    best = present
    for step in on_the_way.tolist():
        step = step if wanted < present else math.nextafter(step, math.inf)
        if _changed(answers, present, step) > max_changed:
            break
        best = step
    return best, True
