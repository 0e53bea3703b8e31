"""The service without a server of its own: under any ASGI server, and as a function of a cloud."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gemel.asgi import Application, Function
from gemel.serve.access.keys import add

KEPT = Path(__file__).parent / "flows" / "kept"


VERIFY = {
    "left": {"first": "maria", "last": "noson", "born": "1964-09-07"},
    "right": {"first": "mania", "last": "nomon", "born": "1964-09-07"},
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(KEPT, tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def function(project: Path) -> Iterator[Function]:
    function = Function(Application(project))
    yield function
    function.close()


def event(path: str, body: Any = None, *, source: str = "127.0.0.1", **headers: str) -> Any:
    """As API Gateway sends it: format 2.0."""
    said: dict[str, Any] = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "localhost", "content-type": "application/json", **headers},
        "requestContext": {
            "http": {"method": "GET" if body is None else "POST", "sourceIp": source}
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        sent = json.dumps(body).encode()
        said |= {"body": base64.b64encode(sent).decode(), "isBase64Encoded": True}
    return said


def test_a_function_answers_and_keeps_what_it_opened(function: Function) -> None:
    ready = function(event("/readyz"))
    assert ready["statusCode"] == 200 and json.loads(ready["body"])["status"] == "ready"
    first, second = (function(event("/v1/verify", VERIFY)) for _ in range(2))
    assert json.loads(first["body"])["score"] == json.loads(second["body"])["score"]
    assert first["headers"]["x-gemel-release"] == json.loads(first["body"])["release"]
    assert first["headers"]["content-type"] == "application/json"
    bad = function(event("/v1/verify", {"left": {}}))
    assert (bad["statusCode"], json.loads(bad["body"])["code"]) == (422, "invalid_input")
    assert function(event("/v1/records"))["statusCode"] == 200
    assert function(event("/nowhere"))["statusCode"] == 404
    late = SimpleNamespace(get_remaining_time_in_millis=lambda: 1)
    assert function(event("/v1/verify", VERIFY), late)["statusCode"] in (200, 503, 504)


def test_without_keys_only_this_machine_is_answered(project: Path, function: Function) -> None:
    far = event("/v1/verify", VERIFY, source="203.0.113.7")
    refused = function(far)
    assert refused["statusCode"] == 403 and "gemel keys add" in json.loads(refused["body"])["hint"]
    now = datetime.now(UTC)
    _, key = add(project / "state" / "keys.json", "ann", "reader", days=1, now=now)
    function.close()
    guarded = Function(Application(project))
    assert guarded(far)["statusCode"] == 401
    mine = event("/v1/verify", VERIFY, source="203.0.113.7", authorization=f"Bearer {key}")
    assert guarded(mine)["statusCode"] == 200
    guarded.close()


def test_the_ready_made_function_opens_the_project_that_the_environment_names(
    project: Path,
) -> None:
    """And its first answer waits for nothing that another one needs."""
    script = "import sys, json; from gemel.asgi import handler; "
    script += "print(handler(json.load(sys.stdin))['statusCode'], *sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(event("/v1/verify", VERIFY)),
        env={**os.environ, "GEMEL_PROJECT": str(project)},
        capture_output=True,
        text=True,
        check=True,
    )
    status, *loaded = done.stdout.split()
    assert status == "200", done.stderr
    heavy = {"litestar", "sqlalchemy", "uvicorn", "grpc", "opentelemetry", "httpx", "jwt", "redis"}
    heavy |= {"structlog", "rich"}
    heavy |= {"torch", "onnx", "sklearn", "pandas", "polars", "pyarrow", "faiss", "matplotlib"}
    heavy |= {"PIL", "soundfile", "jinja2", "scipy.special", "scipy.optimize", "scipy.stats"}
    heavy |= {"gemel.train", "gemel.improve", "gemel.watch", "gemel.release.make"}
    assert not heavy & {*loaded}


def test_a_start_that_fails_says_why_to_the_server(tmp_path: Path) -> None:
    """Raised, it reads as an application without a start, which every request then fails in."""

    async def start(folder: Path) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "lifespan.startup"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await Application(folder)({"type": "lifespan"}, receive, send)
        return sent

    (tmp_path / "gemel.toml").touch()
    for folder, said in ((tmp_path / "nope", "no folder"), (tmp_path, "gemel train")):
        (message,) = asyncio.run(start(folder))
        assert message["type"] == "lifespan.startup.failed"
        assert said in message["message"] and message["message"].count("hint:") == 1
