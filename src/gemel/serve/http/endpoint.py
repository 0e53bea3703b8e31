"""One HTTP exchange: read the body, decode it, have it answered, send the reply.

Everything that all routes share is here, once: media type, size limit, strict decoding, request
id, headers, error rendering, counting. It speaks ASGI directly, since a request to verify costs
little more than its own overhead.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec
from litestar.types import Receive, Scope, Send

from gemel.errors import (
    BodyTooLarge,
    GemelError,
    InternalError,
    InvalidInput,
    MalformedBody,
    WrongMediaType,
    quoted,
)
from gemel.serve.context import Role
from gemel.serve.http.error_path import told
from gemel.serve.http.problems import JSON, RETRY_AFTER, render
from gemel.serve.live import Live
from gemel.serve.service import Verb
from gemel.serve.steps import Lane
from gemel.telemetry import STATUSES, Metrics

MAX_ID = 128
_PREFIX = secrets.token_hex(4)
_NUMBERS = itertools.count(1)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Raw:
    """A reply that is no JSON of a struct."""

    content_type: bytes
    body: bytes


@dataclass(eq=False, slots=True)
class Call:
    """A request as its handler sees it.

    Attributes:
        scope: of ASGI.
        request_id: the client's, or a new one.
        live: the bundle that answers; its ids go into the headers.
        timing: for `Server-Timing`: names and seconds.
        query: names and values of the query string; of names that come twice, the last.
        ledger_fails: what is decided cannot be noted at the moment, and the headers say so.
    """

    scope: Scope
    request_id: str
    live: Live | None = None
    timing: list[tuple[str, float]] = field(default_factory=list)
    query: dict[str, str] = field(default_factory=dict)
    ledger_fails: bool = False


@dataclass(frozen=True, kw_only=True)
class Route:
    """A row of the table of routes.

    Args:
        method: of HTTP.
        path: with `{name:path}` for a part that varies.
        body: type that the request's body must have, or None for no body.
        reply: type of the reply.
        summary: what it does, in one sentence.
        role: that a caller must have.
        verb: that answers; None for what the service tells of itself.
        lanes: that the verb goes through; a request is refused before any work if one is full.
        read: makes the verb's body of path and query string where the request brings none.
        query: names that the query string may have; None does not look at it, for what probes and
            scrapers add.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    body: type[Any] | None = None
    reply: type[Any]
    summary: str
    role: Role
    verb: Verb[Any, Any] | None = None
    lanes: tuple[Lane, ...] = ()
    read: Callable[[Call], Any] | None = None
    query: tuple[str, ...] | None = ()

    @property
    def label(self) -> str:
        """The path for people and metrics."""
        return self.path.replace("{record:path}", "{id}")


Answer = Callable[[Call, Any], Awaitable[Any]]
"""Takes the call and its decoded body, None where the route has none; gives the reply."""


class Endpoint:
    """The ASGI application of one route.

    Args:
        route: what it answers to.
        answer: takes the call and its decoded body, gives the reply.
        max_body: bytes of a body, at most.
        metrics: what is counted.
        log: a logger.
    """

    def __init__(
        self, route: Route, answer: Answer, max_body: int, metrics: Metrics, log: Any
    ) -> None:
        self.route = route
        self._answer = answer
        self._decode = None if route.body is None else msgspec.json.Decoder(route.body).decode
        self._max_body = max_body
        self._log = log
        self._seconds = metrics.histogram("gemel_request_seconds", route.label)
        self._statuses = {
            int(status): metrics.counter("gemel_requests_total", route.label, status)
            for status in STATUSES
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        call = Call(scope, "")
        status, content_type, sent = 200, JSON, b""
        try:
            length = self._read_headers(call)
            if scope["query_string"] and self.route.query is not None:
                call.query = _query(scope["query_string"], self.route.query)
            if self._decode is None:
                reply = await self._answer(call, None)
            else:
                sent = await self._body(length, receive)
                reply = await self._answer(call, self._decode(sent))
            if reply.__class__ is Raw:
                content_type, content = reply.content_type, reply.body
            else:
                content = _encode(reply)
        except Exception as e:
            error = self._explained(e, call, sent)
            status = error.status
            content_type, content = render(error, self.route.label, call.request_id)
        headers = _headers(call, status, content_type, len(content))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})
        self._statuses[status].inc()
        self._seconds.observe(time.perf_counter() - started)

    def _read_headers(self, call: Call) -> int:
        """Take the request id; the length that is announced, -1 if none is.

        Raises:
            WrongMediaType: a body that is not announced as JSON.
            BodyTooLarge: an announced length above the limit.
        """
        length, kinds = -1, []
        for name, value in call.scope["headers"]:
            if name == b"content-type":
                kinds.append(value)
            elif name == b"content-length":
                length = int(value)
            elif name == b"x-request-id":
                call.request_id = accepted_id(value)
        call.request_id = call.request_id or new_id()
        if self._decode is not None and not (len(kinds) == 1 and _is_json(kinds[0])):
            # Without a type, or as text, a page of any site may send it and ask nobody.
            shown = quoted(b", ".join(kinds).decode("latin-1"), 80) if kinds else "no type"
            raise WrongMediaType(f"a body of {shown}", hint="send Content-Type: application/json")
        if length > self._max_body:
            raise self._too_large(length)
        return length

    async def _body(self, length: int, receive: Receive) -> bytes:
        """The whole body.

        Raises:
            BodyTooLarge: it is longer than the limit.
        """
        message: Any = await receive()
        body: bytes = message.get("body", b"")
        parts, size = [body], len(body)
        while message.get("more_body") and size <= self._max_body:
            message = await receive()
            part = message.get("body", b"")
            size += len(part)
            parts.append(part)
        if size > self._max_body:
            raise self._too_large(max(size, length))
        return body if len(parts) == 1 else b"".join(parts)

    def _too_large(self, size: int) -> BodyTooLarge:
        return BodyTooLarge(
            f"the body has {size} bytes, the limit is {self._max_body}",
            hint="send less, or raise serve.max_body_bytes",
        )

    def _explained(self, error: Exception, call: Call, sent: bytes) -> GemelError:
        """The error as a client may see it."""
        if isinstance(error, msgspec.ValidationError):
            what, where = told(error, sent)
            return InvalidInput(what, where=where, hint="see /openapi.json")
        if isinstance(error, msgspec.DecodeError | UnicodeDecodeError | RecursionError):
            return MalformedBody(f"the body is not JSON: {error}", hint="send one JSON object")
        if isinstance(error, GemelError) and error.status != 500:
            return error
        self._log.error(
            "request_failed",
            route=self.route.label,
            request_id=call.request_id,
            release=call.live.release.id if call.live else None,
            exc_info=error,
        )
        return error if isinstance(error, GemelError) else InternalError("internal error")


def new_id() -> str:
    """A request id that no other request of any process has."""
    return f"{_PREFIX}-{next(_NUMBERS):08x}"


def accepted_id(value: bytes) -> str:
    """A client's request id if it can be repeated safely, else an empty string."""
    if 0 < len(value) <= MAX_ID and all(33 <= byte <= 126 for byte in value):
        return value.decode("ascii")
    return ""


def _query(sent: bytes, known: tuple[str, ...]) -> dict[str, str]:
    """The values of a query string.

    Raises:
        InvalidInput: it has another name than those that are known.
    """
    asked = dict(parse_qsl(sent.decode("latin-1"), keep_blank_values=True))
    for name in asked:
        if name not in known:
            hint = f"known: {', '.join(known)}" if known else "this route takes none"
            raise InvalidInput(
                f"unknown query parameter {quoted(name)}", where=name[:60], hint=hint
            )
    return asked


def _is_json(media: bytes) -> bool:
    kind = media.partition(b";")[0].strip().lower()
    return kind == JSON or (kind.startswith(b"application/") and kind.endswith(b"+json"))


@lru_cache(maxsize=16)
def _release_headers(release: str, space: str) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"x-gemel-release", release.encode()), (b"x-gemel-space", space.encode()))


def _headers(
    call: Call, status: int, content_type: bytes, length: int
) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % length),
        (b"x-request-id", call.request_id.encode()),
    ]
    if call.live is not None:
        release = call.live.release
        headers.extend(_release_headers(release.id, release.space_id))
    if call.timing:
        timing = ", ".join([f"{name};dur={seconds * 1000:.2f}" for name, seconds in call.timing])
        headers.append((b"server-timing", timing.encode()))
    if call.ledger_fails:
        headers.append((b"x-gemel-ledger", b"failing"))
    if status in RETRY_AFTER:
        headers.append((b"retry-after", RETRY_AFTER[status]))
    return headers
