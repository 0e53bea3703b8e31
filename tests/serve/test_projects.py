"""Several projects in one process: apart, opened when asked for, closed when memory is wanted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serve.rollout.kept import KEPT, PEOPLE

from gemel.cli.project import Project
from gemel.cli.serve import application
from gemel.client import Client
from gemel.errors import ConfigError
from gemel.serve.access import keys
from gemel.serve.http.server import running
from gemel.telemetry import log_to

NEW = {**PEOPLE[0], "first": "somebody", "last": "new"}


@dataclass
class Town:
    folder: Path
    client: httpx.Client
    projects: Any

    def ask(self, name: str, path: str, body: Any = None, key: str = "") -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        method, path = "GET" if body is None else "POST", f"/projects/{name}{path}"
        return self.client.request(method, path, json=body, headers=headers)


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    for name in ("main", "projects/one", "projects/two"):
        shutil.copytree(KEPT, tmp_path / name)
    (tmp_path / "projects" / "empty").mkdir()
    bare = tmp_path / "projects" / "bare"
    bare.mkdir()
    (bare / "gemel.toml").write_text("")
    sets = [f"serve.projects={tmp_path / 'projects'}", "serve.projects_bytes=1"]
    project = Project.open(tmp_path / "main" / "gemel.toml", sets)
    log = log_to(level="critical")
    with (
        application(project, log) as app,
        running(app, log=log) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield Town(tmp_path, client, app._projects)


def test_each_is_a_service_of_its_own(town: Town) -> None:
    assert town.projects.names == (), "nothing is opened before somebody asks"
    enroll = {"records": [{"id": "mine/1", "payload": NEW}]}
    assert town.ask("one", "/v1/records", enroll).json()["added"] == 1
    assert town.ask("one", "/v1/records/mine/1").json()["id"] == "mine/1"
    assert town.projects.names == ("one",)
    assert town.client.get("/v1/records/mine/1").status_code == 404
    assert town.ask("two", "/v1/records/mine/1").status_code == 404
    assert town.projects.names == ("two",), "the memory of the other one was wanted"
    assert town.ask("one", "/v1/records/mine/1").status_code == 200, "and it is opened again"
    pair = {"left": PEOPLE[0], "right": PEOPLE[1]}
    alike = [reply.json() for reply in (
        town.client.post("/v1/verify", json=pair), town.ask("one", "/v1/verify", pair)
    )]  # fmt: skip
    assert alike[0]["score"] == alike[1]["score"]
    assert alike[0]["decision_id"] != alike[1]["decision_id"]
    assert "gemel_requests_total" in town.ask("one", "/metrics").text
    assert town.ask("one", "/readyz").json()["status"] == "ready"
    with Client(f"{town.client.base_url}/projects/one") as typed:
        assert typed.verify(PEOPLE[0], PEOPLE[1]).score == pytest.approx(alike[0]["score"])
        assert typed.get("mine/1").id == "mine/1"


def test_a_key_is_one_of_its_project(town: Town) -> None:
    file, now = town.folder / "projects" / "one" / "state" / "keys.json", datetime.now(UTC)
    _, key = keys.add(file, "shop", "reader", days=1, now=now)
    assert town.ask("one", "/v1/release").status_code == 401
    assert town.ask("one", "/v1/release", key=key).status_code == 200
    assert town.ask("two", "/v1/release").status_code == 200
    evil = {"host": "evil.example"}
    assert town.client.get("/projects/two/v1/release", headers=evil).status_code == 421


def test_none_is_opened_for_a_page_of_another_site(town: Town) -> None:
    """It would cost a page nothing, and the service its memory."""
    for headers, status in (({"sec-fetch-site": "cross-site"}, 403), ({"host": "evil.test"}, 421)):
        assert town.client.get("/projects/one/v1/release", headers=headers).status_code == status
    assert town.projects.names == ()


def test_none_is_opened_for_whom_it_would_not_answer(town: Town) -> None:
    file, now = town.folder / "projects" / "one" / "state" / "keys.json", datetime.now(UTC)
    _, key = keys.add(file, "shop", "reader", days=1, now=now)
    for path in ("/v1/release", "/livez", "/v1/verify"):
        for sent in ("", key[:-1]):
            assert town.ask("one", path, key=sent).status_code == 401
    assert town.projects.names == ()
    assert town.ask("one", "/v1/release", key=key).status_code == 200


def test_a_project_without_keys_answers_nobody_beside_one_that_has_some(town: Town) -> None:
    assert town.ask("two", "/v1/release").status_code == 200
    file = town.folder / "main" / "state" / "keys.json"
    _, key = keys.add(file, "shop", "admin", days=1, now=datetime.now(UTC))
    until = time.monotonic() + 10
    while town.client.get("/v1/release").status_code != 401 and time.monotonic() < until:
        pass
    for sent in ("", key):
        assert town.ask("two", "/v1/release", key=sent).json()["code"] == "not_allowed"
        assert town.ask("two", "/v1/records/p0", key=sent).status_code == 403


def test_none_starts_beside_one_whose_keys_cannot_be_read(tmp_path: Path) -> None:
    for name in ("main", "projects/one", "projects/two"):
        shutil.copytree(KEPT, tmp_path / name)
    (tmp_path / "projects" / "one" / "gemel.toml").write_text("[nonsense]")  # of interest to itself
    file = tmp_path / "projects" / "two" / "state" / "keys.json"
    keys.add(file, "ann", "reader", days=9, now=datetime.now(UTC))
    sets = [f"serve.projects={tmp_path / 'projects'}"]
    project = Project.open(tmp_path / "main" / "gemel.toml", sets)
    with application(project, log_to(level="critical")):
        pass
    file.write_bytes(file.read_bytes()[:-9])
    with (
        pytest.raises(ConfigError, match="not a file of keys") as caught,
        application(project, log_to(level="critical")),
    ):
        pass
    assert caught.value.where == str(file) and "put a copy of it back" in caught.value.hint


def test_what_is_no_project_is_not_found(town: Town) -> None:
    names = ("none", "empty", "..", "%2e%2e", "one%2f..", "ONE", "", ".", "one/../two%00")
    for path in ("/projects/one", *(f"/projects/{name}/x/v1/y" for name in names)):
        reply = town.client.get(path)
        assert (reply.status_code, reply.json()["code"]) == (404, "unknown_path"), path


def test_one_that_cannot_be_served_says_why_and_leaves_the_others(town: Town) -> None:
    reply = town.ask("bare", "/v1/release")
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert reply.json()["detail"] == "no release is stable"
    assert "gemel train" in reply.json()["hint"]
    assert town.ask("one", "/v1/release").status_code == 200
    with pytest.raises(ConfigError, match="no such folder"):
        project = Project.open(town.folder / "projects/two/gemel.toml", ["serve.projects=nowhere"])
        with application(project, log_to(level="critical")):
            pass
