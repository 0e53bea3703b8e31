from __future__ import annotations

import base64
import struct
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from tests.serve.small import DIM, ROWS

from gemel import sqlite
from gemel.gallery.local.gallery import LocalGallery
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.routes.table import TABLE
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.settings import ServeSettings
from gemel.telemetry import METRICS, ROUTES

ANNA, BERT = ROWS[0], ROWS[1]


def enroll(client: httpx.Client) -> httpx.Response:
    records = [{"id": f"people/{i}", "payload": row} for i, row in enumerate(ROWS)]
    return client.post("/v1/records", json={"records": records})


def test_verify_gives_a_decision_whose_parts_belong_together(
    client: httpx.Client, release: Release
) -> None:
    reply = client.post("/v1/verify", json={"left": ANNA, "right": ANNA})
    body = reply.json()
    assert reply.status_code == 200
    assert body["outcome"] == "match"
    assert body["score"] == pytest.approx(1.0, abs=1e-5)
    assert body["threshold"] == 0.5
    assert 0 < body["probability"] < 1
    assert body["interval"] is None
    assert (body["release"], body["space"]) == (release.id, release.space_id)
    assert reply.headers["x-gemel-release"] == release.id
    assert reply.headers["x-gemel-space"] == release.space_id
    assert reply.headers["server-timing"].startswith("queue;dur=")


def test_several_views_of_one_thing_all_have_to_match(client: httpx.Client) -> None:
    one = client.post("/v1/verify", json={"left": ANNA, "right": BERT}).json()
    both = client.post("/v1/verify", json={"left": [ANNA, BERT], "right": [BERT]}).json()
    assert both["score"] == pytest.approx(one["score"], abs=1e-6)
    assert both["outcome"] == one["outcome"]


def test_verify_is_symmetric_and_agrees_with_the_release(
    client: httpx.Client, release: Release
) -> None:
    there = client.post("/v1/verify", json={"left": ANNA, "right": BERT}).json()
    back = client.post("/v1/verify", json={"left": BERT, "right": ANNA}).json()
    rows = release.encoder.encode([ANNA, BERT])
    assert there["score"] == back["score"] == pytest.approx(float(rows[0] @ rows[1]), abs=1e-6)


def test_a_decision_is_in_the_ledger_without_the_payload(
    client: httpx.Client, ledger: Ledger
) -> None:
    headers = {"x-request-id": "caller-7"}
    body = client.post("/v1/verify", json={"left": ANNA, "right": BERT}, headers=headers).json()
    ledger.flush()
    entry = ledger.find(body["decision_id"])
    assert entry is not None
    noted = msgspec.json.decode(entry.text)
    assert noted["request_id"] == "caller-7"
    assert noted["score"] == body["score"]
    assert noted["release"] == body["release"]
    assert "anna" not in entry.text


def test_records_are_enrolled_found_changed_and_deleted(client: httpx.Client) -> None:
    assert enroll(client).json()["added"] == 5
    again = enroll(client).json()
    assert (again["added"], again["unchanged"], again["count"]) == (0, 5, 5)
    hits = client.post("/v1/search", json={"query": ANNA, "k": 3}).json()["hits"]
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert hits[0]["id"] == "people/0"
    assert hits[0]["attributes"] == ANNA
    assert hits[0]["decision"] == "match"
    assert [h["score"] for h in hits] == sorted((h["score"] for h in hits), reverse=True)
    assert client.get("/v1/records/people%2F0").json()["attributes"] == ANNA
    assert client.delete("/v1/records/people/0").json()["deleted"] == 1
    gone = client.get("/v1/records/people/0")
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_record")
    ids = {"ids": ["people/1", "nobody"]}
    deleted = client.request("DELETE", "/v1/records", json=ids).json()
    assert (deleted["deleted"], deleted["count"]) == (1, 3)
    assert client.get("/v1/records").json() == {"count": 3}
    hits = client.post("/v1/search", json={"query": ANNA}).json()["hits"]
    assert {hit["id"] for hit in hits} == {"people/2", "people/3", "people/4"}


def test_identify_names_a_record_or_says_unknown(client: httpx.Client, ledger: Ledger) -> None:
    empty = client.post("/v1/identify", json={"query": ANNA}).json()
    assert (empty["outcome"], empty["record"], empty["score"]) == ("unknown", None, None)
    enroll(client)
    found = client.post("/v1/identify", json={"query": ANNA}).json()
    assert (found["outcome"], found["record"], found["attributes"]) == ("match", "people/0", ANNA)
    assert found["score"] >= found["threshold"]
    assert (found["gallery_size"], found["largest_gallery"]) == (5, None)
    ledger.flush()
    entry = ledger.find(found["decision_id"])
    assert entry is not None
    noted = msgspec.json.decode(entry.text)
    assert (noted["outcome"], noted["gallery_size"]) == ("match", 5)
    assert "attributes" not in noted
    filtered = client.post("/v1/identify", json={"query": ANNA, "where": {"born": 1}}).json()
    assert filtered["outcome"] == "unknown"


def test_a_search_can_be_filtered(client: httpx.Client) -> None:
    enroll(client)
    found = client.post("/v1/search", json={"query": ANNA, "where": {"born": [1952, 1953]}})
    assert {hit["id"] for hit in found.json()["hits"]} == {"people/2", "people/3"}
    none = client.post("/v1/search", json={"query": ANNA, "where": {"born": 1}})
    assert none.json()["hits"] == []


def test_embeddings_have_the_shape_of_openai(client: httpx.Client, release: Release) -> None:
    expected = release.encoder.encode(ROWS)
    floats = client.post("/v1/embeddings", json={"input": ROWS, "model": "any"}).json()
    assert floats["object"] == "list"
    assert [item["index"] for item in floats["data"]] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose([d["embedding"] for d in floats["data"]], expected, atol=1e-6)
    packed = client.post(
        "/v1/embeddings", json={"input": ANNA, "encoding_format": "base64", "dimensions": DIM}
    ).json()
    raw = base64.b64decode(packed["data"][0]["embedding"])
    np.testing.assert_allclose(struct.unpack(f"<{DIM}f", raw), expected[0], atol=1e-6)


def test_more_items_than_a_batch_come_back_in_order(service: Service, release: Release) -> None:
    many = [{**ANNA, "born": year} for year in range(1900, 1990)]
    settings = ServeSettings(max_batch=8)
    with running(create_app(service, settings)) as url:
        reply = httpx.post(f"{url}/v1/embeddings", json={"input": many})
        bad = httpx.post(f"{url}/v1/embeddings", json={"input": [*many, {"x": "y"}]})
    got = [item["embedding"] for item in reply.json()["data"]]
    np.testing.assert_allclose(got, release.encoder.encode(many), atol=1e-6)
    assert bad.json()["error"]["param"] == "input[90].x"


def test_openai_clients_get_errors_in_their_shape(client: httpx.Client) -> None:
    reply = client.post("/v1/embeddings", json={"input": {"firs": "x"}})
    assert reply.status_code == 422
    error = reply.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_input")
    assert error["param"] == "input.firs"


GOOD = {"left": ANNA, "right": BERT}
JSON = {"content-type": "application/json"}
BAD: list[tuple[str, str, dict[str, Any], int, str, str]] = [
    ("POST", "/v1/verify", {"content": b"", "headers": JSON}, 400, "malformed_json", ""),
    ("POST", "/v1/verify", {"content": b"{", "headers": JSON}, 400, "malformed_json", ""),
    ("POST", "/v1/verify", {"content": b"\xff\xfe", "headers": JSON}, 400, "malformed_json", ""),
    ("POST", "/v1/verify", {"content": b"[" * 90_000, "headers": JSON}, 422, "invalid_input", ""),
    (
        "POST",
        "/v1/verify",
        {"content": b'{"left":{"first":NaN}}', "headers": JSON},
        400,
        "malformed_json",
        "",
    ),
    ("POST", "/v1/verify", {"json": []}, 422, "invalid_input", ""),
    ("POST", "/v1/verify", {"json": {"left": ANNA}}, 422, "invalid_input", "right"),
    ("POST", "/v1/verify", {"json": {**GOOD, "k": 1}}, 422, "invalid_input", "k"),
    ("POST", "/v1/verify", {"json": {**GOOD, "left": 3}}, 422, "invalid_input", "left"),
    ("POST", "/v1/verify", {"json": {**GOOD, "left": "anna"}}, 422, "invalid_input", "left"),
    ("POST", "/v1/verify", {"json": {**GOOD, "left": {}}}, 422, "invalid_input", "left"),
    ("POST", "/v1/verify", {"json": {**GOOD, "left": []}}, 422, "invalid_input", "left"),
    ("POST", "/v1/verify", {"json": {**GOOD, "left": [ANNA] * 9}}, 422, "invalid_input", "left"),
    ("POST", "/v1/verify", {"json": {**GOOD, "left": [ANNA, {}]}}, 422, "invalid_input", "left[1]"),
    (
        "POST",
        "/v1/verify",
        {"json": {**GOOD, "right": {"frist": "x"}}},
        422,
        "invalid_input",
        "right.frist",
    ),
    (
        "POST",
        "/v1/verify",
        {"json": {**GOOD, "right": {"born": "x"}}},
        422,
        "invalid_input",
        "right.born",
    ),
    (
        "POST",
        "/v1/verify",
        {"json": {**GOOD, "right": {"first": 3}}},
        422,
        "invalid_input",
        "right.first",
    ),
    (
        "POST",
        "/v1/verify",
        {"json": {**GOOD, "right": {"born": 3, "first": ["x"]}}},
        422,
        "invalid_input",
        "right.first",
    ),
    (
        "POST",
        "/v1/verify",
        {"json": {**GOOD, "left": [ANNA, {"first": "x", "last": True}]}},
        422,
        "invalid_input",
        "left[1].last",
    ),
    (
        "POST",
        "/v1/search",
        {"json": {"query": ANNA, "where": {"first": "x", "last": ["x", 1], "born": [1, {}]}}},
        422,
        "invalid_input",
        "where.born[1]",
    ),
    ("POST", "/v1/verify?k=1", {"json": GOOD}, 422, "invalid_input", "k"),
    ("POST", "/v1/search?limit=3", {"json": {"query": ANNA}}, 422, "invalid_input", "limit"),
    ("GET", "/v1/review?limi=3", {}, 422, "invalid_input", "limi"),
    ("GET", "/v1/review?limit=", {}, 422, "invalid_input", "limit"),
    ("GET", "/v1/classes?lable=person", {}, 422, "invalid_input", "lable"),
    ("GET", "/v1/release?x", {}, 422, "invalid_input", "x"),
    ("POST", "/v1/verify", {"data": {"left": "x"}}, 415, "media_type", ""),
    ("POST", "/v1/verify", {"files": {"image": b"x"}}, 415, "media_type", ""),
    ("GET", "/v1/verify", {}, 405, "wrong_method", "/v1/verify"),
    ("PUT", "/v1/records", {}, 405, "wrong_method", "/v1/records"),
    ("GET", "/v1/nothing", {}, 404, "unknown_path", ""),
    ("GET", "/v1/records/nobody", {}, 404, "unknown_record", ""),
    ("POST", "/v1/search", {"json": {"query": ANNA, "k": 0}}, 422, "invalid_input", "k"),
    ("POST", "/v1/search", {"json": {"query": ANNA, "k": 10**6}}, 422, "invalid_input", "k"),
    (
        "POST",
        "/v1/search",
        {"json": {"query": ANNA, "where": {"born": {"gt": 3}}}},
        422,
        "invalid_input",
        "where.born",
    ),
    ("POST", "/v1/records", {"json": {"records": []}}, 422, "invalid_input", "records"),
    (
        "POST",
        "/v1/records",
        {"json": {"records": [{"id": "", "payload": ANNA}]}},
        422,
        "invalid_input",
        "records[0].id",
    ),
    (
        "POST",
        "/v1/records",
        {"json": {"records": [{"id": "a", "payload": {"x": "y"}}]}},
        422,
        "invalid_input",
        "records[0].payload.x",
    ),
    (
        "POST",
        "/v1/records",
        {"json": {"records": [{"id": "a", "payload": ANNA}] * 2}},
        409,
        "duplicate_record",
        "",
    ),
]


@pytest.mark.parametrize(("method", "path", "sent", "status", "code", "where"), BAD)
def test_bad_requests_are_problems_with_a_place_and_never_a_traceback(
    shared_client: httpx.Client,
    method: str,
    path: str,
    sent: dict[str, Any],
    status: int,
    code: str,
    where: str,
) -> None:
    reply = shared_client.request(method, path, **sent)
    problem = reply.json()
    assert (reply.status_code, problem["code"]) == (status, code), problem
    assert reply.headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == reply.headers["x-request-id"]
    assert problem["status"] == status
    assert problem["type"] == f"urn:gemel:error:{code}"
    assert problem.get("where", "") == where
    assert "Traceback" not in reply.text
    if status == 405:
        assert reply.headers["allow"]


def test_a_value_that_is_cut_has_both_quotes(shared_client: httpx.Client) -> None:
    for path in (f"/v1/review?limit={'9' * 500}", f"/v1/review?{'x' * 500}=1"):
        detail = shared_client.get(path).json()["detail"]
        assert len(detail) < 120 and detail.count("'") == 2, detail


def test_what_probes_and_scrapers_add_to_a_path_is_let_be(shared_client: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json"):
        assert shared_client.get(f"{path}?t=1").status_code == 200


def test_a_body_above_the_limit_is_refused_announced_or_not(service: Service) -> None:
    with running(create_app(service, ServeSettings(max_body_bytes=2048))) as url:
        big = b'{"left": {"first": "' + b"x" * 4000 + b'"}}'
        announced = httpx.post(f"{url}/v1/verify", content=big, headers=JSON)
        chunks = (big[i : i + 500] for i in range(0, len(big), 500))
        streamed = httpx.post(f"{url}/v1/verify", content=chunks, headers=JSON)
        good = httpx.post(f"{url}/v1/verify", json=GOOD)
    assert (announced.status_code, announced.json()["code"]) == (413, "body_too_large")
    assert (streamed.status_code, streamed.json()["code"]) == (413, "body_too_large")
    assert good.status_code == 200


def test_a_request_id_is_kept_if_it_is_harmless(client: httpx.Client) -> None:
    kept = client.get("/livez", headers={"x-request-id": "trace-1"})
    assert kept.headers["x-request-id"] == "trace-1"
    for bad in ("a b", "x" * 200, "ünï".encode().decode("latin-1")):
        new = client.get("/nothing", headers={b"x-request-id": bad.encode("latin-1")})
        assert new.headers["x-request-id"] not in ("", bad)
    first, second = (client.get("/livez").headers["x-request-id"] for _ in range(2))
    assert first != second


def test_a_service_without_gallery_says_so(release: Release) -> None:
    with running(create_app(Service(release))) as url:
        search = httpx.post(f"{url}/v1/search", json={"query": ANNA})
        verify = httpx.post(f"{url}/v1/verify", json=GOOD)
    assert (search.status_code, search.json()["code"]) == (409, "no_gallery")
    assert verify.json()["decision_id"] is None


def test_the_description_names_every_route_and_the_fields_of_the_release(
    client: httpx.Client,
) -> None:
    document = client.get("/openapi.json").json()
    described = {(m.upper(), p) for p, ops in document["paths"].items() for m in ops}
    assert described == {(route.method, route.label) for route in TABLE}
    assert set(document["components"]["schemas"]["Payload"]["properties"]) == set(ANNA)
    assert "VerifyReply" in document["components"]["schemas"]
    operations = [op["operationId"] for ops in document["paths"].values() for op in ops.values()]
    assert len(set(operations)) == len(operations)


def test_metrics_count_what_happened(client: httpx.Client) -> None:
    client.post("/v1/verify", json=GOOD)
    client.post("/v1/verify", content=b"{", headers=JSON)
    client.get("/nothing")
    text = client.get("/metrics").text
    for line in (
        'gemel_requests_total{route="/v1/verify",status="200"} 1.0',
        'gemel_requests_total{route="/v1/verify",status="400"} 1.0',
        'gemel_requests_total{route="/v1/search",status="200"} 0.0',
        'gemel_requests_total{route="/v1/search",status="500"} 0.0',
        'gemel_requests_total{route="other",status="404"} 1.0',
        'gemel_batch_payloads_sum{lane="encode"} 2.0',
        "gemel_ready 1.0",
    ):
        assert line in text
    assert all(metric.name in text for metric in METRICS)
    assert {route.label for route in TABLE} <= set(ROUTES)


def test_the_release_is_described(client: httpx.Client, release: Release) -> None:
    body = client.get("/v1/release").json()
    assert body["release"] == release.id
    assert [field["name"] for field in body["fields"]] == ["first", "last", "born"]
    assert body["policy"]["verify"]["threshold"] == 0.5
    assert client.get("/readyz").json()["release"] == release.id
    assert client.get("/livez").json() == {"status": "alive"}


class Poisoned(LocalGallery):
    """A gallery whose search fails in a way nobody foresaw."""

    def search(self, *_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("secret detail")


def test_a_fault_is_logged_with_the_request_id_and_not_shown(
    release: Release, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        Poisoned.open(tmp_path / "g", space_id=release.space_id, dim=DIM) as gallery,
        running(create_app(Service(release, gallery))) as url,
    ):
        bad = httpx.post(f"{url}/v1/search", json={"query": ANNA})
        good = httpx.post(f"{url}/v1/verify", json=GOOD)
    assert (bad.status_code, bad.json()["code"]) == (500, "internal")
    assert "secret" not in bad.text
    assert good.status_code == 200
    lines = [msgspec.json.decode(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [line for line in lines if line["event"] == "request_failed"]
    assert line["request_id"] == bad.headers["x-request-id"]
    assert line["release"] == release.id
    assert "ZeroDivisionError" in line["exception"]


def test_a_full_disk_is_507_with_what_to_do(
    release: Release, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(sqlite, "DURABLE", (*sqlite.DURABLE, "max_page_count=12"))
    with (
        LocalGallery.open(tmp_path / "g", space_id=release.space_id, dim=DIM) as gallery,
        running(create_app(Service(release, gallery))) as url,
    ):
        records = [{"id": f"{i}", "payload": {**ANNA, "born": i}} for i in range(900)]
        reply = httpx.post(f"{url}/v1/records", json={"records": records}, timeout=20)
        count = httpx.get(f"{url}/v1/records").json()["count"]
    assert (reply.status_code, reply.json()["code"]) == (507, "gallery_full")
    assert "free some space" in reply.json()["hint"]
    assert count == 0
    assert "Traceback" not in capsys.readouterr().err


def test_the_description_has_pairs_in_words_that_tools_know(client: httpx.Client) -> None:
    said = client.get("/openapi.json").json()["components"]["schemas"]
    pair = said["VerifyReply"]["properties"]["category"]["anyOf"][0]
    text = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert pair == {"type": "array", "minItems": 2, "maxItems": 2, "items": text}


def test_the_description_says_what_an_item_is_and_which_shape_errors_have(
    client: httpx.Client,
) -> None:
    document = client.get("/openapi.json").json()
    body = document["components"]["schemas"]["VerifyBody"]["properties"]["left"]
    assert '"#/components/schemas/Payload"' in msgspec.json.encode(body).decode()
    errors = {
        path: next(iter(operation["responses"]["default"]["content"]))
        for path, operations in document["paths"].items()
        for operation in operations.values()
    }
    for path in ("/v1/embeddings", "/v1/models"):  # those of OpenAI's API
        assert errors.pop(path) == "application/json"
    for path, media in errors.items():
        own = "application/json" if path.startswith("/v2") else "application/problem+json"
        assert media == own, path


@pytest.mark.parametrize(
    ("path", "body", "hint"),
    [
        ("/v1/duplicates", {"records": [{"id": "a", "item": ANNA}] * 2}, "fields: id, payload"),
        ("/v1/duplicates", {"records": [{"id": "a", "paylod": 1}] * 2}, "did you mean 'payload'?"),
        ("/v1/verify", {"left": ANNA}, "fields: left, right"),
        ("/v1/search", {"query": ANNA, "K": 3}, "fields: query, k, where"),
        ("/v1/rollout", {"action": "begin"}, "one of abort, pause"),
        ("/v1/verify", [ANNA], "see /openapi.json"),
    ],
)
def test_a_body_of_another_shape_is_told_what_there_is(
    shared_client: httpx.Client, path: str, body: Any, hint: str
) -> None:
    reply = shared_client.post(path, json=body)
    assert reply.status_code == 422 and hint in reply.json()["hint"], reply.text
