"""Whether a candidate is worse than stable, not worse, or needs more to tell. Pure.

Each question gets an equal part of alpha, and is answered by e-processes, so the verdict may be
asked for after every request. No traffic is `need more`, never `not worse`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gemel.serve.rollout.evalues import Falls, Share, more
from gemel.serve.rollout.plan import EVEN, Plan, State, Tally

Word = Literal["worse", "not worse", "need more"]
Question = Literal["flips", "errors", "slow", "wrong"]
QUESTIONS: tuple[Question, ...] = ("flips", "errors", "slow", "wrong")
TWICE = 2.0
"""As often as on stable, per subject, is too often for errors, slow answers and what is missed."""
MAX_SHOWN = 1e12
WORDS = {
    "flips": "decisions that differ, of those where one of both finds something",
    "errors": "answers that are errors of the service",
    "slow": "slow answers",
    "wrong": "decisions that people called wrong",
}


class Reading(Struct, frozen=True, kw_only=True):
    """One question about the candidate.

    Attributes:
        question: which.
        verdict: the answer so far.
        n: what was looked at: pairs of decisions where one found something, subjects answered,
            decisions called wrong.
        share: of them that was so; of wrong ones, the share that was the candidate's.
        limit: that it may have.
        e_worse: e-value against "not worse".
        e_fine: e-value against "worse by more than the margin".
        needs: about how many more are wanted; None where that cannot be told.
        misses: searches in which the candidate finds nothing, or another record, where stable finds
            one; and the other way round.
    """

    question: Question
    verdict: Word
    n: int
    share: float | None
    limit: float
    e_worse: float
    e_fine: float
    needs: int | None
    misses: tuple[int, int] | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """The candidate as a whole, as far as it was seen.

    Attributes:
        verdict: worse as soon as one question says so, not worse when all that matter say so.
        readings: of each question.
        needs: about how many more subjects are wanted; None where that cannot be told.
        reasons: in words.
    """

    verdict: Word
    readings: tuple[Reading, ...]
    needs: int | None
    reasons: tuple[str, ...]


def part(plan: Plan) -> float:
    """The alpha of one question."""
    return plan.alpha / len(QUESTIONS)


def judge(state: State) -> Verdict:
    """What all processes together saw."""
    plan, tallies = state.plan, list(state.tallies.values())
    here = sum(tally.answers[state.step] for tally in tallies)
    readings = [
        _flips(plan, tallies),
        _reading(plan, "errors", [t.errors for t in tallies], [t.error_falls for t in tallies]),
    ]
    if plan.mode == "experiment":
        del readings[0]  # how they differ is what it asks, and no fault
    if plan.mode != "shadow":
        slow = [t.slow for t in tallies], [t.slow_falls for t in tallies]
        readings.append(_reading(plan, "slow", *slow))
        readings.append(_reading(plan, "wrong", [], [t.wrong_falls for t in tallies]))
    worse = [r for r in readings if r.verdict == "worse"]
    if worse:
        reasons = tuple(_sentence(r) for r in worse)
        return Verdict(verdict="worse", readings=tuple(readings), needs=None, reasons=reasons)
    # People's answers come late and few: they can end a rollout, it does not wait for them.
    open_ = [r for r in readings if r.verdict != "not worse" and r.question != "wrong"]
    missing = max(0, plan.least - here)
    needs = [missing, *(r.needs for r in open_ if r.needs is not None)]
    unknown = any(r.needs is None for r in open_)
    reasons = tuple(f"{WORDS[r.question]}: not enough seen yet" for r in open_)
    if missing:
        reasons = (f"{here} of {plan.least} subjects answered at this step", *reasons)
    return Verdict(
        verdict="need more" if open_ or missing else "not worse",
        readings=tuple(readings),
        needs=None if unknown and not max(needs) else max(needs),
        reasons=reasons,
    )


def _reading(
    plan: Plan, question: Question, shares: Sequence[Share], falls: Sequence[Sequence[Falls]]
) -> Reading:
    """One question, of what all processes saw of it."""
    together = _together(falls)
    n, total = sum(s.n for s in shares), sum(s.total for s in shares)
    ours, events = sum(f.ours for f in together), sum(f.ours + f.theirs for f in together)
    ln_worse = sum(f.ln_more for f in together)
    ln_fine = sum(s.ln_less for s in shares)
    if question == "errors" and not together:
        ln_worse = sum(s.ln_more for s in shares)
    elif question == "wrong":
        n, total = events, ours
        ln_fine = sum(f.ln_less(TWICE) for f in together)
    else:  # fine is what lies below the limit, or what is like stable: two looks, half alpha each
        ln_fine = max(ln_fine, sum(f.ln_less(TWICE) for f in together)) - math.log(2)
    limit = {"errors": plan.max_errors, "slow": plan.max_slow}.get(question, plan.share(0))
    return _read(plan, question, (n, total, limit), (ln_worse, ln_fine))


def _flips(plan: Plan, tallies: Sequence[Tally]) -> Reading:
    """Decisions that differ: of pairs, more than the limit is worse.

    Any two encoders find other strangers, so of searches more than the limit is worse only where it
    is mostly the same one that misses what the other finds.
    """
    ours, theirs = sum(t.misses.ours for t in tallies), sum(t.misses.theirs for t in tallies)
    both = Falls(EVEN, ours, theirs), Falls(EVEN, theirs, ours)
    uneven = max(fall.ln_above(TWICE) for fall in both) - math.log(2)
    pairs, finds = [t.flips for t in tallies], [t.finds for t in tallies]
    worse = sum(s.ln_more for s in pairs), min(sum(s.ln_more for s in finds), uneven)
    ln_worse = max(worse) - math.log(2)  # two looks, half alpha each
    every = (*pairs, *finds)
    n, total = (sum(getattr(s, name) for s in every) for name in ("n", "total"))
    ln_e = ln_worse, sum(s.ln_less for s in every)
    found = _read(plan, "flips", (n, total, plan.max_flips), ln_e)
    return replace(found, misses=(ours, theirs) if ours or theirs else None)


def _read(
    plan: Plan, question: Question, seen: tuple[int, float, float], ln_e: tuple[float, float]
) -> Reading:
    """What was seen (how many, their sum, the limit) with its e-values (worse, fine), in logs."""
    (n, total, limit), (ln_worse, ln_fine) = seen, ln_e
    needed = -math.log(part(plan))
    word: Word = "need more"
    if ln_worse >= needed:
        word = "worse"
    elif ln_fine >= needed:
        word = "not worse"
    return Reading(
        question=question,
        verdict=word,
        n=n,
        share=total / n if n else None,
        limit=limit,
        e_worse=_e(ln_worse),
        e_fine=_e(ln_fine),
        needs=0 if word != "need more" else more(ln_fine, n, needed),
    )


def _together(falls: Sequence[Sequence[Falls]]) -> list[Falls]:
    """The events of all processes, by step; a step without one says nothing."""
    found = [
        Falls(step[0].share, sum(f.ours for f in step), sum(f.theirs for f in step))
        for step in zip(*falls, strict=True)
    ]
    return [f for f in found if f.ours or f.theirs]


def _e(ln: float) -> float:
    return min(math.exp(min(ln, 700.0)), MAX_SHOWN)


def _sentence(reading: Reading) -> str:
    share = 0.0 if reading.share is None else reading.share
    if reading.question == "flips":
        whose = f"{share:.2%} of {reading.n:,}, at most {reading.limit:.2%}"
        if reading.misses:
            ours, theirs = (f"{n:,}" for n in reading.misses)
            whose += f"; the candidate misses what stable finds {ours} times, and finds "
            whose += f"what stable misses {theirs} times"
    elif reading.question == "wrong":
        whose = f"{share:.0%} of {reading.n:,} are the candidate's"
    else:
        whose = f"{share:.2%} of {reading.n:,}, more often than stable"
    return f"{WORDS[reading.question]}: {whose} (e-value {reading.e_worse:.3g})"


def empty(plan: Plan) -> Tally:
    """A tally of nothing, for a process that begins to look."""
    return Tally.empty(plan, part(plan))
