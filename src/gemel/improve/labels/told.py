"""What a file of pairs answers of a session, and what it leaves open.

Nobody knows why a file lacks a pair: files of known links lack those that are none. So the first
pair drawn at random that it lacks stays open, and those after it count once a person has answered
it. Questions that teach need no order: what a file lacks of them is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile

from gemel.improve.labels.questions import Pair, Question
from gemel.improve.labels.session import Session

STEP = 20
"""Answers after which it is looked whether the goal is proven."""


@dataclass(frozen=True)
class Taken:
    """What became of the answers of a file.

    Attributes:
        n_again: about pairs that others had answered.
        n_drawn: about pairs drawn at random, which count.
        n_others: about others, which teach.
        n_left: that were not taken.
        is_limited: since there were as many as the limit; else the goal is proven.
        lacks: the pair drawn at random that is next, if the file does not know it and the goal is
            not proven.
    """

    n_again: int
    n_drawn: int
    n_others: int
    n_left: int
    is_limited: bool
    lacks: Question | None


def take(session: Session, said: Mapping[Pair, bool], limit: int) -> Taken:
    """Note what a file says: what counts until the goal is proven, then what only teaches.

    Of the latter first what might have been asked about; the rest is mostly far from any match.

    Args:
        session: of the person whose file it is.
        said: whether pairs, named as the plan names them, are the same.
        limit: answers at most.
    """

    def note(pairs: Iterable[Pair]) -> None:
        session.say_all([(pair, "same" if said[pair] else "different") for pair in pairs])

    again = [q.pair for q in session.seconds() if q.pair in said][:limit]
    note(again)
    drawn = [q.pair for q in takewhile(lambda q: q.pair in said, session.ahead())]
    drawn, n_drawn = drawn[: limit - len(again)], 0
    while n_drawn < len(drawn) and not session.known().proven:
        note(drawn[n_drawn : n_drawn + STEP])
        n_drawn = min(n_drawn + STEP, len(drawn))
    proven = session.known().proven
    rest = [pair for pair in said if not session.answers.of(pair)]
    rest.sort(key=lambda pair: not session.asks(pair))
    is_needed = session.teaching is not None or not proven
    others = rest[: limit - len(again) - n_drawn] if is_needed else []
    note(others)
    following = None if proven else next(session.ahead(), None)
    return Taken(
        n_again=len(again),
        n_drawn=n_drawn,
        n_others=len(others),
        n_left=len(rest) - len(others),
        is_limited=len(again) + n_drawn + len(others) == limit,
        lacks=None if following is None or following.pair in said else following,
    )
