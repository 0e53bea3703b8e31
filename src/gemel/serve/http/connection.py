"""One connection of a client, within limits: what a head may hold, how long a request may come.

Uvicorn has neither with its fast parser. Whoever sends nothing, or too slowly, is closed when its
time is up, and before that if its place is needed; who waits for an answer is not. A request whose
client has gone is not gone on with.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gemel.errors import GemelError, HeadTooLarge, Overloaded, RequestError, TooSlow
from gemel.serve.http.problems import rendered, whole
from gemel.serve.http.routes.call import accepted_id, new_id

MAX_HEAD = 64 << 10
"""Bytes of a request line and its headers, from which on no more are read."""
MAX_HEADERS = 100
MAX_PIPELINED = 32
"""Requests that may wait on one connection for the answer to the one before."""
HEAD_SECONDS = 10.0
"""From the connection, or the first byte, to the end of the headers."""
STALL_SECONDS = 5.0
"""Without a byte of a body."""
BODY_SECONDS = 60.0
FLUSH_SECONDS = 30.0
"""In which a client has to take its answer."""
LINGER_SECONDS = 1.0
"""In which a client whose request is refused half read may read why."""
START = "http.response.start"
CONTROLS = bytes(byte for byte in (*range(32), 127) if byte != 9)
"""What no header holds; each line ends in two of them."""
UNUSUAL = frozenset({b"connection", b"transfer-encoding"})
"""Headers that say how the connection goes on."""


class Connection(HttpToolsProtocol):
    """Uvicorn's protocol with limits; `limit_concurrency` of its configuration bounds how many."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.since = 0.0
        self._due = self._until = math.inf
        self._is_in_head = self.is_in_body = self._began = self._is_deaf = False
        self._n_head = self._n_headers = 0
        self._refusal: GemelError | None = None
        self._answered: RequestResponseCycle | None = None
        self._task: asyncio.Task[Any] | None = None

    @property
    def owes(self) -> bool:
        """A request has come whole and is not answered yet."""
        cycle = self._answered
        return cycle is not None and not cycle.response_complete and not cycle.more_body

    def sweep(self, now: float) -> None:
        """Close the connection if its client is late.

        Args:
            now: of the monotonic clock, seconds.
        """
        if now < self._due or self.owes:
            return
        if self.transport.is_closing():
            self.transport.abort()
        elif not self._is_deaf and self._is_half_read:
            self._refuse(TooSlow("the request did not come in time", hint="send it at once"))
        else:
            self.transport.close()
            self._due = now + LINGER_SECONDS

    def shutdown(self) -> None:
        """Close as soon as what has come whole is answered."""
        if self.owes:
            super().shutdown()
            return
        if self._is_half_read and not self._is_deaf:
            self._refuse(_stopping())
        self.transport.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; if need be in the place of who has asked nothing for the longest time."""
        super().connection_made(transport)
        self.since = time.monotonic()
        self._due = self.since + HEAD_SECONDS
        if self.limit_concurrency is None or len(self.connections) < self.limit_concurrency:
            return
        silent = [c for c in self.connections if isinstance(c, Connection) and not c.owes]
        oldest = min(silent, key=lambda c: c.since)
        self.connections.discard(oldest)
        if oldest is self:
            self._refuse(Overloaded("every connection waits for an answer", hint="try again later"))
            transport.close()
        else:
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what nobody waits for."""
        super().connection_lost(exc)
        cycle = self._answered
        if self._task is not None and cycle is not None and not cycle.response_complete:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless the head has become too large."""
        if self._is_deaf:
            app: Any = self.config.app
            self.flow.pause_reading()
            self.loop.call_later(app.door.intake.wait_s(len(data)), self._go_on)
            return
        self._began = False
        super().data_received(data)
        if self._is_in_head and not self._began:
            self._n_head += len(data)
            if self._n_head > MAX_HEAD:
                self._refuse(_too_large(f"more than {MAX_HEAD:,} bytes of headers"))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._is_in_head = self._began = True
        self._n_head = self._n_headers = 0
        self._due = time.monotonic() + HEAD_SECONDS

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; one behind the body is dropped."""
        if not self._is_in_head:
            return
        self._n_headers += 1
        if self._n_headers > MAX_HEADERS:
            self._stop(_too_large(f"more than {MAX_HEADERS} headers"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The request can be answered; its body follows."""
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(RequestError(f"more than {MAX_PIPELINED} requests wait on this connection"))
        if self.parser.should_upgrade() and _has_body(self.headers):  # it would be lost
            self._stop(RequestError("a body with a change of protocol", hint="send no Upgrade"))
        self._is_in_head, self.is_in_body = False, True
        now = time.monotonic()
        self._due, self._until = now + STALL_SECONDS, now + BODY_SECONDS
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._due = min(time.monotonic() + STALL_SECONDS, self._until)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self.is_in_body = False
        self.since = time.monotonic()
        self._due = self.since + FLUSH_SECONDS
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer was written."""
        self._due = time.monotonic() + FLUSH_SECONDS
        super().on_response_complete()
        if self._is_half_read:  # the next request has begun to come
            self._unset_keepalive_if_required()
        if self.is_in_body:  # nobody wants the rest
            self._hang_up()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed, or what a limit stopped."""
        self._refuse(self._refusal or RequestError("this is no request of HTTP/1.1"))

    @property
    def _is_half_read(self) -> bool:
        return self._is_in_head or self.is_in_body

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        task = self.loop.create_task(cycle.run_asgi(partial(self._answer, cycle, app)))
        self._task = task
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(
        self, cycle: RequestResponseCycle, app: Any, scope: Any, receive: Any, _: Any
    ) -> None:
        if cycle.disconnected:  # what came behind the headers was refused
            return
        reply = Reply(cycle, self)
        await app(scope, receive, reply.send)
        if not cycle.response_started and not cycle.disconnected:  # the service does not wait
            await self._tell_stopped(scope, reply)

    async def _tell_stopped(self, scope: Any, reply: Reply) -> None:
        """Refuse what was cut off unanswered."""
        error = _stopping()
        self.config.app.witness.count("other", error.status)  # type: ignore[union-attr]
        sent = next((v for k, v in scope["headers"] if k == b"x-request-id"), b"")
        headers, body = rendered(error, scope["path"], accepted_id(sent) or new_id())
        await reply.send({"type": START, "status": error.status, "headers": headers})
        await reply.send({"type": "http.response.body", "body": body, "more_body": False})

    def _go_on(self) -> None:
        """Hear, and forget, more of what nobody wants."""
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _stop(self, error: GemelError) -> None:
        """Leave the parser, which takes any exception as an error of the request."""
        self._refusal = error
        raise ValueError

    def _refuse(self, error: GemelError) -> None:
        """Answer with an error and listen no more."""
        app: Any = self.config.app
        app.witness.count("other", error.status)
        cycle = self._answered
        if cycle is not None and self.owes:  # what came before is answered, and nothing after it
            cycle.keep_alive = False
            self.pipeline.clear()
            self._is_deaf = True
            return
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(whole(error, new_id()))
        self._hang_up()

    def _hang_up(self) -> None:
        """Say and hear no more; who is still sending has time to read what was said."""
        self._is_deaf, self._due = True, time.monotonic() + LINGER_SECONDS
        if not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()


class Reply:
    """Takes the messages of one answer, a head and a body that are there together in one piece.

    Two pieces are two system calls, two packets and two turns of whoever waits for them.

    Args:
        cycle: of the server, for this request.
        connection: that it came on.
    """

    __slots__ = ("_connection", "_cycle", "_start")

    def __init__(self, cycle: RequestResponseCycle, connection: Connection) -> None:
        self._cycle, self._connection = cycle, connection
        self._start: Any = None

    async def send(self, message: Any) -> None:
        """Send a message; a start goes with the body behind it."""
        if message["type"] == START:
            if self._connection.is_in_body:
                await self._begin_early(message)
            else:
                self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if self._has_sent(start, message):
                return
            await self._cycle.send(start)
        await self._cycle.send(message)

    async def _begin_early(self, message: Any) -> None:
        """Who is answered before its body has come is told not to ask here again, since nobody
        listens from then on. Who is still sending has time to read it.
        """
        keep_alive = self._cycle.keep_alive
        start: Any = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await self._cycle.send(start)
        self._cycle.keep_alive = keep_alive  # the connection closes it when that was read

    def _has_sent(self, start: Any, message: Any) -> bool:
        """Whether head and body were sent in one piece; else nothing of them was."""
        cycle, body = self._cycle, message["body"]
        headers = [*cycle.default_headers, *start["headers"]]
        is_plain = (b"content-length", b"%d" % len(body)) in headers and not message["more_body"]
        if not is_plain or cycle.disconnected or cycle.flow.write_paused:
            return False
        if cycle.scope["method"] == "HEAD" or not cycle.keep_alive:
            return False
        parts = [STATUS_LINE[start["status"]]]
        for name, value in headers:
            if name in UNUSUAL:
                return False
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"\r\n")
        head = b"".join(parts)
        if len(head) - len(head.translate(None, CONTROLS)) != 2 * (len(headers) + 2):
            return False  # what the server says to such a header
        cycle.response_started = cycle.response_complete = True
        cycle.transport.write(head + body)
        cycle.message_event.set()
        cycle.on_response()
        return True


def _has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 "))
        for name, value in headers
    )


def _stopping() -> Overloaded:
    return Overloaded("the service is stopping", hint="try another replica")


def _too_large(what: str) -> HeadTooLarge:
    return HeadTooLarge(what, hint="send fewer and shorter headers")
