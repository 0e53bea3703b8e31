"""Messages of an assistant (MCP: JSON-RPC) over stdin and stdout, within limits.

A line that is no message is answered with an error if it says which call it is, else told as one,
and the next line is read. JSON is checked as bodies over HTTP are: no key twice, no NaN, no bytes
that are not UTF-8.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
)

from gemel.errors import BodyTooLarge, GemelError
from gemel.serve.http.body import Body

KEPT = 1 << 10
"""Bytes of the beginning and end of a line that is too long, where the id of its call may stand."""
_ID = rb'"id"\s*:\s*(-?\d{1,18}|"[\w.:-]{1,64}")'
_FIRST = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?' + _ID + rb"\s*,")
_LAST = re.compile(rb",\s*" + _ID + rb'\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*\Z')


async def serve(server: Server[Any, Any], max_line: int) -> None:
    """Answer until stdin ends.

    Args:
        server: of tools.
        max_line: bytes of one message, at most.
    """
    read_body, source = Body(dict[str, Any]).read, sys.stdin.buffer
    out: list[Any] = []

    async def lines() -> AsyncIterator[str]:
        while True:
            line, length = await anyio.to_thread.run_sync(
                _line, source, max_line, abandon_on_cancel=True
            )
            if not length:
                return
            if line.isspace():
                continue
            try:
                if length > max_line:
                    what = f"a message of {length:,} bytes, the limit is {max_line:,}"
                    raise BodyTooLarge(what, hint="send less at a time")
                await anyio.to_thread.run_sync(read_body, line)
            except GemelError as error:
                await out[0].send(SessionMessage(_refusal(error, line)))
            else:
                yield line.decode()

    stdin: Any = lines()
    # A file of its own: the protocol closes what it writes to, and stdout is wanted until the end.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as stdout:
        async with stdio_server(stdin, anyio.wrap_file(stdout)) as (reads, writes):
            out.append(writes)
            await server.run(reads, writes, server.create_initialization_options())


def _line(source: BinaryIO, most: int) -> tuple[bytes, int]:
    """The next line and its length; of one that is too long, its beginning and end."""
    line = source.readline(most + 1)
    length = len(line)
    if length <= most:
        return line, length
    first, last = line[:KEPT], line[-KEPT:]
    while line and not line.endswith(b"\n"):
        line = source.readline(1 << 20)
        length += len(line)
        last = (last + line)[-KEPT:]
    return first + last, length


def _refusal(error: GemelError, line: bytes) -> JSONRPCMessage:
    """What is said of a line that is no message."""
    is_long = isinstance(error, BodyTooLarge)
    what = f"{error.what}. {error.hint if is_long else 'send one message of JSON-RPC a line'}"
    found = _FIRST.match(line) or _LAST.search(line)
    if found is None:
        said = {"level": "error", "logger": "gemel", "data": what}
        told = JSONRPCNotification(jsonrpc="2.0", method="notifications/message", params=said)
        return JSONRPCMessage(told)
    text = found[1].decode()
    name = text.strip('"') if text.startswith('"') else int(text)
    code = INVALID_REQUEST if is_long else PARSE_ERROR
    data = ErrorData(code=code, message=what, data={"code": error.code})
    return JSONRPCMessage(JSONRPCError(jsonrpc="2.0", id=name, error=data))
