"""What `gemel serve` puts together: a release, its gallery, the ledger, the page, the pointer."""

import io
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.serve.http.raw import connect, received, request

from gemel.cli.project import Project
from gemel.cli.serve import application
from gemel.serve.http import server
from gemel.telemetry import log_to

Gemel = Callable[..., Any]
PAIR = {
    "left": {"first": "anna", "last": "weber", "town": "ulm"},
    "right": {"first": "anna", "last": "weder", "town": "ulm"},
}


def ask(url: str, body: Any = None, key: str = "") -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    headers |= {"authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, data, headers)
    with urllib.request.urlopen(request, timeout=20) as reply:
        text = reply.read().decode()
    return json.loads(text) if text.startswith("{") else text


def test_a_promotion_reaches_a_running_service(project: Path, gemel: Gemel) -> None:
    log = log_to(io.StringIO())
    with application(Project.open(), log) as app, server.running(app, log=log) as url:
        assert "<title>" in ask(url + "/")
        first = ask(url + "/v1/verify", PAIR)
        assert ask(url + "/v1/search", {"query": PAIR["left"], "k": 2})["hits"]
        built = gemel("calibrate", "--set", "calibrate.target=eer", "--json")
        new = json.loads(built.out)["manifest"]["id"]
        assert gemel("release", "promote", new, "--force", "--reason", "test").code == 0
        deadline = time.monotonic() + 20
        while (reply := ask(url + "/v1/verify", PAIR))["release"] != new:
            assert time.monotonic() < deadline, "the service did not follow"
        assert reply["score"] == first["score"] and first["release"] != new
        busy = gemel("gallery", "delete", "r1.0")
        assert busy.code == 1 and "POST and DELETE /v1/records" in busy.err
        assert "gemel serve --read-only" in busy.err
    kinds = [e["kind"] for e in json.loads(gemel("ledger", "list", "--after", "0", "--json").out)]
    assert {"verify", "search", "release.point"} <= set(kinds)
    assert gemel("ledger", "verify").code == 0


def test_a_proposal_is_the_same_over_http_and_on_the_command_line(
    project: Path, gemel: Gemel
) -> None:
    child = json.loads(gemel("calibrate", "--set", "calibrate.target=eer", "--json").out)
    body = {"outcome": "review", "score": 0.5, "review_probability": 1.0}
    with Project.open().ledger() as ledger:
        ledger.append("verify", {**body, "release": child["manifest"]["id"]})
    log = log_to(io.StringIO())
    with application(Project.open(), log) as app, server.running(app, log=log) as url:
        served = ask(url + "/v1/proposal")
    assert served["n_decisions"] == 1
    assert served == json.loads(gemel("review", "proposal", "--json").out)


def in_flight(url: str) -> socket.socket:
    """Where the answer to a large request will come, which has been read and is worked at."""
    for n in itertools.count():  # embeddings that are known would be no work
        pairs = [{**PAIR, "left": {**PAIR["left"], "town": f"ulm {n} {i}"}} for i in range(1000)]
        sock = connect(url)
        sock.sendall(request("POST /v1/verify-batch", json.dumps({"pairs": pairs}).encode()))
        # It counts from its headers on; by the second time the rest of it has been read as well.
        if all("gemel_body_bytes 0.0" not in ask(url + "/metrics") for _ in range(2)):
            return sock
        sock.close()
    raise AssertionError


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_service_with_success(project: Path, sent: signal.Signals) -> None:
    """Soon, whoever is silent, half way or not answered yet; who is not gets an answer."""
    command = [sys.executable, "-m", "gemel", "serve", "--port", "0"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ}
    ) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            url = next(line.split()[0] for line in lines if line.startswith("http://"))
            assert ask(url + "/readyz")["status"] == "ready"
            with connect(url), connect(url) as half:
                half.sendall(request("POST /v1/verify", Content_Length="9")[:-4])
                with in_flight(url) as asked:
                    process.send_signal(sent)
                    assert process.wait(5) == 0
                    reply = received(asked)
                assert received(half).status == 503
            assert len(json.loads(reply.body)["results"]) == 1000
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


def test_a_folder_without_a_project_is_said_to_be_none(gemel: Gemel, empty: Path) -> None:
    """As where a unit of systemd names no working directory; nothing has to be trained."""
    said = gemel("serve")
    assert said.code == 1 and "there is no project here" in said.err and "-c" in said.err
    (empty / "gemel.toml").touch()
    said = gemel("serve")
    assert said.code == 1 and "gemel train" in said.err


def test_a_gallery_that_was_lost_is_no_empty_one(project: Path, gemel: Gemel) -> None:
    """As where its volume is not mounted: every search would say that nobody is known."""
    shutil.rmtree(project / ".gemel" / "gallery")
    written = io.StringIO()
    log = log_to(written)
    with application(Project.open(), log) as app, server.running(app, log=log) as url:
        for _ in range(2):
            for path, body in (("/readyz", None), ("/v1/identify", {"query": PAIR["left"]})):
                with pytest.raises(urllib.error.HTTPError) as refused:
                    ask(url + path, body)
                problem = json.loads(refused.value.read())
                assert (problem["status"], problem["code"]) == (503, "gallery_unavailable")
                assert "records that the ledger knows" in problem["detail"]
                assert "gemel gallery enroll FILE" in problem["hint"]
            assert "gemel_ready 0.0" in ask(url + "/metrics")
            ask(url + "/v1/records", {"records": [{"id": "r", "payload": PAIR["left"]}]})
    assert '"gallery_empty"' in written.getvalue()
    for file in (project / ".gemel").glob("ledger.*"):
        file.unlink()
    shutil.rmtree(project / ".gemel" / "gallery")
    with application(Project.open(), log) as app, server.running(app, log=log) as url:
        assert "warning" not in ask(url + "/readyz"), "it is new"


def test_a_gallery_that_was_emptied_by_hand_is_no_lost_one(project: Path, gemel: Gemel) -> None:
    ids = [row.split(",")[0] for row in (project / "people.csv").read_text().splitlines()[1:]]
    assert gemel("gallery", "delete", *ids[1:]).code == 0
    written, new = io.StringIO(), {"records": [{"id": "r", "payload": PAIR["left"]}]}
    log = log_to(written)
    with application(Project.open(), log) as app, server.running(app, log=log) as url:
        assert ask(url + "/v1/records", new)["count"] == 2
    assert gemel("gallery", "delete", ids[0], "r", "nobody").code == 0
    with application(Project.open(), log) as app, server.running(app, log=log) as url:
        assert "warning" not in ask(url + "/readyz"), "its owner took them out"
    assert '"gallery_empty"' not in written.getvalue()
    with application(Project.open(), log) as app, server.running(app, log=log) as url:
        ask(url + "/v1/records", new)
    shutil.rmtree(project / ".gemel" / "gallery")
    with (
        application(Project.open(), log) as app,
        server.running(app, log=log) as url,
        pytest.raises(urllib.error.HTTPError, match="503"),
    ):
        ask(url + "/readyz")
    assert gemel("gallery", "delete", "r").code == 0
    with application(Project.open(), log) as app, server.running(app, log=log) as url:
        assert "warning" not in ask(url + "/readyz"), "it is gone on purpose"


def test_the_page_on_tenants_is_right(project: Path, gemel: Gemel) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "tenants.md"
    made, after = re.findall(r"```sh\n(.*?)```", page.read_text(), flags=re.S)
    said = [gemel(*shlex.split(line)[1:]) for line in made.splitlines()]
    assert [one.code for one in said] == [0, 0, 0], said
    shop, staff, bolt = (one.out.strip() for one in said)
    new = {"records": [{"id": "theirs", "payload": PAIR["left"]}]}
    log = log_to(io.StringIO())
    with application(Project.open(), log) as app, server.running(app, log=log) as url:
        assert ask(url + "/v1/records", new, shop)["added"] == 1
        asked = {"query": PAIR["left"], "k": 9}
        assert [h["id"] for h in ask(url + "/v1/search", asked, staff)["hits"]] == ["theirs"]
        assert ask(url + "/v1/search", asked, bolt)["hits"] == []
        assert ask(url + "/v1/release", key=bolt)["records"] == 0
    for line in after.splitlines():
        one = gemel(*shlex.split(line)[1:])
        assert one.code == 0, one.err
        if "stats" in line:
            assert re.findall(r"^rows +(\d+)$", one.out, flags=re.M) == ["1"], one.out
    home = project / ".gemel" / "tenants" / "acme"
    assert (home / "ledger.db").is_file() and (project / ".gemel" / "usage.json").is_file()
    refused = gemel("serve", "--set", "store.tenant=acme")
    assert refused.code != 0 and "for all of its tenants" in refused.err
