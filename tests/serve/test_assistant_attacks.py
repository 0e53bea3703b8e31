"""`gemel mcp` asked by somebody who means no good: a call gets an error, the next an answer."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import McpError
from mcp.types import (
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    CancelledNotification,
    CancelledNotificationParams,
    ClientNotification,
    ClientRequest,
)

from gemel.serve.assistant import MAX_CALLS

KEPT = Path(__file__).parents[1] / "flows" / "kept"
ADA = {
    "title": "dr", "first": "adap", "last": "ruaeuj", "town": "colm", "born": "1970-04-21",
    "height": 169,
}  # fmt: skip
PAIR = {"left": ADA, "right": ADA}
WORDS = ["-m", "gemel", "mcp", "--set", "serve.max_body_bytes=1000000"]
ENVIRON = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attacked") / "project"
    shutil.copytree(KEPT, folder)
    (folder / "secret.txt").write_text("hunter2")
    return folder


@contextlib.asynccontextmanager
async def session(folder: Path, *words: str) -> AsyncIterator[ClientSession]:
    command = StdioServerParameters(
        command=sys.executable, args=[*WORDS, *words], cwd=folder, env=ENVIRON
    )
    with (folder / "stderr.txt").open("w") as log:
        async with (
            stdio_client(command, errlog=log) as (reads, writes),
            ClientSession(reads, writes) as asked,
        ):
            await asked.initialize()
            yield asked


def text(result: CallToolResult) -> str:
    return "".join(getattr(part, "text", "") for part in result.content)


def wrong(folder: Path) -> list[tuple[str, Any, str]]:
    """Calls, and what is said of each."""
    secret = str(folder / "secret.txt")
    many = {str(i): ADA for i in range(1001)}
    return [
        ("nope", {}, "no tool 'nope'"),
        ("../verify", PAIR, "no tool"),
        ("delete", {"ids": ["x"]}, "no tool 'delete'"),
        ("enroll", {"records": {"x": ADA}}, "no tool 'enroll'"),
        ("verify", {}, "left"),
        ("verify", None, "left"),
        ("verify", {"left": 1, "right": ADA}, "left: Expected `str | object`"),
        ("verify", {"left": [ADA], "right": ADA}, "left"),
        ("verify", {**PAIR, "category": "x"}, "category"),
        ("verify", {"left": secret, "right": f"file://{secret}"}, "left: expected an object"),
        ("verify", {"left": {"image": secret}, "right": ADA}, "left.image: unknown field"),
        ("verify", {"left": {**ADA, "first": {"path": secret}}, "right": ADA}, "left.first"),
        ("verify", {"left": {**ADA, "first": "x" * 200_000}, "right": ADA}, "200,000 characters"),
        ("verify", {"left": json.dumps(ADA), "right": ADA}, "left: expected an object"),
        ("search", {"query": ADA, "k": 10**9}, "k: Expected `int` <= 1000"),
        ("search", {"query": ADA, "k": 10**400}, "k"),
        ("search", {"query": ADA, "k": 0}, "k"),
        ("search", {"query": ADA, "k": "5"}, "k: Expected `int`, got `str`"),
        ("search", {"query": ADA, "k": True}, "k"),
        ("search", {"query": ADA, "where": {"x": {"$ne": 1}}}, "where"),
        ("search", {"query": ADA, "where": "x"}, "where"),
        ("identify", {"query": {}}, "query"),
        ("explain", {"left": ADA}, "expected two items"),
        ("explain", {"left": ADA, "record": f"../../{secret}"}, "no record"),
        ("duplicates", {"records": {"a": ADA}}, "records"),
        ("duplicates", {"records": {"": ADA, "b": ADA}}, "records"),
        ("duplicates", {"records": many}, "records"),
        ("duplicates", {"records": [ADA, ADA]}, "records"),
        ("report", {"file": secret}, "file"),
    ]


def test_what_is_wrong_is_told_and_nothing_of_the_machine(folder: Path) -> None:
    async def ask() -> None:
        async with session(folder) as asked:
            for name, arguments, said in wrong(folder):
                result = await asked.call_tool(name, arguments)
                told = text(result)
                assert result.isError and said in told, (name, told)
                assert "hunter2" not in told and "Traceback" not in told
                assert "state/" not in told and "pydantic" not in told
            assert json.loads(text(await asked.call_tool("verify", PAIR)))["outcome"] == "match"

    anyio.run(ask)


def test_changes_are_checked_as_strictly(folder: Path) -> None:
    async def ask() -> None:
        async with session(folder, "--allow-changes") as asked:
            many = {str(i): ADA for i in range(1001)}
            for records in ({}, {"": ADA}, {"a": 1}, many):
                result = await asked.call_tool("enroll", {"records": records})
                assert result.isError and "records" in text(result), text(result)
            for ids in ([], "x", [1], ["x"] * 1001):
                result = await asked.call_tool("delete", {"ids": ids})
                assert result.isError and "ids" in text(result), text(result)
            with pytest.raises(McpError, match="a key of 1,025 characters"):
                await asked.call_tool("enroll", {"records": {"x" * 1025: ADA}})
            done = await asked.call_tool("delete", {"ids": ["../../gemel.toml", ""]})
            assert json.loads(text(done))["deleted"] == 0

    anyio.run(ask)
    assert (folder / "gemel.toml").is_file()


def test_many_calls_at_once_are_answered_or_refused_and_one_may_be_taken_back(folder: Path) -> None:
    results: list[CallToolResult] = []

    async def ask() -> None:
        async with session(folder) as asked, anyio.create_task_group() as tasks:

            async def one() -> None:
                results.append(await asked.call_tool("verify", PAIR))

            for _ in range(8 * MAX_CALLS):
                tasks.start_soon(one)
            with anyio.move_on_after(0.001):
                await asked.call_tool("duplicates", {"records": {str(i): ADA for i in range(300)}})
            await asked.send_ping()

    anyio.run(ask)
    assert len(results) == 8 * MAX_CALLS
    refused = [text(one) for one in results if one.isError]
    assert all("calls wait" in one for one in refused)
    answered = [json.loads(text(one))["outcome"] for one in results if not one.isError]
    assert len(answered) >= MAX_CALLS and set(answered) == {"match"}


def test_a_call_that_was_taken_back_is_not_done(folder: Path) -> None:
    async def ask() -> None:
        async with session(folder, "--allow-changes") as asked:
            slow = {"records": {str(i): ADA for i in range(600)}}
            params = CallToolRequestParams(name="enroll", arguments={"records": {"late": ADA}})
            request = ClientRequest(CallToolRequest(params=params))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(asked.call_tool, "duplicates", slow)
                await anyio.sleep(0)
                with anyio.move_on_after(0.01):
                    await asked.send_request(request, CallToolResult)
                said = CancelledNotificationParams(requestId=asked._request_id - 1)
                await asked.send_notification(
                    ClientNotification(CancelledNotification(params=said))
                )
            hits = json.loads(text(await asked.call_tool("search", {"query": ADA, "k": 5})))
            assert "late" not in {hit["id"] for hit in hits["hits"]}

    anyio.run(ask)


class Raw:
    """The process, written to and read by hand: what no client sends."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *WORDS],
            cwd=folder, env=ENVIRON, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        client = {"name": "raw", "version": "1"}
        said = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": client}
        self.ask(b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":%b}' % _json(said))
        self.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')

    def write(self, sent: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(sent)
        self.process.stdin.flush()

    def ask(self, sent: bytes) -> Any:
        assert self.process.stdout is not None
        self.write(sent + b"\n")
        return json.loads(self.process.stdout.readline())


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture(scope="module")
def raw(folder: Path) -> Iterator[Raw]:
    raw = Raw(folder)
    yield raw
    assert raw.process.stdin is not None and raw.process.stdout is not None
    raw.process.stdin.close()
    assert raw.process.wait(30) == 0
    raw.process.stdout.close()


def call(left: bytes) -> bytes:
    at = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"verify","arguments":'
    return at + b'{"left":' + left + b',"right":{"first":"x"}}}}'


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (b'{"first":"\xff\xfe"}', "utf-8"),
        (b'{"first":"\\ud800"}', "not JSON"),
        (b'{"height":NaN}', "not JSON"),
        (b'{"height":Infinity}', "not JSON"),
        (b'{"first":"a","first":"b"}', "twice"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "nested too deep"),
        (b"[" * 50_000 + b"]" * 50_000, "nested too deep"),
        (b'{"first":"a"', "not JSON"),
        (b'{"first":"a"}}}}{"x":1', "not JSON"),
        (b'"' + b"x" * 100_000_000 + b'"', "the limit is 1,000,000"),
        (b"[" + b"1," * 300_000 + b"1]", "100,000"),
    ],
    ids=lambda v: None if isinstance(v, bytes) else v,
)
def test_a_line_that_is_no_message_is_an_error_of_its_call(
    raw: Raw, left: bytes, said: str
) -> None:
    told = raw.ask(call(left))
    assert told["id"] == 7 and said in told["error"]["message"], told
    answered = raw.ask(call(b'{"first":"x"}'))
    assert json.loads(answered["result"]["content"][0]["text"])["score"]


def test_the_id_of_a_call_may_stand_at_its_end(raw: Raw) -> None:
    long = _json({"method": "tools/call", "params": "x" * 2_000_000, "jsonrpc": "2.0", "id": "a-1"})
    told = raw.ask(long)
    assert told["id"] == "a-1" and told["error"]["data"]["code"] == "body_too_large"


@pytest.mark.parametrize("line", [b"hello", b"[1, 2]", b"\xff", b"{}x", b'"id"', b"null"])
def test_a_line_of_nobody_is_told_and_the_next_one_answered(raw: Raw, line: bytes) -> None:
    told = raw.ask(line)
    assert told["method"] == "notifications/message" and told["params"]["level"] == "error"
    assert "send one message" in told["params"]["data"]
    raw.write(b"\n \n")
    assert "result" in raw.ask(b'{"jsonrpc":"2.0","id":9,"method":"ping"}')
