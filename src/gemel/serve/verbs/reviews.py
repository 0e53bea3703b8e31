"""Reviews: what people are asked about, what they say, and what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

from gemel.ledger.verdicts import UNASKED, answer, waiting
from gemel.release.evidence.schema import Feedback
from gemel.release.make.adapt import feedback
from gemel.serve.context import LOCAL, Context
from gemel.serve.steps import Move, Steps
from gemel.serve.verbs.wire import Body

MAX_WAITING = 1000


class VerdictBody(Body):
    """A person's answer to a decision: are the two really the same?"""

    decision_id: Annotated[str, Meta(min_length=32, max_length=32, pattern="^[0-9a-f]*$")]
    genuine: bool
    reviewer: Annotated[
        str, Meta(max_length=64, description="Who says so; a second answer replaces the first")
    ] = ""


class VerdictReply(Struct):
    """An answer that is on disk; `counts` for a proposal unless the note says why not."""

    decision_id: str
    verdict_id: str
    counts: bool
    note: str | None


class ReviewBody(Body):
    """Which decisions wait for an answer?"""

    limit: Annotated[int, Meta(ge=1, le=MAX_WAITING)] = 100
    reviewer: str | None = None


class WaitingReply(Struct):
    """A decision that nobody has answered yet, or that the reviewer should answer too."""

    decision_id: str
    outcome: str
    score: float
    release: str
    time: str


class ReviewReply(Struct):
    """What people are asked about, the oldest first."""

    waiting: list[WaitingReply]


class ProposalBody(Body):
    """What do the answers say about the threshold?"""


def verdict(context: Context, body: VerdictBody) -> Steps[VerdictReply]:
    """Note what a decision should have been; on disk on return."""
    yield Move("review")
    context.check_change()
    noted = answer(
        context.ledger,
        body.decision_id,
        body.genuine,
        reviewer=_signed(context, body.reviewer),
        request_id=context.request_id,
    )
    note = None if noted.counts else UNASKED
    return VerdictReply(body.decision_id, noted.id, noted.counts, note)


def review(context: Context, body: ReviewBody) -> Steps[ReviewReply]:
    """Decisions that wait for an answer, the oldest first."""
    yield Move("review")
    second = context.books.adapt.second_ratio
    reviewer = None if body.reviewer is None else _signed(context, body.reviewer)
    found = waiting(context.ledger, limit=body.limit, reviewer=reviewer, second=second)
    return ReviewReply(
        [
            WaitingReply(
                decision_id=a.id,
                outcome=a.outcome,
                score=a.score,
                release=a.release,
                time=datetime.fromtimestamp(a.time_us / 1e6, UTC).isoformat(),
            )
            for a in found
        ]
    )


def _signed(context: Context, reviewer: str) -> str:
    """Who answers: behind a key its name, so that nobody replaces the answer of another key."""
    if context.caller is LOCAL:
        return reviewer
    return f"{context.caller.name}/{reviewer}" if reviewer else context.caller.name


def proposal(context: Context, body: ProposalBody) -> Steps[Feedback]:
    """What the answers say; changes nothing."""
    yield Move("review")
    books = context.books
    return feedback(context.live.release, context.ledger, books.adapt, shelf=books.shelf())
