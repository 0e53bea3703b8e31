"""The table of routes, and what each does with the batchers.

Work of one kind shares a lane: a bounded queue and a thread of its own. Encoding, searching and
changing the gallery therefore do not wait for each other.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
import numpy as np
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from gemel.arrays import Float32
from gemel.config import ServeSettings
from gemel.errors import InvalidInput, NotFound, Overloaded
from gemel.serve import schemas
from gemel.serve.batcher import Answer, Batcher, Limits
from gemel.serve.endpoint import Call, Raw, Route
from gemel.serve.live import Live
from gemel.serve.openapi import document
from gemel.serve.problems import JSON, InternalError, NoGallery
from gemel.serve.service import Service
from gemel.serve.work import Delete, Embed, Enroll, Find, Get, Verify

RECORDS = "/v1/records"

VERIFY = Route(
    "POST",
    "/v1/verify",
    "/v1/verify",
    schemas.VerifyBody,
    schemas.VerifyReply,
    "Decide whether two items are the same",
)
SEARCH = Route(
    "POST",
    "/v1/search",
    "/v1/search",
    schemas.SearchBody,
    schemas.SearchReply,
    "The records of the gallery most like an item, each with a decision",
)
EMBED = Route(
    "POST",
    "/v1/embeddings",
    "/v1/embeddings",
    schemas.EmbeddingsBody,
    schemas.EmbeddingsReply,
    "Embeddings of one or more items, in the shape of OpenAI's API",
)
ENROLL = Route(
    "POST",
    RECORDS,
    RECORDS,
    schemas.RecordsBody,
    schemas.EnrollReply,
    "Add records to the gallery, or change those whose id is known",
)
DELETE = Route(
    "DELETE",
    RECORDS,
    RECORDS,
    schemas.IdsBody,
    schemas.DeleteReply,
    "Take records out of the gallery; ids that are not there are no error",
)
COUNT = Route(
    "GET", RECORDS, RECORDS, None, schemas.CountReply, "How many records the gallery holds"
)
GET = Route(
    "GET",
    f"{RECORDS}/{{record:path}}",
    f"{RECORDS}/{{id}}",
    None,
    schemas.RecordReply,
    "One record of the gallery",
)
DELETE_ONE = Route(
    "DELETE",
    f"{RECORDS}/{{record:path}}",
    f"{RECORDS}/{{id}}",
    None,
    schemas.DeleteReply,
    "Take one record out of the gallery",
)
RELEASE = Route(
    "GET", "/v1/release", "/v1/release", None, schemas.ReleaseReply, "What is live, as measured"
)
LIVE = Route(
    "GET", "/livez", "/livez", None, schemas.HealthReply, "200 while the process answers at all"
)
READY = Route(
    "GET", "/readyz", "/readyz", None, schemas.HealthReply, "200 while it takes requests, else 503"
)
METRICS = Route("GET", "/metrics", "/metrics", None, bytes, "Figures for Prometheus")
OPENAPI = Route("GET", "/openapi.json", "/openapi.json", None, dict, "This description")

TABLE = (
    VERIFY,
    SEARCH,
    EMBED,
    ENROLL,
    DELETE,
    COUNT,
    GET,
    DELETE_ONE,
    RELEASE,
    LIVE,
    READY,
    METRICS,
    OPENAPI,
)


class Routes:
    """Handlers of one service.

    Args:
        service: what answers.
        settings: limits of queue, batch and time.
        log: a logger.
    """

    def __init__(self, service: Service, settings: ServeSettings, log: Any) -> None:
        limits = Limits(settings.max_batch, settings.max_queue, settings.timeout_ms / 1000)
        metrics = service.metrics
        self._service = service
        self._max_batch = settings.max_batch
        self._encode: Batcher[Any, Any] = Batcher(service.encode, limits, "encode", metrics, log)
        self._find: Batcher[Any, Any] = Batcher(service.find, limits, "find", metrics, log)
        self._change: Batcher[Any, Any] = Batcher(service.change, limits, "change", metrics, log)
        self._is_ready = metrics.gauge("gemel_ready")
        self.stopping = False
        self.answers: dict[Route, Callable[[Call, Any], Awaitable[Any]]] = {
            VERIFY: self.verify,
            SEARCH: self.search,
            EMBED: self.embeddings,
            ENROLL: self.enroll,
            DELETE: self.delete,
            COUNT: self.count,
            GET: self.get,
            DELETE_ONE: self.delete_one,
            RELEASE: self.release,
            LIVE: self.alive,
            READY: self.ready,
            METRICS: self.figures,
            OPENAPI: self.description,
        }

    async def start(self) -> None:
        """Begin to take requests."""
        for lane in (self._encode, self._find, self._change):
            lane.start()
        self._is_ready.set(1)

    def begin_stop(self) -> None:
        """Say that the service is not ready any more; requests are still answered."""
        self.stopping = True
        self._is_ready.set(0)

    async def stop(self) -> None:
        """Finish what is in the queues and end."""
        self.begin_stop()
        for lane in (self._encode, self._find, self._change):
            await lane.stop()

    async def verify(self, call: Call, body: schemas.VerifyBody) -> schemas.VerifyReply:
        """Compare two items and decide."""
        self._encode.permit()
        live = call.live = self._service.live
        work = Verify(live, body.left, body.right, call.request_id)
        answer = await self._encode.submit(work, 2)
        call.timing = [("queue", answer.wait_s), ("encode", answer.run_s)]
        reply: schemas.VerifyReply = answer.value
        return reply

    async def search(self, call: Call, body: schemas.SearchBody) -> schemas.SearchReply:
        """Encode the query, then search the gallery of the same bundle."""
        self._encode.permit()
        self._find.permit()
        live = call.live = self._service.live
        _check_gallery(live)
        rows = await self._rows(call, (body.query,), "query")
        work = Find(live, rows[0], body.k, body.where, call.request_id)
        answer = await self._find.submit(work)
        _time(call, answer, "search")
        reply: schemas.SearchReply = answer.value
        return reply

    async def embeddings(self, call: Call, body: schemas.EmbeddingsBody) -> schemas.EmbeddingsReply:
        """Encode, in the shape of OpenAI's API."""
        self._encode.permit()
        live = call.live = self._service.live
        if body.dimensions not in (None, live.encoder.dim):
            raise InvalidInput(
                f"embeddings have {live.encoder.dim} dimensions, not {body.dimensions}",
                where="dimensions",
                hint="leave it out",
            )
        is_list = isinstance(body.input, list)
        items = tuple(body.input) if isinstance(body.input, list) else (body.input,)
        rows = await self._rows(call, items, "input[{}]" if is_list else "input")
        packed: list[Any] = (
            [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in rows]
            if body.encoding_format == "base64"
            else rows.tolist()
        )
        data = [schemas.Embedding(i, embedding) for i, embedding in enumerate(packed)]
        usage = schemas.Usage(len(items), len(items))
        return schemas.EmbeddingsReply(data, live.release.id, usage)

    async def enroll(self, call: Call, body: schemas.RecordsBody) -> schemas.EnrollReply:
        """Encode records and put them into the gallery."""
        self._encode.permit()
        self._change.permit()
        live = call.live = self._service.live
        _check_gallery(live)
        rows = await self._rows(call, tuple(r.payload for r in body.records), "records[{}].payload")
        work = Enroll(
            live,
            [record.id for record in body.records],
            rows,
            [_attributes(live, record) for record in body.records],
            call.request_id,
        )
        answer = await self._change.submit(work)
        _time(call, answer, "enroll")
        reply: schemas.EnrollReply = answer.value
        return reply

    async def delete(self, call: Call, body: schemas.IdsBody) -> schemas.DeleteReply:
        """Take records out of the gallery."""
        self._change.permit()
        live = call.live = self._service.live
        answer = await self._change.submit(Delete(live, body.ids, call.request_id))
        reply: schemas.DeleteReply = answer.value
        return reply

    async def delete_one(self, call: Call, _: None) -> schemas.DeleteReply:
        """Take the record that the path names out of the gallery."""
        return await self.delete(call, schemas.IdsBody([_record(call)]))

    async def get(self, call: Call, _: None) -> schemas.RecordReply:
        """The record that the path names."""
        self._find.permit()
        live = call.live = self._service.live
        answer = await self._find.submit(Get(live, _record(call)))
        reply: schemas.RecordReply = answer.value
        return reply

    async def count(self, call: Call, _: None) -> schemas.CountReply:
        """How many records the gallery holds."""
        live = call.live = self._service.live
        _check_gallery(live)
        return schemas.CountReply(live.gallery.count() if live.gallery else 0)

    async def release(self, call: Call, _: None) -> schemas.ReleaseReply:
        """What is live."""
        live = call.live = self._service.live
        manifest = live.release.manifest
        return schemas.ReleaseReply(
            release=manifest.id,
            space=manifest.space_id,
            name=manifest.name,
            created=manifest.created,
            modality=manifest.modality,
            fields=[schemas.FieldReply(field.name, field.kind) for field in live.fields],
            records=None if live.gallery is None else live.gallery.count(),
            policy=msgspec.to_builtins(live.policy),
            operating_points=_operating_points(live),
        )

    async def alive(self, _call: Call, _: None) -> schemas.HealthReply:
        """The process answers."""
        return schemas.HealthReply("alive")

    async def ready(self, call: Call, _: None) -> schemas.HealthReply:
        """The service takes requests; a warning does not change that."""
        live = call.live = self._service.live
        if self.stopping:
            raise Overloaded("the service is stopping", hint="try another replica")
        warning = self._service.warning
        return schemas.HealthReply("ready", live.release.id, live.release.space_id, warning)

    async def figures(self, _call: Call, _: None) -> Raw:
        """Metrics as text."""
        text = generate_latest(self._service.metrics.registry)
        return Raw(CONTENT_TYPE_PLAIN_0_0_4.encode(), text)

    async def description(self, _call: Call, _: None) -> Raw:
        """The routes, as OpenAPI 3.1."""
        return Raw(JSON, document(TABLE, self._service.live))

    async def _rows(self, call: Call, items: tuple[Any, ...], place: str) -> Float32:
        """Embeddings of any number of items, a batch at a time so that others can go between."""
        if call.live is None:
            raise InternalError("no release is live")
        parts: list[Float32] = []
        for first in range(0, len(items), self._max_batch):
            some = items[first : first + self._max_batch]
            work = Embed(call.live, some, place, first)
            answer = await self._encode.submit(work, len(some))
            if first == 0:
                _time(call, answer, "encode")
            parts.append(answer.value)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _operating_points(live: Live) -> Any:
    """Where the threshold was chosen and how it did on eval, as JSON values."""
    try:
        evidence = live.release.evidence
    except NotFound:
        return None
    return msgspec.to_builtins({"dev": evidence.dev, "eval": evidence.eval})


def _attributes(live: Live, record: schemas.NewRecord) -> dict[str, Any] | None:
    if record.attributes is None and live.fields and isinstance(record.payload, dict):
        return dict(record.payload)
    return record.attributes


def _check_gallery(live: Live) -> None:
    if live.gallery is None:
        raise NoGallery("this service has no gallery", hint="start it with one to search")


def _record(call: Call) -> str:
    """The id in the path, which may hold slashes, as it was before routing touched it."""
    raw: bytes = call.scope.get("raw_path") or b""
    try:
        return unquote_to_bytes(raw.partition(b"?")[0][len(RECORDS) + 1 :]).decode()
    except UnicodeDecodeError as e:
        raise InvalidInput("the id is not UTF-8", where="id") from e


def _time(call: Call, answer: Answer[Any], name: str) -> None:
    call.timing += [("queue", answer.wait_s), (name, answer.run_s)]
