"""One answer as it leaves: in one piece where head and body are there together."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gemel.serve.http.connection import Reply

BODY = b'{"a":1}'
LENGTH = (b"content-length", b"%d" % len(BODY))


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True


def answered(
    *headers: tuple[bytes, bytes],
    pieces: tuple[bytes, ...] = (BODY,),
    method: str = "POST",
    early: bool = False,
    keep_alive: bool = True,
) -> tuple[Wire, RequestResponseCycle, list[str]]:
    """What is written for one answer, its cycle, and what came of it."""
    wire, ends = Wire(), []
    logger: Any = None
    scope: Any = {"type": "http", "method": method, "http_version": "1.1"}
    cycle = RequestResponseCycle(
        scope=scope,
        transport=wire,
        flow=FlowControl(wire),
        logger=logger,
        access_logger=logger,
        access_log=False,
        default_headers=[(b"date", b"today")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: ends.append("answered"),
    )

    async def send() -> None:
        connection: Any = SimpleNamespace(is_in_body=early)
        reply = Reply(cycle, connection)
        start = {"type": "http.response.start", "status": 200, "headers": list(headers)}
        await reply.send(start)
        for i, piece in enumerate(pieces):
            more = i + 1 < len(pieces)
            await reply.send({"type": "http.response.body", "body": piece, "more_body": more})

    asyncio.run(send())
    return wire, cycle, ends


def test_a_head_and_its_body_leave_in_one_piece() -> None:
    wire, cycle, ends = answered(LENGTH, (b"x-a", b"b\tc"))
    head = b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 7\r\nx-a: b\tc\r\n\r\n"
    assert wire.written == [head + BODY]
    assert cycle.response_complete and cycle.message_event.is_set() and ends == ["answered"]


@pytest.mark.parametrize(
    "said",
    [
        {"pieces": (BODY[:3], BODY[3:])},
        {"method": "HEAD"},
        {"keep_alive": False},
        {"early": True},
    ],
    ids=str,
)
def test_what_is_not_plain_goes_the_way_of_the_server(said: Any) -> None:
    wire, cycle, ends = answered(LENGTH, **said)
    whole = b"".join(wire.written)
    assert (
        wire.written[0].endswith(b"\r\n\r\n") and cycle.response_complete and ends == ["answered"]
    )
    assert whole.startswith(b"HTTP/1.1 200 OK\r\ndate: today\r\n")
    assert whole.endswith(b"\r\n\r\n" if said.get("method") else b"\r\n\r\n" + BODY)
    is_last = said.get("early", False) or not said.get("keep_alive", True)
    assert (b"connection: close\r\n" in whole) == is_last
    assert cycle.keep_alive == said.get("keep_alive", True)


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb", b"\0", b"\x7f"])
def test_a_header_that_would_end_early_is_not_sent(value: bytes) -> None:
    with pytest.raises(RuntimeError, match="Invalid HTTP header value"):
        answered(LENGTH, (b"x-a", value))


def test_a_body_of_another_length_is_not_sent_as_if_it_had_it() -> None:
    with pytest.raises(RuntimeError, match="shorter than Content-Length"):
        answered((b"content-length", b"9"))
