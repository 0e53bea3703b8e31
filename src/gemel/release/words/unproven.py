"""What a release without labels says of itself, wherever another one says what was measured."""

from __future__ import annotations

import math

from gemel.calibrate.answers.known import Known
from gemel.figures import number_of, percent, share
from gemel.release.evidence.schema import Evidence
from gemel.release.words.expected import about
from gemel.settings import EXACT

MARK = "unproven"
"""One word for tables."""
HEADLINE = "Unproven: an estimate without labels"
PROVEN = "Proven by people's answers about pairs"
MISSED_UNKNOWN = "how many of the pairs that belong together are missed is not known"
WHY = "nothing says which records belong together, so nothing is measured: all rates are estimates"
TINY = 1e-9
WARNING = "unproven release: its threshold and probabilities are estimated, not measured"


CHANCE = "chance that strangers come so close"
"""What the risk of a cluster is where nothing but closeness is told."""
ONLY_ALIKE = (
    "things that only look, sound or read alike, such as signs of one style or notes on one form, "
    "can be as close"
)


def caution(rests: str, *, by_closeness: bool) -> str:
    """What a reader of matches has to know before anything else, with what they rest on."""
    return f"Unproven: {rests}{f'; {ONLY_ALIKE}' if by_closeness else ''}."


def by_closeness(evidence: Evidence) -> bool:
    """Whether all that is told is how close records are, not whether they are the same."""
    told = evidence.training.estimate
    return evidence.labelled is None and told is not None and told.by == "views"


def rests_on(evidence: Evidence) -> str:
    """What the estimate of a release without labels is made from."""
    if by_closeness(evidence):
        return "estimated from how close records are, not measured"
    taught, doubtful = evidence.taught, _doubtful(evidence)
    also = "" if taught is None else f" and {number_of(taught.n_answers, 'answer')} about pairs"
    perhaps = (
        f"; about {number_of(doubtful, 'match')} may be of one household, or of one kind of product"
    )
    return f"estimated from how records agree{also}, not measured{perhaps if doubtful else ''}"


def _doubtful(evidence: Evidence) -> int:
    """Matches, in two digits, that agree in some fields no better than strangers do.

    Answers tell what these are, so that none are left in doubt after some.
    """
    told = evidence.training.estimate
    doubtful = 0.0 if told is None or evidence.taught is not None else told.doubtful
    return int(float(f"{doubtful:.2g}"))


def _right(evidence: Evidence) -> str:
    """How many of 100 matches are expected to be right."""
    at, doubtful = evidence.eval, _doubtful(evidence)
    right = _about(at.precision.value)
    if not doubtful:
        return f"{right} are right"
    n_right = at.n_genuine - at.n_false_non_match
    less = _about((n_right - doubtful) * at.precision.value / max(n_right, 1))
    return f"{right} are right ({less} if those are not the same; gemel label tells)"


def sentence(evidence: Evidence) -> str:
    """What is expected of the threshold, for someone who knows no statistics."""
    known, at = evidence.labelled, evidence.eval
    if known is not None:
        found = f"{_about(known.recall.value)} of 100 that belong together are found"
        return f"{proven(known)}; {found if known.tells_missed else MISSED_UNKNOWN}."
    pairs, found = "pairs that belong together", _about(at.recall.value)
    if by_closeness(evidence):
        right = _about(at.precision.value)
        return (
            f"Unproven: {rests_on(evidence)}. If it holds, of 100 matches {right} are"
            f" closer than strangers come by chance; {ONLY_ALIKE}."
        )
    return (
        f"Unproven: {rests_on(evidence)}. If it holds, of 100 matches {_right(evidence)}, and of "
        f"100 {pairs} {found} are found."
    )


def proven(known: Known) -> str:
    """What people's answers prove of matches, as a clause that opens a sentence."""
    return (
        f"{_of_100(known)} at least {100 * known.goal:g} are right, with "
        f"{percent(known.confidence)} confidence, by {number_of(known.n_answers, 'answer')}"
    )


def in_full(evidence: Evidence) -> str:
    """The same, with what the estimate rests on."""
    if evidence.labelled is not None:
        return answered(evidence.labelled)
    right, found = (_about(e.value) for e in (evidence.eval.precision, evidence.eval.recall))
    if by_closeness(evidence):
        return (
            "Unproven: estimated from how close records are to each other and to variants made of "
            f"them, not measured. If the estimate is right, of 100 matches {right} are closer than "
            "strangers come by chance, and of 100 pairs that differ no more than such variants do "
            f"{found} are found. What differs more is missed; what only looks, sounds or reads "
            "alike is taken for the same, and how much of that there is, only labels can tell."
        )
    return (
        f"Unproven: {rests_on(evidence)}. If the estimate is right, of 100 matches "
        f"{_right(evidence)}, and of 100 pairs that belong together {found} are found; how far it "
        "is off, only labels can tell."
    )


def answered(known: Known) -> str:
    """What people's answers prove, for someone who knows no statistics."""
    sure, at = percent(known.confidence), known.precision
    left_open = f" and {known.n_unsure:,} left open" if known.n_unsure else ""
    least = math.floor(100 * known.recall.low)
    found = _about(known.recall.value)
    found = f"at least {least} are found and probably {found}" if least else f"{found} are found"
    missed = (
        f"of 100 pairs that belong together, of those that were looked for, {found}"
        if known.tells_missed
        else f"{MISSED_UNKNOWN} by these answers"
    )
    return (
        f"{_of_100(known)} at least {100 * known.goal:g} are right, with {sure} confidence, by "
        f"{number_of(known.n_answers, 'answer')}{left_open} about pairs of these records (counted: "
        f"{100 * at.value:.3g}, between {100 * at.low:.3g} and {100 * at.high:.3g}); {missed}."
    )


def headline(evidence: Evidence) -> str:
    """What a release without labels is, in a few words."""
    return HEADLINE if evidence.labelled is None else PROVEN


def found(evidence: Evidence, things: str) -> str:
    """What was looked at."""
    data, at, known = evidence.data, evidence.eval, evidence.labelled
    if known is not None:
        twice = f"; {known.n_agreed} of {known.n_double} that two people answered agree"
        together = f"about {known.n_genuine:,.0f} belong together"
        if not known.tells_missed:
            together = (
                f"about {known.n_match * known.precision.value:,.0f} of these belong together"
            )
        return (
            f"{data.n_records:,} {things}; {known.n_match:,} of their pairs match, {together}"
            f"{twice if known.n_double else ''}."
        )
    if by_closeness(evidence):
        return (
            f"{data.n_records:,} {things} without labels; about {at.n_genuine:,} of their pairs "
            "are expected to be closer than strangers come by chance, and about "
            f"{at.n_genuine - at.n_false_non_match:,} of these to match."
        )
    return (
        f"{data.n_records:,} {things} without labels; about {at.n_genuine:,} of their pairs are "
        f"expected to belong together, and about {at.n_genuine - at.n_false_non_match:,} of these "
        f"to match (F1 {share(at.f1.value)}, if the estimate is right)."
    )


def _of_100(known: Known) -> str:
    by = known.engine
    proposed = "" if by == EXACT else f" that engine {by} proposes"
    return f"Of {number_of(100, known.noun)}{proposed}"


def _about(rate: float) -> str:
    """So many of 100; what is estimated is never all of them, nor none."""
    return about(min(max(rate, TINY), 1 - TINY), 100)
