"""The service as a process: signals, and what happens to requests in flight."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.serve.http.raw import answer, request
from tests.serve.small import ROWS

from gemel.errors import ConfigError
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.server import bind, running
from gemel.serve.service import Service

SCRIPT = """
import sys, time
from gemel.settings import ServeSettings
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http import server
from gemel.serve.service import Service

folder, slow_s, drain_s, max_queue, grace_s = sys.argv[1], *map(float, sys.argv[2:])
server.GRACE_SECONDS = grace_s

settings = ServeSettings(port=0, max_queue=int(max_queue), max_batch=2, timeout_ms=20_000)
service = Service(Release.open(folder))
encoder = service.pick().encoder
encode = encoder.encode
encoder.encode = lambda payloads: (time.sleep(slow_s), encode(payloads))[1]
server.run(create_app(service, settings), settings, drain_s=drain_s,
    on_ready=lambda url: print(url, flush=True))
"""
VERIFY = {"left": ROWS[0], "right": ROWS[1]}


@contextmanager
def process(
    release: Release,
    slow_s: float,
    drain_s: float = 0.0,
    max_queue: int = 256,
    grace_s: float = 4.0,
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    arguments = [str(release.folder), *map(str, (slow_s, drain_s, max_queue, grace_s))]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as child:
        try:
            assert child.stdout is not None
            yield child, child.stdout.readline().strip()
        finally:
            child.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_in_flight_finish_and_exits_with_success(
    release: Release, number: signal.Signals
) -> None:
    with process(release, slow_s=0.3, drain_s=1.0) as (child, url):
        replies: list[httpx.Response] = []
        askers = [
            threading.Thread(
                target=lambda: replies.append(
                    httpx.post(f"{url}/v1/verify", json=VERIFY, timeout=30)
                )
            )
            for _ in range(4)
        ]
        assert httpx.get(f"{url}/readyz").status_code == 200
        for asker in askers:
            asker.start()
        empty = 'gemel_queue_payloads{lane="encode"} 0.0'
        while not replies and empty in httpx.get(f"{url}/metrics").text:
            pass
        child.send_signal(number)
        with httpx.Client(base_url=url) as client:
            while (ready := client.get("/readyz")).status_code == 200:
                pass
        assert (ready.status_code, ready.json()["code"]) == (503, "overloaded")
        assert ready.headers["retry-after"]
        for asker in askers:
            asker.join()
        assert [reply.status_code for reply in replies] == [200] * 4
        _, log = child.communicate(timeout=20)
        assert child.returncode == 0
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert events == ["service_started", "service_stopping", "service_stopped"]


def test_who_is_not_answered_before_a_stop_is_told_to_ask_elsewhere(release: Release) -> None:
    with process(release, slow_s=1.5, grace_s=0.5) as (child, url):
        replies: dict[str, httpx.Response] = {}

        def ask(path: str, body: object) -> None:
            mine = {"x-request-id": "mine"}
            replies[path] = httpx.post(f"{url}{path}", json=body, timeout=30, headers=mine)

        askers = [
            threading.Thread(target=ask, args=asked)
            for asked in (("/v1/verify", VERIFY), ("/v1/embeddings", {"input": [ROWS[0]]}))
        ]
        for asker in askers:
            asker.start()
        empty = 'gemel_queue_payloads{lane="encode"} 0.0'
        while empty in httpx.get(f"{url}/metrics").text:
            pass
        child.send_signal(signal.SIGINT)
        for asker in askers:
            asker.join()
        _, log = child.communicate(timeout=20)
        assert child.returncode == 0
    for reply in replies.values():
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "1"), reply.text
        assert reply.headers["x-request-id"] == "mine"
    problem = replies["/v1/verify"]
    assert problem.headers["content-type"] == "application/problem+json"
    assert (problem.json()["code"], problem.json()["request_id"]) == ("overloaded", "mine")
    assert replies["/v1/embeddings"].json()["error"]["code"] == "overloaded"
    assert "Traceback" not in log
    assert "without starting response" not in log


def test_a_service_whose_log_nobody_reads_any_more_still_stops(release: Release) -> None:
    with process(release, slow_s=0.0) as (child, url):
        assert child.stderr is not None
        child.stderr.close()
        assert httpx.post(f"{url}/v1/verify", json=VERIFY, timeout=30).status_code == 200
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=20) == 0


def test_overload_gives_503_with_retry_after_and_never_hangs(release: Release) -> None:
    with process(release, slow_s=0.1, max_queue=4) as (_, url):
        replies: list[httpx.Response] = []

        def ask() -> None:
            with httpx.Client(base_url=url, timeout=30) as client:
                for _ in range(3):
                    replies.append(client.post("/v1/verify", json=VERIFY))

        askers = [threading.Thread(target=ask) for _ in range(16)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        statuses = {reply.status_code for reply in replies}
        assert len(replies) == 48
        assert statuses == {200, 503}
        refused = [reply for reply in replies if reply.status_code == 503]
        assert all(reply.headers["retry-after"] == "1" for reply in refused)
        assert {reply.json()["code"] for reply in refused} == {"overloaded"}
        after = httpx.post(f"{url}/v1/verify", json=VERIFY, timeout=30)
        assert after.status_code == 200


def test_who_cannot_be_answered_in_its_time_is_told_at_once_when_to_come_back(
    release: Release,
) -> None:
    with process(release, slow_s=0.1) as (_, url), httpx.Client(base_url=url, timeout=30) as client:
        assert client.post("/v1/verify", json=VERIFY).status_code == 200
        slow: list[int] = []

        def ask() -> None:
            slow.append(httpx.post(f"{url}/v1/verify", json=VERIFY, timeout=30).status_code)

        askers = [threading.Thread(target=ask) for _ in range(30)]
        for asker in askers:
            asker.start()
        waits = 'gemel_queue_payloads{lane="encode"}'
        while True:
            lines = client.get("/metrics").text.splitlines()
            if next(float(line.split()[1]) for line in lines if line.startswith(waits)) > 20:
                break
            assert len(slow) < 30, "all were answered before they were seen to wait"
        hurried = {"x-gemel-timeout-ms": "300"}
        refused = client.post("/v1/verify", json=VERIFY, headers=hurried)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert refused.elapsed.total_seconds() < 0.3
        assert 1 <= int(refused.headers["retry-after"]) <= 5
        for asker in askers:
            asker.join()
        assert slow == [200] * 30
        assert client.post("/v1/verify", json=VERIFY, headers=hurried).status_code == 200
        late = client.post("/v1/verify", json=VERIFY, headers={"x-gemel-timeout-ms": "20"})
        assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
        for bad in ("0", "-1", "1.5", "soon", "9" * 10):
            reply = client.post("/v1/verify", json=VERIFY, headers={"x-gemel-timeout-ms": bad})
            assert (reply.status_code, reply.json()["where"]) == (422, "X-Gemel-Timeout-Ms"), bad
            assert reply.json()["request_id"] == reply.headers["x-request-id"] != ""


def test_who_is_refused_before_the_body_came_is_told_that_the_connection_ends(
    release: Release,
) -> None:
    """Else a client sends its next request there, and gets nothing."""
    with running(create_app(Service(release))) as url:
        head = request("POST /v1/verify", Content_Length="9", Content_Type="text/plain")
        for sent, says in ((head, "close"), (head + b"{}       ", None)):
            got = answer(url, sent.replace(b"Connection: close\r\n", b""), whole=True)
            assert got.status == 415
            assert got.headers.get("connection") == says


def test_a_port_that_is_taken_is_an_error_with_a_hint(tmp_path: Path) -> None:
    sock = bind("127.0.0.1", 0)
    with sock, pytest.raises(ConfigError, match="cannot listen") as caught:
        bind("127.0.0.1", sock.getsockname()[1])
    assert "serve.port" in caught.value.hint
