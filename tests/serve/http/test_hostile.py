"""What nobody sends who means well: bodies, heads, paths and bytes, each with its right answer.

One process is asked all of it, the slow ones beside the others. At the end it answers as before.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serve.http.raw import JSON, answer, connect, received, request
from tests.serve.small import ROWS

from gemel.release.release import Release

JOB = Path(__file__).parents[2] / "faults" / "serving_job.py"
TEN_MB = 10_000_000
GOOD = json.dumps({"left": ROWS[0], "right": ROWS[1]}).encode()
MANY = b",".join(b'"k%d":1' % i for i in range(600_000))


@dataclass(frozen=True)
class Row:
    """Bytes and the answer that is right: a status, and the code of the problem in it."""

    what: str
    sent: bytes
    status: int
    code: str = ""


def rows(status: int, code: str, *sent: tuple[str, bytes]) -> list[Row]:
    """Rows of one right answer."""
    return [Row(what, data, status, code) for what, data in sent]


def verify(body: bytes, **more: str | None) -> bytes:
    return request("POST /v1/verify", body, **more)


def left(value: bytes) -> bytes:
    """A verify with this for the left item."""
    return verify(b'{"left":%b,"right":{"first":"anna"}}' % value)


def first(value: bytes) -> bytes:
    return left(b'{"first":%b}' % value)


def born(value: bytes) -> bytes:
    return left(b'{"born":%b}' % value)


def post(path: str, body: Any) -> bytes:
    return request(f"POST {path}", json.dumps(body).encode())


def enroll(**record: Any) -> bytes:
    return post("/v1/records", {"records": [{"id": "x", "payload": ROWS[0], **record}]})


def get(path: str, **more: str | None) -> bytes:
    return request(f"GET {path}", **more)


def chunked(*chunks: bytes, tail: bytes = b"0\r\n\r\n") -> bytes:
    head = verify(b"", Content_Type="application/json", Transfer_Encoding="chunked")
    return head + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + tail


def head(*lines: str, line: str = "GET /livez HTTP/1.1") -> bytes:
    return "\r\n".join([line, "Host: localhost", "Connection: close", *lines, "", ""]).encode()


BODIES = [
    *rows(
        400,
        "malformed_json",
        ("nothing", verify(b" ")),
        ("nine megabytes of nothing", verify(b" " * 9_000_000)),
        ("half an object", verify(b'{"left":')),
        ("a bad value, then broken JSON", verify(b'{"left":3,"right":')),
        ("a bad value in a field, then broken JSON", verify(b'{"left":{"first":[1]},"right":')),
        ("100,000 brackets, closed again", first(b"[" * 50_000 + b"]" * 50_000)),
        ("60,000 brackets in a field", first(b"[" * 60_000)),
        ("60,000 brackets, closed again", first(b"[" * 30_000 + b"]" * 30_000)),
        ("40,000 objects, one in the other", first(b'{"a":' * 40_000)),
        ("not a number", born(b"NaN")),
        ("infinity", born(b"-Infinity")),
        ("a leading zero", born(b"01")),
        ("hexadecimal", born(b"0x10")),
        ("half a surrogate", first(b'"\\ud800"')),
        ("no UTF-8", first(b'"\xff"')),
        ("UTF-8 that is too long", first(b'"\xc0\xaf"')),
        ("a byte order mark", verify(b"\xef\xbb\xbf" + GOOD)),
        ("UTF-16", verify(GOOD.decode().encode("utf-16"))),
        ("a newline in a text", first(b'"a\nb"')),
        ("something behind", verify(GOOD + b"x")),
        ("two objects", verify(GOOD + GOOD)),
        ("a comma at the end", left(b'{"first":"a",}')),
        ("a comment", verify(b"/* */" + GOOD)),
        ("single quotes", verify(b"{'left':1}")),
        ("packed", verify(gzip.compress(GOOD), Content_Encoding="gzip")),
    ),
    *rows(
        422,
        "invalid_input",
        ("null", verify(b"null")),
        ("a list", verify(b"[]")),
        ("a number beyond all", born(b"1e999")),
        ("a number below all", born(b"-1e999")),
        ("a number of 400 digits", born(b"1" + b"0" * 400)),
        ("a number of 400 digits for text", first(b"1" + b"0" * 400)),
        ("a number of 100,000 digits", born(b"9" * 100_000)),
        ("true for a number", born(b"true")),
        ("a key twice, its colon far away",
         verify(b'{"left":{},"left"' + b" " * 70_000 + b':{},"right":{}}')),
        ("a key twice", verify(b'{"left":{"first":"a"},' + GOOD[1:])),
        ("a field twice", left(b'{"first":"a","first":"b"}')),
        ("a field twice, once escaped", left(b'{"first":"a","\\u0066irst":"b"}')),
        ("a field twice, once bad", left(b'{"first":["a"],"first":"b"}')),
        ("a key twice, once bad", verify(b'{"left":{"first":[1]},"left":3,"right":{}}')),
        ("600,000 keys", left(b"{%b}" % MANY)),
        ("600,000 keys, one bad value", left(b'{%b,"first":[]}' % MANY)),
        ("600,000 keys in a text", left(b'{"x":{%b}}' % MANY)),
        ("100,000 brackets in a field", first(b"[" * 100_000)),
        ("a million values", first(b"[" + b"1," * 999_999 + b"1]")),
        ("a million empty lists", first(b"[" + b"[]," * 999_999 + b"1]")),
        ("a key of a megabyte", left(b'{"%b":1}' % (b"k" * 1_000_000))),
        ("a key of nine megabytes", left(b'{"%b":1}' % (b"k" * 9_000_000))),
        ("an unknown key of a thousand", left(b'{"%b":1}' % (b"k" * 1000))),
        ("a text of nine megabytes", first(b'"%b"' % (b"a" * 9_000_000))),
        ("a text of a million escapes", first(b'"%b"' % (b"\\u0061" * 1_000_000))),
        ("nine views", left(json.dumps([ROWS[0]] * 9).encode())),
        ("views of views", left(b'[[{"first":"a"}]]')),
        ("a view too few", left(b"[]")),
        ("an unknown key", verify(b'{"__proto__":{},' + GOOD[1:])),
        ("a thousand and one records", post("/v1/records", {"records": [{}] * 1001})),
        ("a negative k", post("/v1/search", {"query": ROWS[0], "k": -1})),
        ("half a k", post("/v1/search", {"query": ROWS[0], "k": 1.5})),
        ("a filter of filters", post("/v1/search", {"query": ROWS[0], "where": {"a": {"$gt": 1}}})),
        ("an id without end", enroll(id="x" * 1025)),
        ("an id of nothing", enroll(id="")),
        ("an attribute of nine megabytes", enroll(attributes={"a": "x" * 9_000_000})),
        ("a list as an attribute", enroll(attributes={"a": [1]})),
        ("a verdict on much", post("/v1/verdicts", {"decision_id": "1" * 999, "genuine": True})),
        ("one record and its duplicates", post("/v1/duplicates", {"records": [{"id": "a"}]})),
        ("other dimensions", post("/v1/embeddings", {"input": ROWS[0], "dimensions": 3})),
        ("an unknown format", post("/v1/embeddings", {"input": ROWS[0], "encoding_format": "x"})),
        ("a label that no record has", post("/v1/classify", {"query": ROWS[0], "label": "x" * 99})),
    ),
    *rows(
        413,
        "body_too_large",
        ("more than ten megabytes", verify(b" " * (TEN_MB + 1))),
        ("more than can be", verify(b"", Content_Type="application/json", Content_Length="9" * 15)),
        ("more than ten megabytes, unannounced", chunked(*[b" " * 500_000] * 21)),
    ),
    *rows(
        422,
        "data",
        ("an attribute of 400 digits", enroll(attributes={"n": 10**400})),
        ("300 attributes", enroll(attributes={f"a{i}": 1 for i in range(300)})),
    ),
    *rows(409, "duplicate_record", ("an id twice", post(
        "/v1/records", {"records": [{"id": "x", "payload": ROWS[0]}] * 2}
    ))),
    *rows(
        404,
        "unknown_decision",
        ("a verdict on nothing", post("/v1/verdicts", {"decision_id": "1" * 32, "genuine": True})),
    ),
]  # fmt: skip

HEADS = [
    *rows(
        431,
        "head_too_large",
        ("a header of a megabyte", head("X: " + "x" * 1_000_000)),
        ("a header without end", head()[:-4] + b"\r\nX: " + b"x" * 5_000_000),
        ("the name of a header without end", head()[:-2] + b"X" * 1_000_000),
        ("a path without end", b"GET /" + b"x" * 1_000_000),
        ("101 headers", head(*[f"X-{i}: 1" for i in range(101)])),
        ("50,000 headers", head(*[f"X-{i}: 1" for i in range(50_000)])),
    ),
    *rows(
        400,
        "request",
        ("random bytes", bytes(range(256)) * 40),
        ("a greeting of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
        ("a greeting of SSH", b"SSH-2.0-OpenSSH_9.6\r\n"),
        ("a newer protocol, with a body", verify(GOOD, Connection="Upgrade", Upgrade="h2c")),
        ("a greeting of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("HTTP/3.0", head(line="GET /livez HTTP/3.0")),
        ("a word too many", head(line="GET /livez HTTP/1.1 x")),
        ("an unknown method", head(line="FROB /livez HTTP/1.1")),
        ("a method in small letters", head(line="get /livez HTTP/1.1")),
        ("a tunnel", head(line="CONNECT localhost:80 HTTP/1.1")),
        ("a header without a colon", head("X")),
        ("a space before the colon", head("X : 1")),
        ("a control character", head("X: a\x01b\x00")),
        ("a header that goes on", head("X: 1", " 2")),
        ("two lengths", verify(GOOD, content_length="1")),
        ("a length below nothing", verify(GOOD, Content_Length="-1")),
        ("a length in words", verify(GOOD, Content_Length="ten")),
        ("a length and chunks", verify(GOOD, Transfer_Encoding="chunked")),
        ("chunks that are none", verify(b"", Transfer_Encoding="chunked") + b"xyz\r\n"),
        ("a chunk of no size", verify(b"", Transfer_Encoding="chunked") + b"f" * 17 + b"\r\n"),
        ("an encoding behind the chunks", verify(b"", Transfer_Encoding="chunked, gzip") + b"0"),
    ),
    *rows(
        200,
        "",
        ("a header of 8,000 letters", head("X-Request-Id: " + "x" * 8000)),
        ("99 headers", head(*[f"X-{i}: 1" for i in range(97)])),
    ),
]

PATHS = [
    *rows(
        404,
        "unknown_path",
        ("two slashes", get("//v1/records/0")),
        ("two slashes inside", get("/v1//records/0")),
        ("a backslash", get("/v1\\records\\0")),
        ("another version", get("/v3/verify")),
        ("a file", get("/etc/passwd")),
        ("a file above", get("/console/../../../../etc/passwd")),
        ("a file above, escaped", get("/console/%2e%2e%2f%2e%2e%2fetc/passwd")),
        ("a semicolon", get("/v1/verify;x=1")),
    ),
    *rows(
        404,
        "unknown_record",
        ("the id /", get("/v1/records//")),
        ("the id /, escaped", get("/v1/records/%2F")),
        ("an id with dots", get("/v1/records/../records/0")),
        ("an id with nothing in it", get("/v1/records/%00")),
        ("an id of 10,000 letters", get("/v1/records/" + "x" * 10_000)),
        ("an id in SQL", get("/v1/records/'%20OR%20'1'='1")),
    ),
    *rows(
        422,
        "invalid_input",
        ("an id that is not UTF-8", get("/v1/records/%ff")),
        ("an unknown name", get("/v1/review?x=1")),
        ("a limit that is none", get("/v1/review?limit=1e9")),
        ("a limit in other digits", get("/v1/review?limit=%D9%A3")),
        ("a query that is not UTF-8", get("/v1/review?%ff=%fe")),
    ),
    *rows(
        405,
        "wrong_method",
        ("a get that posts", get("/v1/verify")),
        ("an echo", request("TRACE /v1/verify")),
        ("a put", request("PUT /v1/records/0", GOOD)),
        ("another method over it", request("PATCH /v1/records", X_HTTP_Method_Override="POST")),
        ("a socket of the web", get("/v1/verify", Upgrade="websocket", Connection="Upgrade")),
    ),
    *rows(204, "", ("what can be done", request("OPTIONS /v1/verify"))),
]  # fmt: skip

ODD = [
    *rows(
        200,
        "",
        ("chunks of one byte", chunked(*[GOOD[i : i + 1] for i in range(len(GOOD))])),
        ("another host behind the body", chunked(GOOD, tail=b"0\r\nHost: evil.example\r\n\r\n")),
        ("an extension of a chunk", chunked(GOOD, tail=b"0;" + b"x" * 9000 + b"\r\n\r\n")),
        ("first a question", verify(GOOD, Expect="100-continue")),
        ("a newer protocol", get("/livez", Connection="Upgrade", Upgrade="h2c")),
        ("thirty at once", get("/livez", Connection="keep-alive") * 29 + get("/livez")),
        ("empty lines before", b"\r\n" * 100 + get("/livez")),
        ("a part of it", get("/livez", Range="bytes=0-1")),
        ("a nothing in a text", first(b'"a\\u0000b"')),
        ("every plane", first('"\U0001f600\U000e0001\u202e"'.encode())),
        ("the head of the figures", request("HEAD /metrics")),
        ("a length of 20 zeros", head("Content-Length: " + "0" * 20)),
        ("a number next to nothing", born(b"1e-400")),
        ("a number of 300 digits", born(b"1" + b"0" * 300)),
    ),
]


def everything() -> list[Row]:
    return [*BODIES, *HEADS, *PATHS, *ODD]


SLOW = [
    *rows(0, "", ("says nothing", b"")),
    *rows(
        408,
        "too_slow",
        ("half a head", b"GET /livez HTTP/1.1\r\nHost: loc"),
        ("half a body", verify(GOOD)[:-9]),
        ("half a large body", verify(b'{"left":"' + b"x" * 9_000_000)[:-9]),
        ("half of its chunks", chunked(GOOD, tail=b"")),
        ("a whole request, and half of one", get("/livez", Connection="keep-alive") + b"GET /l"),
    ),
]


@dataclass(frozen=True)
class Attacked:
    """The process, how it answers before anything else, and sockets that have begun to be slow."""

    url: str
    process: int
    job: subprocess.Popen[str]
    before: dict[str, Any]
    slow: dict[str, socket.socket]


def asked(url: str) -> dict[str, Any]:
    """What it says to two people, but for what is of the moment."""
    reply = httpx.post(f"{url}/v1/verify", content=GOOD, headers={"content-type": JSON}, timeout=10)
    assert reply.status_code == 200
    return {k: v for k, v in reply.json().items() if k not in ("decision_id", "asked")}


@pytest.fixture(scope="module")
def attacked(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("hostile")
    arguments = [str(p) for p in (release.folder, folder / "gallery", folder / "ledger.db")]
    with subprocess.Popen(
        [sys.executable, str(JOB), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as job:
        assert job.stdin is not None and job.stdout is not None
        job.stdin.write("go\n")
        job.stdin.flush()
        assert job.stdout.readline() == "ready\n"
        process, url = job.stdout.readline().split()
        slow = {row.what: connect(url) for row in SLOW}
        for row in SLOW:
            slow[row.what].sendall(row.sent)
        try:
            yield Attacked(url, int(process), job, asked(url), slow)
        finally:
            for sock in slow.values():
                sock.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
            job.stdin.close()
            job.stdout.read()


@pytest.mark.parametrize("row", [*BODIES, *HEADS, *PATHS, *ODD], ids=lambda row: row.what)
def test_each_is_answered_as_it_should_be(attacked: Attacked, row: Row) -> None:
    got = answer(attacked.url, row.sent)
    assert (got.status, got.code) == (row.status, row.code), got.body[:300]
    assert len(got.body) < 5000 and b"Traceback" not in got.body
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["cache-control"] == "no-store"
    if row.code:
        assert got.headers["content-type"] in ("application/problem+json", JSON)
        assert got.headers["x-request-id"]
    if row.status in (204, 405):
        assert "OPTIONS" in got.headers["allow"].upper()


@pytest.mark.parametrize("row", SLOW, ids=lambda row: row.what)
def test_whoever_is_slow_is_closed(attacked: Attacked, row: Row) -> None:
    got = received(attacked.slow[row.what])
    assert (got.status, got.code) == (row.status, row.code)


def test_afterwards_it_answers_as_before(attacked: Attacked) -> None:
    assert asked(attacked.url) == attacked.before
    text = httpx.get(f"{attacked.url}/metrics").text
    assert "gemel_body_bytes 0.0" in text
    assert 'gemel_requests_total{route="/v1/verify",status="500"} 0.0' in text
    assert 'status="500"} 1' not in text


def test_a_client_that_has_gone_is_not_worked_for(attacked: Attacked) -> None:
    people = [{"id": str(i), "payload": {**ROWS[0], "born": i}} for i in range(300)]
    job = post("/v1/duplicates", {"records": people})
    for _ in range(20):
        with connect(attacked.url) as sock:
            sock.sendall(job)
    asked(attacked.url)
    until = time.monotonic() + 10
    while 'gemel_queue_payloads{lane="group"} 0.0' not in httpx.get(f"{attacked.url}/metrics").text:
        assert time.monotonic() < until


def test_what_large_bodies_announce_is_refused_before_it_comes(attacked: Attacked) -> None:
    def announced(n_bytes: int, body: bytes = b"", connection: str = "close") -> socket.socket:
        sock = connect(attacked.url)
        length = {"Content_Length": str(n_bytes), "Content_Type": JSON, "Connection": connection}
        sock.sendall(request("POST /v1/verify", **length) + body)
        return sock

    begun = [announced(9_000_000) for _ in range(7)]
    waited = time.monotonic()
    with announced(9_000_000, b" " * 8_000_000, "keep-alive") as sock:
        got = received(sock)
    assert (got.status, got.code, got.headers["retry-after"]) == (503, "overloaded", "1")
    assert time.monotonic() - waited < 4  # less than the seven are waited for
    assert asked(attacked.url) == attacked.before
    for sock in begun:
        sock.close()
    until = time.monotonic() + 10
    while "gemel_body_bytes 0.0" not in httpx.get(f"{attacked.url}/metrics").text:
        assert time.monotonic() < until


def test_silent_sockets_make_room_and_half_requests_do_not_keep_it_from_stopping(
    attacked: Attacked,
) -> None:
    silent = [connect(attacked.url) for _ in range(300)]
    for sock in silent[:60]:
        sock.sendall(verify(GOOD)[:-9])
    for sock in silent[60:120]:
        sock.sendall(b"GET /livez HTTP/1.1\r\n")
    assert asked(attacked.url) == attacked.before
    os.kill(attacked.process, signal.SIGTERM)
    started = time.monotonic()
    assert attacked.job.stdout is not None
    assert attacked.job.stdout.readline() == "gone\n"
    assert time.monotonic() - started < 5
    assert {received(sock).status for sock in silent[:120]} == {503}
    for sock in silent:
        sock.close()
