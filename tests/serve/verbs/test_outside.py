"""What of a request lies far outside of all that was learned from: told in every decision."""

from __future__ import annotations

from typing import Any

import httpx
from tests.serve import small

from gemel.serve.service import Service
from gemel.serve.wire.enrolled import NewRecord, RecordItem

ANNA = small.ROWS[0]
FAR = {**ANNA, "born": 9999}
SAID = "born 9999: the records learned from have 1950 to 1954"


def test_every_decision_tells_it(service: Service) -> None:
    service.enroll([NewRecord("a", ANNA, {"class": "anna"})])
    assert service.search(FAR).outside == [SAID]
    assert service.identify(FAR).outside == [SAID]
    assert service.classify(FAR).outside == [SAID]
    assert service.verify([ANNA, FAR], FAR).outside == [f"left {SAID}", f"right {SAID}"]
    found = service.duplicates([RecordItem("a1", ANNA), RecordItem("b2", FAR)])
    assert found.outside == [f"'b2' {SAID}"]


def test_nothing_is_told_of_what_is_near(client: httpx.Client) -> None:
    def ask(verb: str, body: Any) -> Any:
        return client.post(f"/v1/{verb}", json=body).json()

    records = [{"id": "a", "payload": ANNA, "attributes": {"class": "anna"}}]
    assert ask("records", {"records": records})["added"] == 1
    near = {**ANNA, "born": 1956}
    for verb in ("search", "identify", "classify"):
        assert "outside" not in ask(verb, {"query": near})
    assert "outside" not in ask("verify", {"left": near, "right": ANNA})
    pairs = [{"left": near, "right": ANNA}, {"left": FAR, "right": ANNA}]
    replies = ask("verify-batch", {"pairs": pairs})["results"]
    assert [one.get("outside") for one in replies] == [None, [f"left {SAID}"]]
    queries = [{"query": near}, {"query": FAR}]
    replies = ask("search-batch", {"queries": queries})["results"]
    assert [one.get("outside") for one in replies] == [None, [SAID]]
