"""The route that gives reasons for a decision; it decides and records nothing."""

from __future__ import annotations

from gemel.arrays import Float32
from gemel.errors import InvalidInput
from gemel.release.explanation import Explanation
from gemel.serve import bodies
from gemel.serve.http.endpoint import Answers, Call, Route
from gemel.serve.live import Live
from gemel.serve.queues.queues import Lanes, check_gallery
from gemel.serve.requests import Advance, Explain
from gemel.serve.service import Service

EXPLAIN = Route(
    "POST",
    "/v1/explain",
    "/v1/explain",
    bodies.ExplainBody,
    Explanation,
    "Why two items, or an item and a record, are decided as they are",
)


class Explaining:
    """The handler of explanations.

    All variants of a pair go through the lane that encodes, a batch at a time; cutting and scoring
    them has a lane of its own.
    """

    def __init__(self, service: Service, lanes: Lanes) -> None:
        self._service = service
        self._lanes = lanes
        self.answers: Answers = {EXPLAIN: self.explain}

    async def explain(self, call: Call, body: bodies.ExplainBody) -> Explanation:
        """Explain a pair."""
        for lane in (self._lanes.explain, self._lanes.encode):
            lane.permit()
        live = call.live = self._service.live
        steps = self._service.answers.explaining(_work(live, body))
        rows: Float32 | None = None
        while True:
            step = await self._lanes.explain.submit(Advance(steps, rows))
            wanted, explanation = step.value
            if not wanted:
                found: Explanation = explanation
                return found
            rows = await self._lanes.rows(call, wanted, "", checked=True)


def _work(live: Live, body: bodies.ExplainBody) -> Explain:
    """What the body asks for.

    Raises:
        InvalidInput: neither a pair nor a query and a record.
        NoGallery: a record is named, and there is no gallery.
    """
    parts = body.parts == "auto"
    pair, hit = (body.left, body.right), (body.query, body.id)
    if None not in pair and hit == (None, None):
        return Explain(live, body.left, body.right, parts=parts, category=body.category)
    if None not in hit and pair == (None, None):
        check_gallery(live)
        return Explain(live, body.query, record=body.id, parts=parts, category=body.category)
    raise InvalidInput(
        "expected two items, or an item and a record",
        hint="send `left` and `right`, or `query` and `id`, that of a record in the gallery",
    )
