"""Routes of classification: which class an item is of, and which classes there are."""

from __future__ import annotations

from gemel.serve import bodies, replies
from gemel.serve.http.endpoint import Answers, Call, Route
from gemel.serve.queues.queues import Lanes, check_gallery, note_time
from gemel.serve.requests import Classes, Classify
from gemel.serve.service import Service

CLASSIFY = Route(
    "POST",
    "/v1/classify",
    "/v1/classify",
    bodies.ClassifyBody,
    replies.ClassifyReply,
    "The class of an item among those enrolled, or unknown",
)
CLASSES = Route(
    "GET",
    "/v1/classes",
    "/v1/classes",
    None,
    replies.ClassesReply,
    "The classes of the gallery: the values of an attribute (`class`, or what `label` names)",
    ("label",),
)


class Classifying:
    """Handlers of classes."""

    def __init__(self, service: Service, lanes: Lanes) -> None:
        self._service = service
        self._lanes = lanes
        self.answers: Answers = {CLASSIFY: self.classify, CLASSES: self.classes}

    async def classify(self, call: Call, body: bodies.ClassifyBody) -> replies.ClassifyReply:
        """Encode the query, then compare it with the classes of the same bundle's gallery."""
        self._lanes.encode.permit()
        self._lanes.find.permit()
        live = call.live = self._service.live
        check_gallery(live)
        rows = await self._lanes.rows(call, (body.query,), "query")
        work = Classify(live, rows[0], body.k, body.label, body.where, call.request_id)
        answer = await self._lanes.find.submit(work)
        note_time(call, answer, "classify")
        reply: replies.ClassifyReply = answer.value
        return reply

    async def classes(self, call: Call, _: None) -> replies.ClassesReply:
        """Count the supports of each class."""
        self._lanes.find.permit()
        live = call.live = self._service.live
        check_gallery(live)
        answer = await self._lanes.find.submit(Classes(live, call.query.get("label", "class")))
        reply: replies.ClassesReply = answer.value
        return reply
