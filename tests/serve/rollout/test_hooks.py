"""Delivery tools ask as their documentation says, by what the how-to page tells them to ask."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml
from tests.serve.rollout.kept import Project, opened_project
from tests.serve.rollout.test_tried import house, start

from gemel.serve.rollout import guard
from gemel.serve.rollout.plan import State

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "roll-out.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
ARGO, FLAGGER = (yaml.safe_load(block) for block in BLOCKS)
project = pytest.fixture(opened_project)
pytestmark = pytest.mark.usefixtures("seeded")


def flagger(client: httpx.Client, phase: str = "Progressing") -> dict[str, int]:
    """What Flagger gets for each of the page's webhooks, by their types."""
    said = {}
    for hook in FLAGGER["analysis"]["webhooks"]:
        body = {"name": "podinfo", "namespace": "test", "phase": phase, "checksum": "85d557f47b"}
        sent = {**body, "metadata": hook["metadata"]}
        assert hook["metadata"]["hook"] == hook["type"]
        said[hook["type"]] = client.post(httpx.URL(hook["url"]).path, json=sent).status_code
    return said


def argo(client: httpx.Client) -> str:
    """What Argo's web metric makes of the reply, by the page's conditions."""
    (metric,) = ARGO["spec"]["metrics"]
    web = metric["provider"]["web"]
    reply = client.get(httpx.URL(web["url"]).path)
    if not 200 <= reply.status_code < 300:
        return "Error"
    (name,) = re.findall(r"^\{\$\.(\w+)\}$", web["jsonPath"])
    result = reply.json()[name]
    (good,) = re.findall(r'^result == "(.+)"$', metric["successCondition"])
    (bad,) = re.findall(r'^result == "(.+)"$', metric["failureCondition"])
    return "Failed" if result == bad else "Successful" if result == good else "Inconclusive"


def seen(project: Project, *, flips: float) -> None:
    """What another service saw: a thousand subjects at this step."""

    def more(state: State) -> State:
        tally = guard.empty(state.plan)
        for _ in range(1000):
            tally.flips.add(flips)
            tally.errors.add(0.0)
            tally.slow.add(0.0)
            tally.answers[state.step] += 1
        return msgspec.structs.replace(state, tallies={**state.tallies, "other": tally})

    project.desk.see(more)


WAITS = {"confirm-traffic-increase": 425, "confirm-promotion": 425, "rollback": 425}
GOES_ON = {"confirm-rollout": 200, "rollout": 200, "post-rollout": 200}


def test_a_shadow_tells_when_to_go_on(project: Project) -> None:
    good = project.put(1e-5)
    with house(project) as at:
        assert argo(at.client) == "Error"  # there was none yet
        assert set(flagger(at.client).values()) == {425}
        start(project, good, steps=())
        assert flagger(at.client) == {**GOES_ON, **WAITS}, "no traffic is no evidence"
        assert argo(at.client) == "Inconclusive"
        project.desk.pause(actor="test")
        assert flagger(at.client)["rollout"] == 425
        project.desk.resume(actor="test")
        seen(project, flips=0.0)
        assert argo(at.client) == "Successful"
        said = flagger(at.client)
        assert said == {**GOES_ON, "confirm-traffic-increase": 200, "confirm-promotion": 200,
                        "rollback": 425}  # fmt: skip
        for name, status in ((good.short_id, 200), ("0" * 12, 425)):
            body: Any = {"metadata": {"hook": "rollout", "release": name}}
            assert at.client.post("/v1/rollout/hook", json=body).status_code == status
        flagger(at.client, phase="Failed")  # it went back for reasons of its own
        ended = at.client.get("/v1/rollout").json()
        assert (ended["status"], ended["reason"]) == ("aborted", "test/podinfo was rolled back")
        unknown: Any = {"metadata": {"hook": "later"}}
        refused = at.client.post("/v1/rollout/hook", json=unknown)
        assert (refused.status_code, refused.json()["where"]) == (422, "metadata.hook")


def test_what_is_worse_is_turned_down_with_its_reason(project: Project) -> None:
    bad = project.put(1.0)
    with house(project) as at:
        start(project, bad, steps=(30,))
        assert flagger(at.client) == {**GOES_ON, **WAITS}
        seen(project, flips=1.0)
        assert argo(at.client) == "Failed"
        for _ in range(2):  # as soon as it shows, and once a service has rolled it back
            said = flagger(at.client)
            assert (said["rollback"], said["post-rollout"]) == (200, 200)
            assert {said[hook] for hook in said if hook not in ("rollback", "post-rollout")} == {
                409
            }
            at.look()
        asked: Any = {"metadata": {"hook": "rollout"}}
        told = at.client.post("/v1/rollout/hook", json=asked).json()
        assert "decisions that differ" in told["detail"], "it is in Flagger's log"
        assert at.client.get("/v1/rollout").json()["status"] == "rolled_back"


def test_a_canary_is_confirmed_once_it_is_promoted(project: Project) -> None:
    good = project.put(1e-5)
    with house(project) as at:
        start(project, good, steps=(50,))
        seen(project, flips=0.0)
        assert flagger(at.client)["confirm-promotion"] == 425
        at.look()
        assert at.client.get("/v1/rollout").json()["status"] == "promoted"
        assert flagger(at.client)["confirm-promotion"] == 200
        assert argo(at.client) == "Successful"
