"""Reviews: what people are asked about, what they say, and what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime

from gemel.calibrate.answers.proposal import Feedback
from gemel.ledger.verdicts import answer, waiting
from gemel.serve.context import LOCAL, Context
from gemel.serve.steps import Move, Steps
from gemel.serve.wire.operation import (
    ProposalBody,
    ReviewBody,
    ReviewReply,
    VerdictBody,
    VerdictReply,
    WaitingReply,
)


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
    return VerdictReply(body.decision_id, noted.id, noted.note is None, noted.note)


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
    from gemel.release.make.adapt import feedback  # all that makes releases comes with it

    yield Move("review")
    books = context.books
    return feedback(context.live.release, context.ledger, books.adapt, shelf=books.shelf())
