"""Routes for what people say about decisions: what is asked, their answers, what follows."""

from __future__ import annotations

from gemel.errors import InvalidInput, quoted
from gemel.release.evidence.schema import Feedback
from gemel.serve import bodies, replies
from gemel.serve.http.endpoint import Answers, Call, Route
from gemel.serve.queues.queues import Lanes
from gemel.serve.requests import Propose, Verdict, Waiting
from gemel.serve.service import Service

VERDICT = Route(
    "POST",
    "/v1/verdicts",
    "/v1/verdicts",
    bodies.VerdictBody,
    replies.VerdictReply,
    "Say what a decision should have been; on disk when it is answered",
)
REVIEW = Route(
    "GET",
    "/v1/review",
    "/v1/review",
    None,
    replies.ReviewReply,
    "Decisions that wait for a person's answer, the oldest first; ?limit=100",
    ("limit",),
)
PROPOSAL = Route(
    "GET",
    "/v1/proposal",
    "/v1/proposal",
    None,
    Feedback,
    "What the answers say about the threshold; changes nothing",
)
MAX_WAITING = 1000


class Reviewing:
    """Handlers of verdicts."""

    def __init__(self, service: Service, lanes: Lanes) -> None:
        self._service = service
        self._lanes = lanes
        self.answers: Answers = {
            VERDICT: self.verdict,
            REVIEW: self.review,
            PROPOSAL: self.proposal,
        }

    async def verdict(self, call: Call, body: bodies.VerdictBody) -> replies.VerdictReply:
        """Note an answer."""
        live = call.live = self._service.live
        work = Verdict(live, body.decision_id, body.genuine, body.reviewer, call.request_id)
        reply: replies.VerdictReply = (await self._lanes.review.submit(work)).value
        return reply

    async def review(self, call: Call, _: None) -> replies.ReviewReply:
        """What waits."""
        live = call.live = self._service.live
        work = Waiting(live, _limit(call.query.get("limit", "100")))
        reply: replies.ReviewReply = (await self._lanes.review.submit(work)).value
        return reply

    async def proposal(self, call: Call, _: None) -> Feedback:
        """What the answers say."""
        live = call.live = self._service.live
        reply: Feedback = (await self._lanes.review.submit(Propose(live))).value
        return reply


def _limit(word: str) -> int:
    """The number that a query string gives.

    Raises:
        InvalidInput: it is no whole number in range.
    """
    is_number = word.isdecimal() and len(word) <= len(str(MAX_WAITING))
    if not is_number or not 1 <= int(word) <= MAX_WAITING:
        raise InvalidInput(
            f"limit {quoted(word, 20)} is no number from 1 to {MAX_WAITING}", where="limit"
        )
    return int(word)
