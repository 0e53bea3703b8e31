"""Two services on one folder: one changes records, the other sees it and answers alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.serve.rollout.kept import PEOPLE, Project, opened_project
from tests.serve.rollout.processes import check, loaded, served

from gemel.cli.project import Project as Settled
from gemel.cli.serve import application
from gemel.ledger.ledger import Ledger
from gemel.serve.access import keys
from gemel.serve.access.keys import Limits
from gemel.serve.http.server import running
from gemel.telemetry import log_to

project = pytest.fixture(opened_project)


def soon(is_so: Callable[[], bool]) -> None:
    waited = threading.Event()
    for _ in range(200):
        if is_so():
            return
        waited.wait(0.05)
    raise AssertionError("not so after ten seconds")


def test_one_writes_one_reads_and_both_follow_the_pointer(project: Project) -> None:
    candidate = project.put(1e-5)
    new = {**PEOPLE[0], "first": "somebody", "last": "new", "town": "nowhere"}
    with (
        served(project.folder) as writes,
        served(project.folder, "--read-only") as reads,
        httpx.Client(base_url=writes, timeout=30) as writer,
        httpx.Client(base_url=reads, timeout=30) as reader,
    ):

        def ids(of: httpx.Client) -> list[str]:
            hits = of.post("/v1/search", json={"query": new, "k": 2}).json()["hits"]
            return [hit["id"] for hit in hits]

        def enrolled(name: str) -> Any:
            body = {"records": [{"id": name, "payload": new}]}
            return writer.post("/v1/records", json=body).raise_for_status()

        enrolled("new/1")
        soon(lambda: ids(reader)[:1] == ["new/1"])
        for method, body in (("POST", {"records": [{"id": "x", "payload": new}]}),
                             ("DELETE", {"ids": ["new/1"]})):  # fmt: skip
            refused = reader.request(method, "/v1/records", json=body)
            assert (refused.status_code, refused.json()["code"]) == (409, "read_only")
        assert writer.delete("/v1/records/new%2F1").json()["deleted"] == 1
        soon(lambda: "new/1" not in ids(reader))
        with loaded(reads) as load:
            project.store.point("stable", candidate.id, actor="test", reason="better")
            for client in (writer, reader):
                soon(lambda c=client: c.get("/v1/release").json()["release"] == candidate.id)
            enrolled("new/2")  # into the gallery of the new space
            soon(lambda: ids(reader)[:1] == ["new/2"])
        assert check(load, project.stable, candidate)[candidate.id] > 0
        project.store.point("stable", project.stable.id, actor="test", reason="back")
        soon(lambda: reader.get("/v1/release").json()["release"] == project.stable.id)
        soon(lambda: ids(reader)[:1] == ["new/2"])  # written to both, so that nothing is lost
        decision = reader.post("/v1/verify", json={"left": new, "right": new}).json()["decision_id"]
    with Ledger.open(project.folder / "state" / "ledger.db", write=False) as ledger:
        assert ledger.verify().problem is None
        assert ledger.find(decision) is not None


def test_a_reader_sees_what_a_tenant_enrolls_and_never_makes_a_place(project: Project) -> None:
    file, now, log = project.folder / "state" / "keys.json", datetime.now(UTC), log_to()
    tenant = {
        name: keys.add(file, name, "enroller", days=1, now=now, limits=Limits(tenant=name))[1]
        for name in ("acme", "bolt")
    }
    toml = project.folder / "gemel.toml"
    record = {"records": [{"id": "theirs", "payload": PEOPLE[0]}]}
    with (
        application(Settled.open(toml), log) as writes,
        running(writes, log=log) as one,
        application(Settled.open(toml, ["serve.read_only=true"]), log) as reads,
        running(reads, log=log) as two,
        httpx.Client(timeout=30) as client,
    ):

        def ask(url: str, who: str, path: str, body: Any = None) -> httpx.Response:
            headers = {"authorization": f"Bearer {tenant[who]}"}
            method = "GET" if body is None else "POST"
            return client.request(method, url + path, json=body, headers=headers)

        query = {"query": PEOPLE[0], "k": 3}
        assert ask(one, "acme", "/v1/records", record).json()["added"] == 1
        hits = ask(two, "acme", "/v1/search", query).json()["hits"]
        assert [hit["id"] for hit in hits] == ["theirs"]
        record["records"][0]["id"] = "later"
        assert ask(one, "acme", "/v1/records", record).json()["added"] == 1
        soon(lambda: len(ask(two, "acme", "/v1/search", query).json()["hits"]) == 2)
        assert ask(two, "acme", "/v1/records", record).json()["code"] == "read_only"
        nothing = ask(two, "bolt", "/v1/search", query)
        assert (nothing.status_code, nothing.json()["code"]) == (503, "gallery_unavailable")
        assert not (project.folder / "state" / "tenants" / "bolt" / "gallery").exists()
