"""Verdicts over HTTP: from a decision to a proposal, with nothing in between made up."""

from __future__ import annotations

import httpx
from tests.serve.small import ROWS

from gemel.ledger.ledger import Ledger
from gemel.ledger.verdicts import is_asked
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.settings import AdaptSettings

ANNA, BERT = ROWS[0], ROWS[1]


def test_what_is_asked_about_waits_until_it_is_answered(release: Release, ledger: Ledger) -> None:
    service = Service(release, ledger=ledger, adapt=AdaptSettings(audit_ratio=1.0))
    with running(create_app(service)) as url, httpx.Client(base_url=url) as client:
        decided = client.post("/v1/verify", json={"left": ANNA, "right": BERT}).json()
        assert decided["asked"]
        (waits,) = client.get("/v1/review").json()["waiting"]
        assert waits["decision_id"] == decided["decision_id"]
        assert waits["score"] == decided["score"]
        verdict = {"decision_id": decided["decision_id"], "genuine": False, "reviewer": "ann"}
        reply = client.post("/v1/verdicts", json=verdict)
        assert reply.status_code == 200
        assert (reply.json()["counts"], reply.json()["note"]) == (True, None)
        entry = ledger.find(reply.json()["verdict_id"])
        assert entry is not None
        assert entry.body["genuine"] is False
        assert client.get("/v1/review").json()["waiting"] == []


def test_decisions_are_asked_about_as_often_as_the_ledger_says(
    release: Release, ledger: Ledger
) -> None:
    service = Service(release, ledger=ledger, adapt=AdaptSettings(audit_ratio=0.25))
    replies = [service.verify(ANNA, ANNA) for _ in range(400)]
    assert 60 <= sum(reply.asked for reply in replies) <= 140
    ledger.flush()
    for reply in replies:
        entry = ledger.find(reply.decision_id or "")
        assert entry is not None
        assert entry.body["review_probability"] == 0.25
        assert reply.asked == is_asked(entry.id, 0.25)


def test_an_answer_that_nobody_asked_for_is_said_not_to_count(
    release: Release, ledger: Ledger
) -> None:
    service = Service(release, ledger=ledger, adapt=AdaptSettings(audit_ratio=0.0))
    with running(create_app(service)) as url, httpx.Client(base_url=url) as client:
        decided = client.post("/v1/verify", json={"left": ANNA, "right": ANNA}).json()
        assert (decided["outcome"], decided["asked"]) == ("match", False)
        verdict = {"decision_id": decided["decision_id"], "genuine": False, "reviewer": "ann"}
        reply = client.post("/v1/verdicts", json=verdict).json()
        assert not reply["counts"] and "nobody was asked" in reply["note"]


def test_bad_verdicts_and_questions_are_explained(client: httpx.Client) -> None:
    nobody = client.post("/v1/verdicts", json={"decision_id": "0" * 32, "genuine": True})
    assert (nobody.status_code, nobody.json()["code"]) == (404, "unknown_decision")
    short = client.post("/v1/verdicts", json={"decision_id": "x", "genuine": True})
    assert short.status_code == 422
    words = client.post("/v1/verdicts", json={"decision_id": "0" * 32, "genuine": "yes"})
    assert (words.status_code, words.json()["where"]) == (422, "genuine")
    for limit in ("0", "x", "1001", "-1"):
        reply = client.get(f"/v1/review?limit={limit}")
        assert (reply.status_code, reply.json()["where"]) == (422, "limit")


def test_without_a_ledger_there_is_nothing_to_review(shared_client: httpx.Client) -> None:
    reply = shared_client.get("/v1/review")
    assert (reply.status_code, reply.json()["code"]) == (409, "no_ledger")
