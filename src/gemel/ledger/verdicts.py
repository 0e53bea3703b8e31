"""People's answers to decisions, as the ledger holds them.

Who is asked follows from the entry alone: its id ends in random digits, and a decision is asked
about if they fall below the probability that was noted with it. So the choice can be checked later,
needs no list of its own, and the probability by which an answer has to be weighted is always known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from msgspec import UNSET

from gemel.errors import UnknownDecision, quoted
from gemel.ledger.bodies import Answered, Identified, Searched, Verified
from gemel.ledger.chain import Entry
from gemel.ledger.ledger import Ledger

DECISION = "verify"
VERDICT = "verdict"
PAGE = 2000
RANDOM_DIGITS = 8
UNASKED = (
    "it does not count for a proposal: nobody was asked about this decision, and answers that "
    "people choose to give say nothing about the others"
)
OF_BEST = (
    "it does not count for a proposal: the best of a gallery is the most alike of many, and says "
    "nothing of pairs that are compared one by one; people are asked about decisions of verify only"
)
ALL_DIGITS: int = 16**RANDOM_DIGITS


@dataclass(frozen=True)
class Asked:
    """A decision that a person is asked about.

    Attributes:
        id: of the decision.
        seq: its number in the ledger.
        time_us: when it was made, in microseconds since 1970.
        release: that made it.
        score: higher is more alike.
        outcome: `match`, `no_match` or `review`.
        probability: with which it is asked about.
        category: of both sides, where the release decides by it.
        answers: reviewer to the last answer, true = genuine.
    """

    id: str
    seq: int
    time_us: int
    release: str
    score: float
    outcome: str
    probability: float
    category: tuple[str | None, str | None] | None = None
    answers: dict[str, bool] = field(default_factory=dict)

    @property
    def genuine(self) -> bool | None:
        """What most reviewers say; None without an answer, or where they are divided evenly."""
        yes = sum(self.answers.values())
        no = len(self.answers) - yes
        return None if yes == no else yes > no

    def wants_another(self, second: float) -> bool:
        """Whether another answer would tell more about errors of the one that is there.

        An answer against a decision that people only look at by chance stands for many, so it is
        confirmed; of all others a share is, by other digits of the id than who is asked.

        Args:
            second: that share.
        """
        if len(self.answers) > 1:
            return len(self.answers) == 2 and self.genuine is None
        against = self.outcome != "review" and self.genuine != (self.outcome == "match")
        return against or is_asked(self.id[:-RANDOM_DIGITS], second)


@dataclass(frozen=True)
class Noted:
    """An answer in the ledger.

    Attributes:
        id: of its entry.
        note: why it does not count for a proposal, `UNASKED` or `OF_BEST`; None if it does.
    """

    id: str
    note: str | None


def is_asked(decision_id: str, probability: float) -> bool:
    """Whether a person is asked about a decision.

    Args:
        decision_id: id of its entry.
        probability: noted with it, in [0, 1].
    Example:
        >>> is_asked("0" * 24 + "40000000", 0.5), is_asked("0" * 24 + "c0000000", 0.5)
        (True, False)
    """
    return int(decision_id[-RANDOM_DIGITS:], 16) / ALL_DIGITS < probability


def resolve(ledger: Ledger, start: str) -> str:
    """The id of the one entry whose id starts like that.

    Raises:
        UnknownDecision: none or several do.
    """
    found = ledger.starting(start)
    if len(found) == 1:
        return found[0]
    what = "several ids start with" if found else "no decision"
    raise UnknownDecision(
        f"{what} {quoted(start)}", where="decision_id", hint="see: gemel review list"
    )


def answer(
    ledger: Ledger, decision_id: str, genuine: bool, *, reviewer: str, request_id: str = ""
) -> Noted:
    """Note a person's answer to a decision; on return it is on disk.

    A second answer of the same reviewer replaces the first, and both stay in the ledger.

    Args:
        ledger: that the decision is in.
        decision_id: of the decision.
        genuine: whether the two are the same; of a search, the query and its best hit.
        reviewer: who says so.
        request_id: of the request, for tracing; empty outside of a service.
    Raises:
        UnknownDecision: no such decision.
    """
    entry = ledger.find(decision_id)
    note = None if entry is None else _note(entry)
    if entry is None or note == "":
        raise UnknownDecision(
            f"no decision {quoted(decision_id)} about two things",
            where="decision_id",
            hint="send the decision_id of a reply to /v1/verify, /v1/search or /v1/identify",
        )
    body = Answered(decision=decision_id, genuine=genuine, reviewer=reviewer, request_id=request_id)
    return Noted(ledger.append_durable(VERDICT, body), note)


def _note(entry: Entry) -> str | None:
    """Why an answer about an entry does not count; empty where it is about nothing."""
    if entry.kind == "search":
        return OF_BEST if entry.read(Searched).best is not None else ""
    if entry.kind == "identify":
        return OF_BEST if entry.read(Identified).score is not None else ""
    if entry.kind != DECISION:
        return ""
    probability = entry.read(Verified).review_probability
    if probability is UNSET:
        return ""
    return None if is_asked(entry.id, probability) else UNASKED


def decisions(
    ledger: Ledger, *, kind: str = DECISION, releases: Collection[str] | None = None
) -> tuple[list[Asked], int]:
    """Every decision that is asked about, with its answers, and how many decisions there are.

    Args:
        ledger: to read, a page at a time.
        kind: of decision.
        releases: only theirs; None takes all.
    """
    asked: dict[str, Asked] = {}
    n_decisions = 0
    for entry in _pages(ledger, kind):
        decided = entry.read(Verified)
        if releases is not None and decided.release not in releases:
            continue
        n_decisions += 1
        found = _asked(entry, decided)
        if found is not None:
            asked[found.id] = found
    for entry in _pages(ledger, VERDICT):
        said = entry.read(Answered)
        about = asked.get(said.decision)
        if about is not None:
            about.answers[said.reviewer] = said.genuine
    return list(asked.values()), n_decisions


def waiting(
    ledger: Ledger, *, limit: int = 100, reviewer: str | None = None, second: float = 0.0
) -> list[Asked]:
    """Decisions that nobody has answered yet, the oldest first.

    Args:
        ledger: to read.
        limit: decisions at most.
        reviewer: also those where this person's answer would tell how often others err.
        second: share of answered decisions that a second person is asked about.
    """
    answers: dict[str, dict[str, bool]] = {}
    for entry in _pages(ledger, VERDICT):
        said = entry.read(Answered)
        answers.setdefault(said.decision, {})[said.reviewer] = said.genuine
    found: list[Asked] = []
    for entry in _pages(ledger, DECISION):
        given = answers.get(entry.id, {})
        if given and (reviewer is None or reviewer in given):
            continue
        asked = _asked(entry, entry.read(Verified))
        if asked is not None:
            asked.answers.update(given)
            if not given or asked.wants_another(second):
                found.append(asked)
        if len(found) == limit:
            break
    return found


def _asked(entry: Entry, decided: Verified) -> Asked | None:
    probability = decided.review_probability
    if probability is UNSET or not is_asked(entry.id, probability):
        return None
    return Asked(
        entry.id,
        entry.seq,
        entry.time_us,
        decided.release or "",
        decided.score,
        decided.outcome,
        probability,
        decided.category or None,
    )


def _pages(ledger: Ledger, kind: str) -> Iterator[Entry]:
    """Entries of a kind, in order, a page at a time."""
    ledger.flush()
    after = 0
    while page := ledger.entries(after=after, kind=kind, limit=PAGE):
        yield from page
        after = page[-1].seq
