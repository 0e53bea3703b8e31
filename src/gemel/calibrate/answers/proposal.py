"""A new threshold from answers, or the reason why the present one stays.

A threshold is moved only when the answers are many enough, when they come from both sides of the
review band (else every mistake that nobody can see speaks for fewer reviews), and when the present
one is surely not the best. One move changes a bounded share of decisions. Nothing is put into force
here.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import numpy as np

from gemel.arrays import Bool
from gemel.calibrate.answers.answered import Answers, Rates, answered_sweep, fmr_bounds, n_effective
from gemel.calibrate.answers.resampled import SURE, Resampled, reached
from gemel.calibrate.answers.reviewers import Reviewers
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.intervals import Estimate
from gemel.decide.bands import Band, in_review, matches
from gemel.errors import ConfigError
from gemel.figures import number_of, percent

RESOLVED = 2.0
"""Times the least share of genuine comparisons that fits the answers, the greatest one at most."""

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


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of a time, and what they say; plain JSON values.

    Attributes:
        release: whose threshold is judged.
        n_decisions: decisions made in all, asked about or not.
        n_asked: those asked about and old enough.
        n_answered: those of them that were answered.
        n_double: answered by two reviewers or more.
        n_agreed: those of them where all reviewers agree.
        first: time of the first decision used; empty if there is none.
        last: time of the last one.
        proposal: what to do.
    """

    release: str
    n_decisions: int
    n_asked: int
    n_answered: int
    n_double: int
    n_agreed: int
    first: str
    last: str
    proposal: Proposal


def propose(
    answers: Answers,
    present: Band,
    target: Target,
    limits: Limits,
    *,
    reviewers: Reviewers | None = None,
    seed: int = 0,
) -> Proposal:
    """Whether the answers ask for another threshold, and which.

    Args:
        answers: to decisions of one space and comparator, old enough that answers had time to come.
        present: the thresholds in force.
        target: the goal they serve; its prior, where None, is estimated from the answers.
        limits: what a move needs.
        reviewers: who gave these answers, and how often they may be wrong; None trusts them.
        seed: of the resampling.
    Raises:
        ConfigError: a goal that answers cannot judge.
    """
    if not target.goal.by_answers:
        raise ConfigError(
            f"answers cannot judge the goal {target.kind!r}", where="calibrate.target"
        )
    drawn = Resampled.of(answers, reviewers, seed)
    # Right answers taken for wrong ones would prove too much.
    trusted = answers if reviewers is None or reviewers.n_missing else drawn.answers
    answers = drawn.answers
    of_class = n_effective(answers.true), n_effective(answers.false)

    def said(verdict: Advice, reason: str, **more: object) -> Proposal:
        facts = {"n_answers": len(answers), "n_genuine": of_class[0], "n_impostor": of_class[1]}
        seen = {"present": now} if now else {}
        return msgspec.convert(
            {"verdict": verdict, "reason": reason, "target": target, **facts, **seen, **more},
            Proposal,
            from_attributes=True,
        )

    now = drawn.rates(present, target.confidence) if min(of_class) > 0 else None
    missing = _missing(answers, of_class, present, limits)
    if not missing and reviewers is not None and now is not None:
        missing = _unresolved(reviewers, drawn.wrong, now.prior)
    if missing:
        return said("wait", missing)
    chosen = trusted if target.is_proven else answers
    bounds = fmr_bounds(chosen, target.confidence)
    wanted = reached(answered_sweep(chosen), bounds, target, _prior(answers, target))
    if wanted is None:
        return said("wait", f"the answers cannot prove {target.kind} {target.value:g} yet")
    better = drawn.better(target)
    n_missing = 0 if reviewers is None else reviewers.n_missing
    unsure = f"; about {number_of(n_missing, 'second answer')} would narrow it" if n_missing else ""
    for (low, high), more in ((better.interval, ""), (better.sure, f" ({percent(SURE, 3)})")):
        if low <= present.threshold <= high:
            shown = f"the present threshold lies within [{low:.4g}, {high:.4g}]{more}{unsure}"
            return said("keep", shown, interval=better.interval)
    threshold, is_limited = _limited(answers, present.threshold, wanted, limits.max_changed)
    if not _is_better(answers, present.threshold, threshold, target):
        shown = f"too few answers lie between the present threshold and {threshold:.4g} to tell"
        return said("keep", shown, interval=better.interval)
    band = present.moved(threshold)
    return said(
        "move",
        "the interval of the better threshold leaves the present one out",
        proposed=drawn.rates(band, target.confidence),
        band=band,
        interval=better.interval,
        changed=_changed(answers, present.threshold, threshold),
        is_limited=is_limited,
    )


def _prior(answers: Answers, target: Target) -> float:
    return answers.prior if target.prior is None else target.prior


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
                f"{number_of(n_audited, 'audited answer')} {name} the review band, "
                f"{limits.min_audited} are needed: without them every unseen mistake speaks for "
                "fewer reviews"
            )
    return ""


def _unresolved(reviewers: Reviewers, wrong: float, prior: Estimate) -> str:
    """Why wrong answers cannot be told from rare genuine comparisons; empty if they can."""
    if prior.high <= RESOLVED * prior.low:
        return ""
    n, share = reviewers.n_missing, f"between {prior.low:.2g} and {prior.high:.2g}"
    if not n:
        return (
            f"the share of genuine comparisons is {share}, too uncertain where {percent(wrong, 2)} "
            "of answers about impostors are wrong: a larger adapt.audit_ratio asks about more"
        )
    return (
        f"the share of genuine comparisons is {share}: if {percent(reviewers.assumed, 2)} of "
        "answers are wrong (adapt.wrong_ratio), they look like missed matches. About "
        f"{number_of(n, 'second answer')} would tell: gemel review list --reviewer NAME"
    )


def _is_better(answers: Answers, present: float, other: float, target: Target) -> bool:
    """Whether a move serves its goal, whatever it loses that no answer happens to show.

    Draws hold no mistake that none of the answers shows. So as many more are reckoned with as there
    may be and none be asked about: false matches of a lower threshold, misses of a higher one.

    Source: a Poisson count of which none was seen, at `SURE`.
    """
    between = in_review(answers.score, *sorted((present, other)))
    if target.is_proven or not between.any():
        return bool(between.any())
    match, weight = matches(answers.score, present), answers.weight[between]
    unseen = -math.log(1 - SURE) * float(weight @ weight / weight.sum())
    down = other < present
    errors = []
    for counts, wrong, is_lost in ((answers.false, match, down), (answers.true, ~match, not down)):
        now, moved = float(counts[wrong].sum()), float(counts[between].sum())
        then = now + moved + unseen if is_lost else now - moved
        errors.append(np.array([now, min(then, counts.sum())]) / counts.sum())
    fmr, fnmr = errors
    if target.goal.risk is None:
        risk = np.abs(fmr - fnmr)
    else:
        risk = target.risk(fmr, fnmr, _prior(answers, target))
    return bool(risk[1] < risk[0])


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
