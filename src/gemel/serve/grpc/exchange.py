"""One call of gRPC: who asks and until when, and the reply or the error as gRPC has them.

The rules are those of HTTP: same access, same bodies, same limits, same errors and counts.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import grpc
import msgspec
from google.protobuf.message import DecodeError, Message

from gemel.errors import MalformedBody
from gemel.serve.http.body import SMALL
from gemel.serve.http.endpoint import explained, server_timing
from gemel.serve.http.front import Front
from gemel.serve.http.problems import Problem, problem, retry_s
from gemel.serve.http.routes.call import Call, Route, accepted_id, new_id

Code = grpc.StatusCode
CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    408: Code.DEADLINE_EXCEEDED,
    409: Code.FAILED_PRECONDITION,
    425: Code.FAILED_PRECONDITION,
    413: Code.RESOURCE_EXHAUSTED,
    422: Code.INVALID_ARGUMENT,
    429: Code.RESOURCE_EXHAUSTED,
    500: Code.INTERNAL,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
    507: Code.RESOURCE_EXHAUSTED,
}
"""Of the statuses that errors have over HTTP."""
NO_SCOPE: Any = {}
Answer = Callable[[Call, Any], Awaitable[Message]]
"""Takes the call and what was asked, gives the message of the reply."""
Classes = Mapping[str, type[Message]]


class Handler(NamedTuple):
    """A method of a service.

    Attributes:
        name: of the method.
        route: whose role, permit and counts its calls have.
        kind: of the request's message.
        answer: what answers.
        asked: what a message asks; of a large one found aside.
    """

    name: str
    route: Route
    kind: type[Message]
    answer: Answer
    asked: Callable[[Any], Any] = lambda message: message


class Exchange:
    """Answers the calls of one method.

    Args:
        front: who may ask, what is counted, and the way into the service.
        service: full name of the service.
        handler: of the method.
        log: a logger.
    """

    def __init__(self, front: Front, service: str, handler: Handler, log: Any) -> None:
        self._front, self._log = front, log
        name, self._route, self._kind, self._answer, self._asked = handler
        self._name = f"{service}/{name}"

    async def __call__(self, sent: bytes, context: Any) -> bytes:
        """The reply to one call, as it is sent; aborts the call on an error."""
        started, call = time.monotonic(), Call(NO_SCOPE, "")
        try:
            reply = await self._reply(call, sent, context)
        except Exception as e:
            error = explained(e, self._route, call, self._log)
            self._front.witness.answered(self._route, call, error.status, started, self._name)
            told = problem(error, call.request_id)
            context.set_trailing_metadata((*_said(call), *_said_of(told, retry_s(error))))
            line = ": ".join(part for part in (told.where, told.detail) if part)
            await context.abort(CODES.get(told.status, Code.INVALID_ARGUMENT), line)
        self._front.witness.answered(self._route, call, 200, started, self._name)
        context.set_trailing_metadata(_said(call))
        return reply

    async def _reply(self, call: Call, sent: bytes, context: Any) -> bytes:
        headers = [(name.encode(), _bytes(value)) for name, value in context.invocation_metadata()]
        for name, value in headers:
            if name == b"x-request-id":
                call.request_id = accepted_id(value)
            elif name == b"x-gemel-subject":
                call.subject = value.decode("latin-1")
            elif name == b"traceparent":
                call.traceparent = value.decode("latin-1")
        call.request_id = call.request_id or new_id()
        left = context.time_remaining()
        if left is not None:
            call.deadline = time.monotonic() + left
        call.caller = self._front.access.admit(headers, self._route.role)
        door = self._front.door
        door.permit(self._route, call)
        if len(sent) > SMALL:
            door.intake.take(len(sent))
            call.n_held = len(sent)
        try:
            if call.n_held:
                asked = await door.intake.aside(lambda: self._asked(read(self._kind, sent)))
            else:
                asked = self._asked(read(self._kind, sent))
            reply = await self._answer(call, asked)
            made: bytes = reply.SerializeToString()
            return made
        finally:
            door.intake.give_back(call.n_held)


def read(kind: type[Message], sent: bytes) -> Message:
    """The message in some bytes.

    Raises:
        MalformedBody: there is none.
    """
    try:
        return kind.FromString(sent)
    except DecodeError as e:
        what = f"this is no {kind.DESCRIPTOR.full_name}"
        raise MalformedBody(what, hint="send the message of this method") from e


def _said(call: Call) -> tuple[tuple[str, str], ...]:
    """What HTTP says in headers."""
    said = [("x-request-id", call.request_id)]
    if call.live is not None:
        release = call.live.release
        said += [("x-gemel-release", release.id), ("x-gemel-space", release.space_id)]
    if call.timing:
        said.append(("server-timing", server_timing(call.timing)))
    if call.ledger_fails:
        said.append(("x-gemel-ledger", "failing"))
    return tuple(said)


def _said_of(told: Problem, again_s: int | None) -> list[tuple[str, str | bytes]]:
    """The error in full, and when to try again as clients of gRPC read it."""
    said: list[tuple[str, str | bytes]] = [("gemel-problem-bin", msgspec.json.encode(told))]
    if again_s is not None:
        said += [("retry-after", str(again_s)), ("grpc-retry-pushback-ms", str(1000 * again_s))]
    return said


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1", "replace")
