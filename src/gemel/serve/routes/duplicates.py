"""The route that finds which of a few records are the same; it needs no gallery."""

from __future__ import annotations

from gemel.errors import DuplicateRecord
from gemel.serve import bodies, replies
from gemel.serve.duplicates import Group
from gemel.serve.http.endpoint import Answers, Call, Route
from gemel.serve.queues.queues import Lanes, note_time
from gemel.serve.service import Service

DUPLICATES = Route(
    "POST",
    "/v1/duplicates",
    "/v1/duplicates",
    bodies.DuplicatesBody,
    replies.DuplicatesReply,
    "Which of these records are the same: clusters, and the pairs that they rest on",
)


class Duplicates:
    """The handler of duplicates."""

    def __init__(self, service: Service, lanes: Lanes) -> None:
        self._service = service
        self._lanes = lanes
        self.answers: Answers = {DUPLICATES: self.duplicates}

    async def duplicates(self, call: Call, body: bodies.DuplicatesBody) -> replies.DuplicatesReply:
        """Encode the records, compare all with all, decide and cluster."""
        self._lanes.encode.permit()
        self._lanes.find.permit()
        live = call.live = self._service.live
        ids = [record.id for record in body.records]
        if len(set(ids)) < len(ids):
            twice = next(i for i in ids if ids.count(i) > 1)
            raise DuplicateRecord(f"id {twice!r} stands twice", where="records")
        items = tuple(record.payload for record in body.records)
        rows = await self._lanes.rows(call, items, "records[{}].payload")
        work = Group(live, body.records, rows, body.method, body.max_risk, call.request_id)
        answer = await self._lanes.find.submit(work)
        note_time(call, answer, "cluster")
        reply: replies.DuplicatesReply = answer.value
        return reply
