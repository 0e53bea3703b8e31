"""Routes of the gallery: search it, add records, look at them, take them out."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from gemel.arrays import Float32
from gemel.errors import InvalidInput
from gemel.serve import bodies, replies
from gemel.serve.http.endpoint import Answers, Call, Route
from gemel.serve.live import Live
from gemel.serve.queues.queues import Lanes, check_gallery, note_time
from gemel.serve.requests import Delete, Enroll, Find, Get, Identify
from gemel.serve.service import Service

RECORDS = "/v1/records"

SEARCH = Route(
    "POST",
    "/v1/search",
    "/v1/search",
    bodies.SearchBody,
    replies.SearchReply,
    "The records of the gallery most like an item, each with a decision",
)
IDENTIFY = Route(
    "POST",
    "/v1/identify",
    "/v1/identify",
    bodies.IdentifyBody,
    replies.IdentifyReply,
    "Who in the gallery an item is, or that it is unknown",
)
ENROLL = Route(
    "POST",
    RECORDS,
    RECORDS,
    bodies.RecordsBody,
    replies.EnrollReply,
    "Add records to the gallery, or change those whose id is known",
)
DELETE = Route(
    "DELETE",
    RECORDS,
    RECORDS,
    bodies.IdsBody,
    replies.DeleteReply,
    "Take records out of the gallery; ids that are not there are no error",
)
COUNT = Route(
    "GET", RECORDS, RECORDS, None, replies.CountReply, "How many records the gallery holds"
)
GET = Route(
    "GET",
    f"{RECORDS}/{{record:path}}",
    f"{RECORDS}/{{id}}",
    None,
    replies.RecordReply,
    "One record of the gallery",
)
DELETE_ONE = Route(
    "DELETE",
    f"{RECORDS}/{{record:path}}",
    f"{RECORDS}/{{id}}",
    None,
    replies.DeleteReply,
    "Take one record out of the gallery",
)


class Records:
    """Handlers of the gallery."""

    def __init__(self, service: Service, lanes: Lanes) -> None:
        self._service = service
        self._lanes = lanes
        self.answers: Answers = {
            SEARCH: self.search,
            IDENTIFY: self.identify,
            ENROLL: self.enroll,
            DELETE: self.delete,
            COUNT: self.count,
            GET: self.get,
            DELETE_ONE: self.delete_one,
        }

    async def search(self, call: Call, body: bodies.SearchBody) -> replies.SearchReply:
        """Encode the query, then search the gallery of the same bundle."""
        live, row = await self._query(call, body.query)
        category = live.category(body.query, body.category)
        work = Find(live, row, body.k, body.where, call.request_id, category, body.query)
        answer = await self._lanes.find.submit(work)
        note_time(call, answer, "search")
        reply: replies.SearchReply = answer.value
        return reply

    async def identify(self, call: Call, body: bodies.IdentifyBody) -> replies.IdentifyReply:
        """Encode the query, then decide about the best record of the same bundle's gallery."""
        live, row = await self._query(call, body.query)
        category = live.category(body.query, body.category)
        work = Identify(live, row, body.where, call.request_id, category, body.query)
        answer = await self._lanes.find.submit(work)
        note_time(call, answer, "search")
        reply: replies.IdentifyReply = answer.value
        return reply

    async def _query(self, call: Call, query: bodies.Item) -> tuple[Live, Float32]:
        """The bundle that answers, and the embedding of what is looked for: (d,) float32."""
        self._lanes.encode.permit()
        self._lanes.find.permit()
        live = call.live = self._service.live
        check_gallery(live)
        rows = await self._lanes.rows(call, (query,), "query")
        return live, rows[0]

    async def enroll(self, call: Call, body: bodies.RecordsBody) -> replies.EnrollReply:
        """Encode records and put them into the gallery."""
        self._lanes.encode.permit()
        self._lanes.change.permit()
        live = call.live = self._service.live
        check_gallery(live)
        rows = await self._lanes.rows(
            call, tuple(r.payload for r in body.records), "records[{}].payload"
        )
        work = Enroll(
            live,
            [record.id for record in body.records],
            rows,
            [_attributes(live, record) for record in body.records],
            call.request_id,
        )
        answer = await self._lanes.change.submit(work)
        note_time(call, answer, "enroll")
        reply: replies.EnrollReply = answer.value
        return reply

    async def delete(self, call: Call, body: bodies.IdsBody) -> replies.DeleteReply:
        """Take records out of the gallery."""
        self._lanes.change.permit()
        live = call.live = self._service.live
        answer = await self._lanes.change.submit(Delete(live, body.ids, call.request_id))
        reply: replies.DeleteReply = answer.value
        return reply

    async def delete_one(self, call: Call, _: None) -> replies.DeleteReply:
        """Take the record that the path names out of the gallery."""
        return await self.delete(call, bodies.IdsBody([_record(call)]))

    async def get(self, call: Call, _: None) -> replies.RecordReply:
        """The record that the path names."""
        self._lanes.find.permit()
        live = call.live = self._service.live
        answer = await self._lanes.find.submit(Get(live, _record(call)))
        reply: replies.RecordReply = answer.value
        return reply

    async def count(self, call: Call, _: None) -> replies.CountReply:
        """How many records the gallery holds."""
        live = call.live = self._service.live
        check_gallery(live)
        return replies.CountReply(live.gallery.count() if live.gallery else 0)


def _attributes(live: Live, record: bodies.NewRecord) -> dict[str, Any] | None:
    """As stated, with the values that rules look at; without a statement the row's own values."""
    row = live.attributes(record.payload)
    if record.attributes is None:
        return dict(row) if row else None
    ruled = {rule.field: row[rule.field] for rule in live.policy.rules if rule.field in row}
    return {**ruled, **record.attributes}


def _record(call: Call) -> str:
    """The id in the path, which may hold slashes, as it was before routing touched it."""
    raw: bytes = call.scope.get("raw_path") or b""
    try:
        return unquote_to_bytes(raw.partition(b"?")[0][len(RECORDS) + 1 :]).decode()
    except UnicodeDecodeError as e:
        raise InvalidInput("the id is not UTF-8", where="id") from e
