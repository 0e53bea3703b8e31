"""What `gemel label` says: what is expected, what answers say so far, what a file left open."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gemel.errors import quoted
from gemel.figures import number_of

if TYPE_CHECKING:
    from gemel.calibrate.answers.known import Known
    from gemel.improve.labels.session import Session
    from gemel.improve.labels.told import Taken

EVERY = 10
"""Answers after which it is said what is known."""


def outlook(session: Session) -> str:
    """What is expected of the matches before anybody answers, and what answers bring."""
    from gemel.calibrate.answers.known import LEAST_ANSWERS
    from gemel.improve.labels.session import TEACHING
    from gemel.release.words.expected import about

    found = number_of(session.plan.n_match, session.known().noun)
    goal, rate, n = f"{100 * session.goal:g}", session.expected, session.needed()
    if rate is None:
        said = f"{found}; how many of them are right, answers tell"
    elif rate < session.goal:
        few = about(rate, 100)
        said = f"{found}, of 100 by the estimate {few} right; answers tell, and try to prove {goal}"
    else:
        said = f"{found}, of 100 by the estimate {about(rate, 100)} right"
        of = " drawn at random" if session.teaching else ""
        said += f"; about {round(n, -1):,} answers about pairs{of} prove {goal}" if n else ""
    if session.teaching is None:
        return said
    return (
        f"{said}. One question of {TEACHING + 1} is drawn so, the others teach: "
        f"gemel train learns from {LEAST_ANSWERS} answers on"
    )


def so_far(session: Session, known: Known) -> str:
    """What is known, or what is expected before any answer counts for this release."""
    if session.n_drawn:
        return in_words(session, known)
    kept = f"{_kept(session, known)}. " if session.n_asked else ""
    return kept + outlook(session)


def in_words(session: Session, known: Known) -> str:
    """What is known, in a sentence or two."""
    n, at = _kept(session, known), known.precision
    if not at.n_effective:
        return f"{n}; too few of each kind of pair to say anything yet"
    share = _share(at.low, at.high, known.goal)
    said = f"{n}; {number_of(known.n_match, known.noun)}, of which {share} right"
    goal = f"{100 * known.goal:g}"
    if known.proven:
        return f"{said}: at least {goal} is proven"
    if known.missing is None:
        if at.high < known.goal:
            return f"{said}; {goal} is not reached at this threshold"
        return f"{said}; whether {goal} are is open" if at.value < known.goal else said
    of = " at random" if _has_others(session, known) else ""
    return f"{said}; about {max(EVERY, round(known.missing, -1)):,} more{of} prove {goal}"


def _has_others(session: Session, known: Known) -> bool:
    """Whether there are answers that do not count for the precision of this release."""
    return len(session.answers.all()) > known.n_answers + known.n_besides


def _kept(session: Session, known: Known) -> str:
    """How many answers there are, how many of them count for what, in words."""
    from gemel.calibrate.answers.known import Taught

    said = session.answers.all()
    besides = ""
    if known.n_besides:
        besides = f" ({known.n_besides:,} more about pairs that are left out to link {known.links})"
    if not _has_others(session, known):
        return number_of(known.n_answers, "answer") + besides
    of = "none of them is about a pair drawn at random for this release"
    if known.n_answers:
        of = number_of(
            known.n_answers,
            "of them is about a pair drawn at random for this release and counts for its precision",
            "of them are about pairs drawn at random for this release and count for its precision",
        )
    found = f"{number_of(len(said), 'answer')} kept; {of}{besides}"
    teaches = session.teaches and Taught.of(said) is not None
    return f"{found}, all {len(said):,} teach" if teaches else found


def _share(low: float, high: float, goal: float) -> str:
    """How many lie between two shares, rounded apart, but to no goal that is not reached.

    Example:
        >>> _share(0.917, 0.998, 0.95), _share(0.999, 1.0, 0.95), _share(1.0, 1.0, 0.95)
        ('between 91 and 100 % are', 'between 99 and 100 % are', 'all are')
        >>> _share(0.051, 0.946, 0.95)
        'between 5 and less than 95 % are'
    """
    least, most = math.floor(round(100 * low, 6)), math.ceil(round(100 * high, 6))
    if least == most:
        return "all are" if most == 100 else f"{most} % are"
    below = "less than " if high < goal <= most / 100 else ""
    return f"between {least} and {below}{most} % are"


def what_teaches(said: Mapping[tuple[str, str], bool], *, proves: bool) -> str:
    """What `gemel train` makes of the answers so far, in words."""
    from gemel.calibrate.answers.known import LEAST_ANSWERS, Taught

    if Taught.of(said) is not None:
        then = ", into a release that gemel label then asks about anew" if proves else ""
        return f"next: gemel train learns from {number_of(len(said), 'answer')}{then}"
    n = number_of(len(said), "answer teaches", "answers teach")
    if len(said) >= LEAST_ANSWERS:
        kind, other = ("same", "different") if all(said.values()) else ("different", "same")
        return f"{n} gemel train nothing, as all say {kind}: it takes some that say {other}"
    return (
        f"{n} gemel train nothing yet: {LEAST_ANSWERS} are the least, "
        "some of them same and some different"
    )


def of_file(taken: Taken, path: Path) -> Iterator[str]:
    """What became of a file of answers, and what it leaves open."""
    said = f"{path}: {number_of(taken.n_drawn, 'answer')} about pairs drawn at random"
    if taken.n_again:
        said += f", {taken.n_again:,} about pairs that others answered"
    if taken.n_others:
        other = number_of(taken.n_others, "other answer is", "other answers are")
        said += f"; {other} kept"
    yield said
    if taken.n_left:
        why = "left out by --limit" if taken.is_limited else "not needed"
        yield f"{number_of(taken.n_left, 'more is', 'more are')} {why}"
    if taken.lacks is not None:
        pair = " and ".join(map(quoted, taken.lacks.pair))
        yield (
            f"it does not know {pair}, the next that are drawn at random: gemel label asks about "
            "them. Pairs drawn later count from then on; without those that a file does not know, "
            "matches would look better or worse than they are"
        )
