"""One HTTP exchange: read the body, decode it, have it answered, send the reply.

Everything that all routes share is here, once: media type, size limit, strict decoding, request
id, headers, error rendering, counting. It speaks ASGI directly, since a request to verify costs
little more than its own overhead.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from gemel.errors import (
    BodyTooLarge,
    GemelError,
    InternalError,
    InvalidInput,
    WrongMediaType,
    quoted,
)
from gemel.serve.context import LOCAL, Caller, Stage
from gemel.serve.http.body import SMALL, Body
from gemel.serve.http.intake import Intake
from gemel.serve.http.problems import JSON, SAFE, V2, render, retry_s
from gemel.serve.http.routes import query
from gemel.serve.http.routes.call import (
    Answer,
    Call,
    Raw,
    Receive,
    Route,
    Scope,
    Send,
    accepted_id,
    new_id,
)
from gemel.serve.wire.vectors import EmbeddingsReply, written
from gemel.serve.witness import Witness

MAX_DIGITS = 9
PIECE = 1 << 17
"""Bytes of a reply that are sent in one go."""
_encode = msgspec.json.Encoder().encode


class Endpoint:
    """The ASGI application of one route.

    Args:
        route: what it answers to.
        permit: raises where the answer would be refused, before a body is read for it.
        answer: takes the call and its decoded body, gives the reply.
        intake: bounds of bodies.
        witness: told of every request.
        log: a logger.
    """

    def __init__(
        self,
        route: Route,
        permit: Callable[[Call], None],
        answer: Answer,
        intake: Intake,
        witness: Witness,
        log: Any,
    ) -> None:
        self.route = route
        self._permit = permit
        self._is_v2 = route.path.startswith(V2)
        self._answer = answer
        self._body = None if route.body is None else Body(route.body)
        self._intake = intake
        self._log = log
        self._witness = witness

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, caller: Caller = LOCAL
    ) -> None:
        """Answer one request of somebody who may ask."""
        started = time.monotonic()
        call = Call(scope, "", caller=caller)
        status, content_type, again_s = 200, JSON, None
        try:
            announced = self._read_headers(call)
            if scope["query_string"] and self.route.query is not None:
                call.query = query.values(scope["query_string"], self.route.query)
            self._permit(call)
            body = None
            if self._body is not None:
                self._hold(call, announced)
                body = await self._read(self._body, call, receive)
            reply = await self._answer(call, body)
            if reply.__class__ is Raw:
                content_type, content = reply.content_type, [reply.body]
            else:
                is_large = reply.__class__ is EmbeddingsReply
                content = await written(reply) if is_large else [_encode(reply)]
        except Exception as e:
            error = explained(e, self.route, call, self._log)
            status, again_s = error.status, retry_s(error)
            content_type, body_of_error = render(error, self.route.label, call.request_id)
            content = [body_of_error]
        finally:
            self._intake.give_back(call.n_held)
        headers = _headers(call, again_s, content_type, sum(map(len, content)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await _send(content, send)
        self._witness.answered(self.route, call, status, started)

    def _read_headers(self, call: Call) -> int:
        """The length of the body that is announced, -1 if none is; takes the request id.

        Raises:
            WrongMediaType: a body that is not announced as JSON.
            BodyTooLarge: an announced length above the limit.
            InvalidInput: it waits for a time that is none.
        """
        length, kinds, waits = -1, [], None
        for name, value in call.scope["headers"]:
            if name == b"content-type":
                kinds.append(value)
            elif name == b"content-length":
                length = int(value)
            elif name == b"x-request-id":
                call.request_id = accepted_id(value)
            elif name == b"x-gemel-subject":
                call.subject = value.decode("latin-1")
            elif name == b"traceparent":
                call.traceparent = value.decode("latin-1")
            elif name == b"x-gemel-timeout-ms":
                waits = value
        call.request_id = call.request_id or new_id()
        if waits is not None:
            call.deadline = time.monotonic() + _milliseconds(waits) / 1000
        # Without a type, or as text, a page of any site may send it and ask nobody; clients of the
        # Open Inference Protocol name none, and of pages its routes answer only our own.
        is_typed = (len(kinds) == 1 and _is_json(kinds[0])) or (not kinds and self._is_v2)
        if self._body is not None and not is_typed:
            shown = quoted(b", ".join(kinds).decode("latin-1"), 80) if kinds else "no type"
            raise WrongMediaType(f"a body of {shown}", hint="send Content-Type: application/json")
        if length > self._intake.max_body:
            raise self._too_large(length)
        return length

    def _hold(self, call: Call, size: int) -> None:
        """Take room for a large body, before it is read where its length is announced.

        Raises:
            BodyTooLarge: it is longer than the limit.
            Overloaded: there is no room for it.
        """
        if size > self._intake.max_body:
            raise self._too_large(size)
        if size > max(SMALL, call.n_held):
            self._intake.take(size - call.n_held)
            call.n_held = size

    async def _read(self, kind: Body[Any], call: Call, receive: Receive) -> Any:
        """The body, decoded; a large one aside.

        Raises:
            BodyTooLarge: it is longer than the limit.
            Overloaded: there is no room for it.
            asyncio.CancelledError: the client has gone.
        """
        parts, size, more = [], 0, True
        while more:
            message: Any = await receive()
            if message["type"] == "http.disconnect":
                raise asyncio.CancelledError
            part: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            size += len(part)
            self._hold(call, size)
            parts.append(part)
            if more and call.n_held:
                await asyncio.sleep(self._intake.wait_s(len(part)))
        if call.n_held:
            return await self._intake.read(kind, parts)
        return kind.read(parts[0] if len(parts) == 1 else b"".join(parts))

    def _too_large(self, size: int) -> BodyTooLarge:
        return BodyTooLarge(
            f"the body has {size} bytes, the limit is {self._intake.max_body}",
            hint="send less, or raise serve.max_body_bytes",
        )


def explained(error: Exception, route: Route, call: Call, log: Any) -> GemelError:
    """The error as a client may see it; one that is not the request's own fault is logged."""
    told = error if isinstance(error, GemelError) else InternalError("internal error")
    if told.status == 500:
        log.error(
            "request_failed",
            route=route.label,
            request_id=call.request_id,
            release=call.live.release.id if call.live else None,
            exc_info=error,
        )
    _let_go(error)
    return told


def _let_go(error: BaseException | None) -> None:
    """Forget the frames an error came through: they know it too, and what such a circle holds, here
    a whole request, would go when garbage is collected and not when it is answered.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


def _milliseconds(value: bytes) -> int:
    """How long a caller waits.

    Raises:
        InvalidInput: it is no whole number above 0.
    """
    if not value.isdigit() or len(value) > MAX_DIGITS or not int(value):
        shown = quoted(value.decode("latin-1"), 20)
        hint = "a whole number above 0, such as 300"
        raise InvalidInput(f"{shown} are no milliseconds", where="X-Gemel-Timeout-Ms", hint=hint)
    return int(value)


def _is_json(media: bytes) -> bool:
    kind = media.partition(b";")[0].strip().lower()
    return kind == JSON or (kind.startswith(b"application/") and kind.endswith(b"+json"))


def server_timing(stages: list[Stage]) -> str:
    """Stages as the header says them."""
    return ", ".join([f"{stage.name};dur={stage.seconds * 1000:.2f}" for stage in stages])


@lru_cache(maxsize=16)
def _release_headers(release: str, space: str) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"x-gemel-release", release.encode()), (b"x-gemel-space", space.encode()))


async def _send(content: list[bytes], send: Send) -> None:
    """Send a body; others go on while a large one is taken."""
    last = content[0]
    if len(content) > 1 or len(last) > PIECE:
        pieces = [part[at : at + PIECE] for part in content for at in range(0, len(part), PIECE)]
        *others, last = pieces or [b""]
        for piece in others:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": last, "more_body": False})


def _headers(
    call: Call, again_s: int | None, content_type: bytes, length: int
) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % length),
        (b"x-request-id", call.request_id.encode()),
        *SAFE,
    ]
    if call.live is not None:
        release = call.live.release
        headers.extend(_release_headers(release.id, release.space_id))
    if call.timing:
        headers.append((b"server-timing", server_timing(call.timing).encode()))
    if call.ledger_fails:
        headers.append((b"x-gemel-ledger", b"failing"))
    if again_s is not None:
        headers.append((b"retry-after", b"%d" % again_s))
    return headers
