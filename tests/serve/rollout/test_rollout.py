"""A rollout of a real service process, under load."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.serve.rollout.kept import Project, opened_project
from tests.serve.rollout.processes import check, loaded, served, until

from gemel.ledger.ledger import Ledger

project = pytest.fixture(opened_project)


def test_a_bad_encoder_is_rolled_back_by_itself_and_a_good_one_promoted(project: Project) -> None:
    bad, good = project.put(1.0), project.put(1e-5)
    ask: dict[str, Any] = {"action": "start", "slow_ms": 5000, "least": 30}
    with served(project.folder) as url, httpx.Client(base_url=url, timeout=30) as client:
        with loaded(url) as load:
            body = {**ask, "release": bad.short_id, "steps": [30, 60]}
            started = client.post("/v1/rollout", json=body).json()
            assert (started["status"], started["share"]) == ("running", 0.3)
            ended = until(client, lambda reply: reply["status"] != "running")
        assert ended["status"] == "rolled_back"
        assert "decisions that differ" in ended["reason"]
        assert ended["verdict"] == "worse"
        counts = check(load, project.stable, bad)
        assert counts[bad.id] > 0
        while project.store.pointer("canary") is not None:
            pass
        assert project.store.pointer("stable") == project.stable.id
        with loaded(url) as load:
            body = {**ask, "release": good.short_id, "steps": [50], "reason": "less noise"}
            assert client.post("/v1/rollout", json=body).status_code == 200
            ended = until(client, lambda reply: reply["status"] != "running")
            assert ended["status"] == "promoted", ended["reason"]
            while client.get("/v1/release").json()["release"] != good.id:
                pass
        assert min(check(load, project.stable, good).values()) > 0
        assert project.store.pointer("stable") == good.id
    with Ledger.open(project.folder / "state" / "ledger.db", write=False) as ledger:
        kinds = [e.kind for e in ledger.entries(kind="rollout.")]
        assert kinds == [
            "rollout.start",
            "rollout.rolled_back",
            "rollout.start",
            "rollout.promoted",
        ]
        (back,) = ledger.entries(kind="rollout.rolled_back")
        assert back.body["release"] == bad.id
        assert "e-value" in back.body["reason"]
