"""`POST /v1/duplicates`: clusters of what is sent, the pairs behind them, and bad requests."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.serve import small

from gemel.decide.categories import Categories, Line
from gemel.decide.rules import bound, parse
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.serve.steps import Done, Task, go_on, run
from gemel.serve.verbs.duplicates import duplicates
from gemel.serve.wire.enrolled import DuplicatesBody, RecordItem

ANNA, BERT, CARLA = small.ROWS[:3]


def body(*payloads: Any, **more: Any) -> dict[str, Any]:
    return {"records": [{"id": f"r{i}", "payload": p} for i, p in enumerate(payloads)], **more}


def test_the_same_records_are_one_cluster(client: httpx.Client, release: Release) -> None:
    reply = client.post("/v1/duplicates", json=body(ANNA, BERT, ANNA, CARLA))
    assert reply.status_code == 200, reply.text
    got = reply.json()
    together = [c["records"] for c in got["clusters"] if "r0" in c["records"]]
    assert len(together) == 1 and {"r0", "r2"} <= set(together[0])
    pair = next(p for p in got["pairs"] if (p["left"], p["right"]) == ("r0", "r2"))
    assert pair["outcome"] == "match" and pair["score"] == pytest.approx(1.0, abs=1e-5)
    assert 0 < pair["probability"] < 1
    assert {p["probability_is"] for p in got["pairs"]} <= {"estimated", "at least"}
    assert (got["release"], got["space"]) == (release.id, release.space_id)
    assert reply.headers["server-timing"].count("dur=") == 6


def test_more_pairs_than_a_request_may_come_to_are_refused(client: httpx.Client) -> None:
    """A thousand equal records would be half a million pairs, and all others would wait."""
    reply = client.post("/v1/duplicates", json=body(*[ANNA] * 1000))
    assert reply.status_code == 422, reply.text
    got = reply.json()
    assert got["where"] == "records"
    assert "20,000 pairs" in got["detail"] and "gemel duplicates" in got["hint"]


def test_a_long_request_lets_others_go_between(service: Service) -> None:
    """Each stride of it is work of its own, in a lane that no search goes through."""
    records = [RecordItem(f"{i}", {**ANNA, "first": f"{i:03}" * 4}) for i in range(200)]
    steps = duplicates(service.context(), DuplicatesBody(records))
    outcome, lanes = go_on(steps, None), []
    while not isinstance(outcome, Done):
        lanes.append(outcome.lane)
        (outcome,) = run([Task(steps, outcome, math.inf)])
    assert lanes == ["encode", *["group"] * 6]


def test_pairs_are_decided_like_verify(client: httpx.Client) -> None:
    got = client.post("/v1/duplicates", json=body(*small.ROWS)).json()
    known = {(p["left"], p["right"]): p for p in got["pairs"]}
    for i, left in enumerate(small.ROWS):
        for j in range(i + 1, len(small.ROWS)):
            right = small.ROWS[j]
            one = client.post("/v1/verify", json={"left": left, "right": right}).json()
            here = known.pop((f"r{i}", f"r{j}"), {"outcome": "no_match"})
            assert here["outcome"] == one["outcome"]
            if "score" in here:
                assert here["score"] == pytest.approx(one["score"], abs=1e-6)
    assert not known
    assert got["threshold"] == one["threshold"]


def test_probabilities_are_those_at_a_named_share(client: httpx.Client) -> None:
    some, few = (
        client.post("/v1/duplicates", json=body(*small.ROWS, prior=share)).json()
        for share in (0.2, 1e-5)
    )
    assert some["prior"] == pytest.approx(0.2) and few["prior"] == pytest.approx(1e-5)
    assert some["pairs"][0]["probability"] > 10 * few["pairs"][0]["probability"]
    # The evidence of this release is for another threshold, so that no share moves it.
    assert some["threshold"] == few["threshold"] == 0.5
    assert client.post("/v1/duplicates", json=body(ANNA, BERT, prior=5e-324)).status_code == 422


def test_the_most_complete_record_stands_for_its_cluster(client: httpx.Client) -> None:
    sparse = {**ANNA, "born": None}
    got = client.post("/v1/duplicates", json=body(sparse, ANNA)).json()
    assert [c["canonical"] for c in got["clusters"]] == ["r1"]
    got = client.post("/v1/duplicates", json=body(ANNA, ANNA, method="components")).json()
    (cluster,) = got["clusters"]
    assert cluster["records"] == ["r0", "r1"] and cluster["canonical"] == "r0"
    assert cluster["weakest_link"] == pytest.approx(1.0, abs=1e-5)
    assert 0 <= cluster["risk"] <= 1


def test_the_order_of_the_records_does_not_matter(client: httpx.Client) -> None:
    sent = body(*small.ROWS, ANNA, BERT)
    one = client.post("/v1/duplicates", json=sent).json()
    other = client.post("/v1/duplicates", json={"records": sent["records"][::-1]}).json()
    for reply in (one, other):
        reply.pop("decision_id")
    assert one["clusters"] == other["clusters"]
    assert [p["outcome"] for p in one["pairs"]] == [p["outcome"] for p in other["pairs"]]


def test_a_risk_limit_cuts(client: httpx.Client) -> None:
    assert client.post("/v1/duplicates", json=body(ANNA, ANNA, max_risk=0)).json()["clusters"] == []


def test_no_risk_can_be_limited_without_probabilities(release: Release, tmp_path: Path) -> None:
    plain = msgspec.structs.replace(release.policy, likelihood=None)
    child = release.child(into=tmp_path / "child", policy=plain)
    with (
        running(create_app(Service(child))) as url,
        httpx.Client(base_url=url, timeout=10) as client,
    ):
        got = client.post("/v1/duplicates", json=body(ANNA, ANNA)).json()
        assert [c["risk"] for c in got["clusters"]] == [None]
        assert got["pairs"][0]["probability"] is None
        reply = client.post("/v1/duplicates", json=body(ANNA, ANNA, max_risk=0.5))
        assert reply.status_code == 422 and reply.json()["where"] == "max_risk"


def test_a_category_decides_as_for_verify(release: Release, tmp_path: Path) -> None:
    near = {**ANNA, "last": "hansem"}
    categories = Categories(column="c", lines={"a": Line(0.0, 1.0), "b": Line(0.5, 1.0)})
    policy = msgspec.structs.replace(release.policy, categories=categories)
    child = release.child(into=tmp_path / "child", policy=policy)
    with (
        running(create_app(Service(child))) as url,
        httpx.Client(base_url=url, timeout=10) as client,
    ):
        for left, right in (("a", "a"), ("a", "b"), ("b", "b"), ("a", None)):
            sent = body(ANNA, near)
            for record, category in zip(sent["records"], (left, right), strict=True):
                record["category"] = category
            got = client.post("/v1/duplicates", json=sent).json()
            both = {"left": ANNA, "right": near, "category": [left, right]}
            one = client.post("/v1/verify", json=both).json()
            outcome = got["pairs"][0]["outcome"] if got["pairs"] else "no_match"
            assert outcome == one["outcome"], (left, right)
            assert bool(got["clusters"]) == (one["outcome"] == "match")
            assert (left == right == "a") == (one["outcome"] == "match")


def test_a_rule_decides_as_for_verify(release: Release, tmp_path: Path) -> None:
    rules = bound([parse("born apart 2: no_match")], {"born": "number"})
    policy = msgspec.structs.replace(release.policy, rules=rules)
    child = release.child(into=tmp_path / "child", policy=policy)
    with (
        running(create_app(Service(child))) as url,
        httpx.Client(base_url=url, timeout=10) as client,
    ):
        for years, clusters in ((1, 1), (9, 0)):
            older = {**ANNA, "born": ANNA["born"] - years}
            got = client.post("/v1/duplicates", json=body(ANNA, older)).json()
            one = client.post("/v1/verify", json={"left": ANNA, "right": older}).json()
            assert len(got["clusters"]) == len(got["pairs"]) == clusters
            assert (one["outcome"] == "match") == bool(clusters)


def test_it_is_in_the_ledger_without_payloads(client: httpx.Client, ledger: Ledger) -> None:
    got = client.post("/v1/duplicates", json=body(ANNA, ANNA)).json()
    ledger.flush()
    entry = ledger.find(got["decision_id"])
    assert entry is not None and "anna" not in entry.text
    noted = msgspec.json.decode(entry.text)
    assert (noted["records"], noted["clusters"], noted["matches"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        (body(ANNA), 422, "length >= 2"),
        (body(ANNA, {"name": "x"}), 422, "records[1].payload"),
        (body(ANNA, ANNA, method="ward"), 422, "ward"),
        (body(ANNA, ANNA, max_risk=2), 422, "<= 1"),
        ({"records": [{"id": "a", "payload": ANNA}] * 2}, 409, "'a' stands twice"),
        (body(*[ANNA] * 1001), 422, "length <= 1000"),
    ],
    ids=["one", "unknown field", "method", "risk", "twice", "many"],
)
def test_bad_requests_are_explained(
    shared_client: httpx.Client, sent: Any, status: int, says: str
) -> None:
    reply = shared_client.post("/v1/duplicates", json=sent)
    assert reply.status_code == status
    problem = reply.json()
    assert says in f"{problem['detail']} {problem.get('where', '')}"
