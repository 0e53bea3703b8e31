"""Explanations: the same from Python, the service and HTTP; bounded; refused with a place."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import pytest
from tests.serve import small
from tests.serve.small import ROWS

import gemel
from gemel.errors import InvalidInput, NoGallery, UnknownRecord
from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.release.explanation import Explanation
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.queues.queues import PART
from gemel.serve.service import Service
from gemel.settings import ServeSettings
from gemel.tasks.explain import MAX_CUTS

ANNA, BERT = ROWS[0], ROWS[1]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return Service(small.image_release(tmp_path_factory.mktemp("image") / "release"))


@pytest.fixture(scope="module")
def url(images: Service) -> Iterator[str]:
    with running(create_app(images)) as url:
        yield url


def image(seed: int) -> dict[str, str]:
    return {"image": base64.b64encode(small.picture(seed)).decode()}


def same(one: Explanation, other: Explanation) -> None:
    """Equal but for the last bits, which depend on the size of a batch."""
    assert [p.name for p in one.parts] == [p.name for p in other.parts]
    for p, q in zip(one.parts, other.parts, strict=True):
        assert p.lost == pytest.approx(q.lost, abs=1e-5)
        assert [x.name for x in p.parts] == [x.name for x in q.parts]
        assert (p.box, p.outcome) == (q.box, q.outcome)
    assert one.score == pytest.approx(other.score, abs=1e-5)
    fixed = ("outcome", "threshold", "stage", "release", "space", "margin", "note")
    assert all(getattr(one, name) == getattr(other, name) for name in fixed)


def asked(url: str, body: dict[str, Any]) -> Explanation:
    reply = httpx.post(f"{url}/v1/explain", json=body, timeout=30)
    assert reply.status_code == 200, reply.text
    return msgspec.json.decode(reply.content, type=Explanation)


def test_python_service_and_http_agree_on_rows(service: Service, release: Release) -> None:
    offline = gemel.explain(release, ANNA, BERT)
    same(service.explain(ANNA, BERT), offline)
    with running(create_app(service)) as url:
        same(asked(url, {"left": ANNA, "right": BERT}), offline)
    verified = service.verify(ANNA, BERT)
    assert offline.score == pytest.approx(verified.score, abs=1e-6)
    assert (offline.outcome, offline.threshold) == (verified.outcome, verified.threshold)


def test_python_service_and_http_agree_on_images(images: Service, url: str) -> None:
    offline = gemel.explain(images.pick().release, small.picture(0), small.picture(1))
    same(images.explain(image(0), image(1)), offline)
    same(asked(url, {"left": image(0), "right": image(1)}), offline)


def test_parts_can_be_left_out(url: str) -> None:
    found = asked(url, {"left": image(0), "right": image(1), "parts": "none"})
    assert found.parts == ()


def test_a_hit_is_explained_by_the_parts_of_the_query(
    service: Service, gallery: Gallery, release: Release
) -> None:
    gallery.enroll(["bert"], release.encoder.encode([BERT]), [BERT])
    found = service.explain(ANNA, record="bert")
    hit = service.search(ANNA, 1).hits[0]
    assert found.score == pytest.approx(hit.score, abs=1e-6)
    assert (found.outcome, found.threshold) == (hit.decision, hit.threshold)
    assert found.stage == "search" and "query" in found.note
    assert {p.name for p in found.parts} == set(ANNA)
    assert all(p.right is None for p in found.parts)
    with running(create_app(service)) as url:
        same(asked(url, {"query": ANNA, "id": "bert"}), found)


def test_nothing_is_decided_or_recorded(service: Service, ledger: Ledger) -> None:
    service.explain(ANNA, BERT)
    ledger.flush()
    assert ledger.entries() == []
    counted = service.metrics.registry.get_sample_value(
        "gemel_decisions_total", {"operation": "verify", "outcome": "match"}
    )
    assert counted == 0


def test_what_is_encoded_is_bounded_and_goes_in_batches(images: Service) -> None:
    settings = ServeSettings(max_batch=32)
    with running(create_app(images, settings)) as url:
        before = (
            sample(images, "gemel_batch_payloads_sum"),
            sample(images, "gemel_batch_payloads_count"),
        )
        asked(url, {"left": image(0), "right": image(1)})
        payloads = sample(images, "gemel_batch_payloads_sum") - before[0]
        batches = sample(images, "gemel_batch_payloads_count") - before[1]
    assert payloads <= MAX_CUTS + 4
    assert batches <= -(-payloads // PART) + 1


def sample(service: Service, name: str) -> float:
    value = service.metrics.registry.get_sample_value(name, {"lane": "encode"})
    assert value is not None
    return value


def test_many_at_once_get_their_own_answers(url: str, images: Service) -> None:
    pairs = [(i, i + 1) for i in range(8)]
    expected = [images.explain(image(i), image(j)) for i, j in pairs]
    with ThreadPoolExecutor(8) as pool:
        bodies = [{"left": image(i), "right": image(j)} for i, j in pairs]
        found = list(pool.map(lambda body: asked(url, body), bodies))
    for one, other in zip(found, expected, strict=True):
        same(one, other)


def test_a_text_that_begins_like_an_object_is_told_what_is_wrong(
    shared_client: httpx.Client,
) -> None:
    said = shared_client.post("/v1/explain", json={"left": '{"bad', "right": ANNA}).json()
    assert said["detail"].startswith("expected an object of fields, got a text that is not JSON: ")
    assert (said["where"], said["hint"]) == ("left", "fields: first, last, born")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "left"),
        ({"left": ANNA}, "right"),
        ({"left": ANNA, "right": BERT, "id": "x"}, "id"),
        ({"query": ANNA}, "id"),
        ({"left": ANNA, "right": {}}, "right"),
        ({"left": {"frist": "x"}, "right": ANNA}, "left.frist"),
        ({"left": ANNA, "right": {"born": "x"}}, "right.born"),
        ({"query": {"born": "x"}, "id": "x"}, "query.born"),
        ({"left": ANNA, "right": ANNA, "parts": "all"}, "parts"),
        ({"left": ANNA, "right": ANNA, "k": 3}, "k"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_its_place(
    shared_client: httpx.Client, body: dict[str, Any], where: str
) -> None:
    reply = shared_client.post("/v1/explain", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_input"), reply.text
    assert reply.json().get("where", "") == where
    if reply.json()["detail"].startswith("expected two items"):
        assert "`query` and `id`" in reply.json()["hint"]


def test_a_record_that_is_not_there_is_unknown(
    shared_client: httpx.Client, service: Service, url: str
) -> None:
    reply = shared_client.post("/v1/explain", json={"query": ANNA, "id": "nobody"})
    assert (reply.status_code, reply.json()["code"]) == (404, "unknown_record")
    without = httpx.post(f"{url}/v1/explain", json={"query": image(0), "id": "x"})
    assert (without.status_code, without.json()["code"]) == (409, "no_gallery")
    with pytest.raises(UnknownRecord):
        service.explain(ANNA, record="nobody")


def test_python_refuses_alike(release: Release) -> None:
    service = Service(release)
    with pytest.raises(InvalidInput) as e:
        service.explain(ANNA, {"frist": "x"})
    assert e.value.where == "right.frist"
    with pytest.raises(NoGallery):
        service.explain(ANNA, record="x")
