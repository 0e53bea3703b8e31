"""Stable and candidate side by side: how often what happened in each, and whether that differs.

Every interval holds at all times together, so it may be looked at after each answer and acted on
whenever one likes. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from gemel.serve.rollout.evalues import interval
from gemel.serve.rollout.plan import Arm, Plan, Tally

Asked = Literal["matches", "reviews", "wrong", "slow", "errors"]
Says = Literal["more", "fewer", "not told apart"]
RATES: dict[Asked, tuple[str, str]] = {
    "matches": ("matches", "n_decided"),
    "reviews": ("reviews", "n_decided"),
    "wrong": ("wrong", "judged"),
    "slow": ("slow", "n"),
    "errors": ("errors", "n"),
}
"""Which counts of an arm make each rate."""


class ArmShare(Struct, frozen=True, kw_only=True):
    """A share of subjects, and between what it lies.

    Attributes:
        n: that were looked at.
        share: of them; None where there are none.
        low: end of the interval.
        high: other end.
    """

    n: int
    share: float | None
    low: float
    high: float


class SideBySide(Struct, frozen=True, kw_only=True):
    """One rate of both.

    Attributes:
        question: which: decisions that are a match, that go to a person, that people called wrong
            of those they answered; answers that were slow, that were errors.
        stable: of stable's subjects; the interval, like the other, with half of alpha.
        candidate: of the candidate's.
        low: of the difference, candidate minus stable.
        high: of the difference.
        says: what the candidate has, once the interval of the difference leaves zero out.
    """

    question: Asked
    stable: ArmShare
    candidate: ArmShare
    low: float
    high: float
    says: Says


def readout(plan: Plan, tallies: Sequence[Tally]) -> list[SideBySide]:
    """Every rate of both, of what all processes saw; none of a shadow, which answers nobody."""
    if plan.mode == "shadow":
        return []
    ours, theirs = ([getattr(tally, arm) for tally in tallies] for arm in ("ours", "theirs"))
    return [_row(plan, question, theirs, ours) for question in RATES]


def differing(plan: Plan, tallies: Sequence[Tally]) -> ArmShare:
    """Requests that both were asked, where one of both finds something, that they decide
    differently; the interval with all of alpha.
    """
    n = sum(t.flips.n + t.finds.n for t in tallies)
    total = sum(t.flips.total + t.finds.total for t in tallies)
    low, high = interval(round(total), n, plan.alpha)
    return ArmShare(n=n, share=total / n if n else None, low=low, high=high)


def _row(plan: Plan, question: Asked, theirs: Sequence[Arm], ours: Sequence[Arm]) -> SideBySide:
    stable, candidate = (_measured(question, arms, plan.alpha / 2) for arms in (theirs, ours))
    low, high = candidate.low - stable.high, candidate.high - stable.low
    says: Says = "more" if low > 0 else "fewer" if high < 0 else "not told apart"
    return SideBySide(
        question=question, stable=stable, candidate=candidate, low=low, high=high, says=says
    )


def _measured(question: Asked, arms: Sequence[Arm], alpha: float) -> ArmShare:
    what, among = RATES[question]
    ones, n = (sum(getattr(arm, name) for arm in arms) for name in (what, among))
    low, high = interval(ones, n, alpha)
    return ArmShare(n=n, share=ones / n if n else None, low=low, high=high)
