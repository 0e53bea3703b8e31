"""Classes that come and go while the service runs: enrolled, told apart, deleted, unknown again."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from tests.serve import small

from gemel.decide.ratio import Logistic
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import InvalidInput, NoGallery
from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.release.evidence import classes
from gemel.release.evidence.part import Part
from gemel.release.evidence.schema import Sampling
from gemel.release.release import Release
from gemel.serve import class_index as module
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.serve.wire.enrolled import NewRecord
from gemel.tasks import fewshot

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def spellings(rng: np.random.Generator, n: int) -> list[dict[str, Any]]:
    """A person, written n times with a typing error each."""
    first, last = ("".join(rng.choice(list(LETTERS), size)) for size in (8, 11))
    born = int(rng.integers(1930, 2005))
    rows = []
    for _ in range(n):
        at = int(rng.integers(len(last)))
        typed = last[:at] + str(rng.choice(list(LETTERS))) + last[at + 1 :]
        rows.append({"first": first, "last": typed, "born": born})
    return rows


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The small release, with a policy of classes calibrated on people of its own."""
    folder = tmp_path_factory.mktemp("classes")
    plain = small.release(folder / "plain")
    rng = np.random.default_rng(0)
    people = [spellings(rng, 7) for _ in range(90)]
    rows = plain.encoder.encode([row for person in people for row in person])
    dev = Part.of(rows, np.repeat(np.arange(90), 7), Cosine(), sampling=Sampling(1000))
    policy = classes.fit(dev, alpha=0.05, shots=(1, 5)).policy
    return plain.child(
        policy=msgspec.structs.replace(plain.policy, classify=policy), into=folder / "child"
    )


ANNA, BERT, CARL = (spellings(np.random.default_rng(s), 6) for s in (11, 12, 13))


def records(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "records": [
            {"id": f"{name}/{i}", "payload": row, "attributes": {"class": name, "desk": i % 2}}
            for i, row in enumerate(rows)
        ]
    }


def test_a_class_is_scored_as_it_was_calibrated(gallery: Gallery, release: Release) -> None:
    """To the last bit: what one state of the gallery needs is not made again for each item."""
    rng = np.random.default_rng(3)
    people = [spellings(rng, 3) for _ in range(60)]
    rows = release.encoder.encode([row for person in people for row in person])
    names = [{"class": f"p{i // 3}"} for i in range(180)]
    gallery.enroll([f"r{i}" for i in range(180)], rows, names)
    live = Service(release, gallery).pick()
    index = module.ClassIndex.of(gallery.groups("class"), live)
    methods: tuple[fewshot.Method, ...] = ("nearest", "prototype", "knn")
    for method in methods:
        of_method = replace(index, method=method)
        for row in rows[:20]:
            present, found = of_method.scores(row)
            expected = fewshot.scores(method, index.supports, row[None])[0]
            np.testing.assert_array_equal(found, expected)
            nearest = of_method.nearest_supports(row, present[:4])
            for position, name in enumerate(nearest):
                own = rows[3 * position : 3 * position + 3] @ row
                assert name == f"r{3 * position + int(own.argmax())}"


def test_a_class_lives_as_long_as_its_supports(client: httpx.Client, ledger: Ledger) -> None:
    for name, rows in (("anna", ANNA[:1]), ("bert", BERT[:5])):
        assert client.post("/v1/records", json=records(name, rows)).status_code == 200
    anna = client.post("/v1/classify", json={"query": ANNA[5]}).json()
    assert (anna["outcome"], anna["label"]) == ("class", "anna")
    assert [c["label"] for c in anna["classes"]] == ["anna", "bert"]
    assert [c["supports"] for c in anna["classes"]] == [1, 5]
    assert anna["classes"][0]["support_id"] == "anna/0"
    assert sum(c["probability"] for c in anna["classes"]) == pytest.approx(1)
    assert anna["classes"][0]["p_value"] > anna["alpha"] == 0.05 >= anna["classes"][1]["p_value"]
    assert 0 <= anna["anomaly"] < 1

    carl = client.post("/v1/classify", json={"query": CARL[5]}).json()
    assert (carl["outcome"], carl["label"]) == ("unknown", None)
    assert len(carl["classes"]) == 2  # what is nearest is shown all the same
    client.post("/v1/records", json=records("carl", CARL[:2]))
    carl = client.post("/v1/classify", json={"query": CARL[5], "k": 1}).json()
    assert (carl["outcome"], carl["label"], len(carl["classes"])) == ("class", "carl", 1)
    listed = client.get("/v1/classes").json()
    assert [(c["label"], c["supports"]) for c in listed["classes"]] == [
        ("bert", 5), ("carl", 2), ("anna", 1)
    ]  # fmt: skip
    assert listed["supports"] == 8
    live = client.get("/v1/release").json()["policy"]["classify"]
    assert (live["alpha"], live["levels"]) == (0.05, {"1": 60, "5": 60})
    client.request("DELETE", "/v1/records", json={"ids": ["carl/0", "carl/1"]})
    carl = client.post("/v1/classify", json={"query": CARL[5]}).json()
    assert carl["outcome"] == "unknown"
    assert "carl" not in {c["label"] for c in carl["classes"]}

    ledger.flush()
    entry = ledger.find(anna["decision_id"])
    assert entry is not None
    noted = msgspec.json.decode(entry.text)
    masked = [ledger.masks.of(name) for name in ("anna", "anna/0")]
    assert [noted["outcome"], noted["label"], noted["support"]] == ["class", *masked]
    assert ANNA[5]["last"] not in entry.text
    text = client.get("/metrics").text
    assert 'gemel_decisions_total{operation="classify",outcome="match"} 2.0' in text
    assert 'gemel_decisions_total{operation="classify",outcome="no_match"} 2.0' in text


def test_any_attribute_can_be_the_class_and_supports_can_be_filtered(client: httpx.Client) -> None:
    client.post("/v1/records", json=records("anna", ANNA[:4]))
    client.post("/v1/records", json=records("bert", BERT[:4]))
    by_desk = client.post("/v1/classify", json={"query": ANNA[5], "label": "desk"}).json()
    assert {c["label"] for c in by_desk["classes"]} == {0, 1}
    one = client.post("/v1/classify", json={"query": ANNA[5], "where": {"class": "bert"}}).json()
    assert [c["label"] for c in one["classes"]] == ["bert"] and one["outcome"] == "unknown"
    client.post("/v1/records", json={"records": [{"id": "x", "payload": CARL[0], "attributes": {
        "class": None}}]})  # fmt: skip
    assert client.get("/v1/classes", params={"label": "class"}).json()["supports"] == 8


@pytest.mark.parametrize(
    ("sent", "where"),
    [
        ({"query": ANNA[0], "label": "clas"}, "label"),
        ({"query": ANNA[0], "where": {"desk": 77}}, "label"),
        ({"query": ANNA[0], "label": ""}, "label"),
        ({"query": ANNA[0], "k": 0}, "k"),
        ({"query": ANNA[0], "k": 1001}, "k"),
        ({"query": ANNA[0], "where": {"desk": {"gt": 1}}}, "where.desk"),
        ({"query": {"frist": "x"}}, "query.frist"),
        ({"query": []}, "query"),
        ({}, "query"),
    ],
)
def test_bad_requests_say_what_and_where(
    client: httpx.Client, sent: dict[str, Any], where: str
) -> None:
    client.post("/v1/records", json=records("anna", ANNA[:1]))
    reply = client.post("/v1/classify", json=sent)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_input"), reply.text
    assert reply.json().get("where", "") == where


def test_nothing_enrolled_is_said_and_not_called_unknown(client: httpx.Client) -> None:
    for reply in (
        client.post("/v1/classify", json={"query": ANNA[0]}),
        client.get("/v1/classes"),
    ):
        assert reply.status_code == 422
        assert "no record has the attribute 'class'" in reply.json()["detail"]
    assert client.get("/v1/classes", params={"lable": "x"}).json()["where"] == "lable"


def test_a_service_knows_what_says_the_class(tmp_path: Path) -> None:
    release = small.release(tmp_path / "release")
    opened = Gallery.open(tmp_path / "gallery", space_id=release.space_id, dim=small.DIM)
    with opened as gallery:
        service = Service(release, gallery, label="person")
        named = [NewRecord("r1", small.ROWS[0], {"person": "p1"})]
        service.enroll(named)
        assert service.classify(small.ROWS[0]).label == "p1"
        assert service.classes().label == "person"
        assert service.classes(label="person").supports == 1


def test_a_request_costs_no_new_index_until_the_gallery_changes(
    service: Service, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    groups = gallery.groups
    monkeypatch.setattr(gallery, "groups", lambda *a: built.append(a[0]) or groups(*a))
    rows = service.embed([*ANNA[:2], *BERT[:2]])
    names = ["anna", "anna", "bert", "bert"]
    gallery.enroll(list("abcd"), rows, [{"class": n, "other": i} for i, n in enumerate(names)])
    first = service.classify(ANNA[5])
    for _ in range(3):
        assert service.classify(ANNA[5]).classes == first.classes
        service.classify(ANNA[5], label="other")
    assert built == ["class", "other"]
    gallery.enroll(["e"], service.embed(CARL[:1]), [{"class": "carl"}])
    assert len(service.classify(ANNA[5]).classes) == 3
    assert built == ["class", "other", "class"]


def test_work_that_began_with_one_policy_ends_with_it(
    service: Service, gallery: Gallery, release: Release, tmp_path: Path
) -> None:
    gallery.enroll(["a", "b"], service.embed([ANNA[0], BERT[0]]), [{"class": 1}, {"class": 2}])
    assert service.classify(CARL[5]).alpha == 0.05
    plain = release.child(policy=small.policy(-1.0), into=tmp_path / "plain")
    service.switch(plain, gallery)
    reply = service.classify(CARL[5])
    assert (reply.outcome, reply.alpha, reply.anomaly, reply.method) == (
        "class", None, None, "nearest"
    )  # fmt: skip
    assert reply.release == plain.id


def test_without_a_policy_of_classes_the_threshold_of_a_search_decides(tmp_path: Path) -> None:
    release = small.release(tmp_path / "r", threshold=0.9999, review=0.002)
    names = {"match": "class", "review": "review", "no_match": "unknown"}
    people = [spellings(np.random.default_rng(s), 1)[0] for s in range(20, 40)]
    with Gallery.open(tmp_path / "g", space_id=release.space_id, dim=small.DIM) as gallery:
        service = Service(release, gallery)
        gallery.enroll(["a"], service.embed(ANNA[:1]), [{"class": "anna"}])
        seen = {"class", "unknown"}
        for query in (ANNA[0], *people):
            reply = service.classify(query)
            expected = release.policy.identify(reply.classes[0].score).outcome
            assert reply.outcome == names[expected]
            assert reply.classes[0].p_value is reply.classes[0].probability is None
            seen.discard(reply.outcome)
        assert not seen


def test_images_have_classes_as_well(tmp_path: Path) -> None:
    release = small.image_release(tmp_path / "release")
    with (
        Gallery.open(tmp_path / "g", space_id=release.space_id, dim=small.DIM) as gallery,
        running(create_app(Service(release, gallery))) as url,
    ):

        def image(seed: int) -> dict[str, str]:
            return {"image": base64.b64encode(small.picture(seed)).decode()}

        body = [
            {"id": str(i), "payload": image(i), "attributes": {"class": f"c{i}"}} for i in range(3)
        ]
        assert httpx.post(f"{url}/v1/records", json={"records": body}).status_code == 200
        reply = httpx.post(f"{url}/v1/classify", json={"query": image(1)}).json()
        assert (reply["outcome"], reply["label"]) == ("class", "c1")
        assert httpx.post(f"{url}/v1/classify", json={"query": image(9)}).json()["outcome"] in (
            "unknown", "review"
        )  # fmt: skip


def test_a_learned_comparator_scores_a_shortlist_of_a_large_gallery(
    release: Release, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Learned:
        n_scored = 0
        cost = 100.0

        def matrix(self, left: Any, right: Any) -> Any:
            Learned.n_scored = max(Learned.n_scored, len(right))
            return Cosine().matrix(left, right) * 3

    rows = np.concatenate([release.encoder.encode(p) for p in (ANNA, BERT, CARL)])
    gallery.enroll([str(i) for i in range(18)], rows, [{"class": "abc"[i // 6]} for i in range(18)])
    monkeypatch.setattr(module, "COMPARED_ROWS", 10)
    monkeypatch.setattr(module, "SHORTLIST", 4)
    groups = gallery.groups("class")
    index = module.ClassIndex(
        groups, module.Supports(groups.rows, groups.starts), "nearest", None, Learned()
    )
    present, scores = index.scores(rows[3])
    assert 4 <= Learned.n_scored <= 6  # rows that tie with the last one are scored as well
    best = present[int(scores.argmax())]
    assert groups.values[int(best)] == "a" and scores.max() == pytest.approx(3, abs=1e-4)


def test_python_callers_get_the_same_checks(service: Service, release: Release) -> None:
    with pytest.raises(NoGallery):
        Service(release).classify(ANNA[0])
    for bad in (0, -1, 2.5, True):
        with pytest.raises(InvalidInput, match="k is"):
            service.classify(ANNA[0], bad)  # type: ignore[arg-type]
    for where in ({"desk": object()}, "desk"):
        with pytest.raises(InvalidInput, match="filter"):
            service.classify(ANNA[0], where=where)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="no record has"):
        service.classes("class")


@pytest.fixture
def gallery(release: Release, tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "gallery", space_id=release.space_id, dim=small.DIM) as gallery:
        yield gallery


def test_a_class_with_a_very_long_name_is_told_whole_and_noted_short(
    client: httpx.Client, ledger: Ledger
) -> None:
    name = "\u0001" * 100_000
    new = [
        {"id": f"{i}", "payload": row, "attributes": {"class": name}} for i, row in enumerate(ANNA)
    ]
    assert client.post("/v1/records", json={"records": new}).status_code == 200
    reply = client.post("/v1/classify", json={"query": ANNA[0]})
    assert reply.status_code == 200, reply.text
    assert reply.json()["label"] == name
    ledger.flush()
    (entry,) = ledger.entries(kind="classify")
    assert len(entry.text) < 8_192 and entry.body["label"] == ledger.masks.of(name)


def test_other_classes_that_are_about_as_likely_are_named(service: Service) -> None:
    service.enroll([NewRecord("a", ANNA[0], {"class": "anna"})])
    assert service.classify(ANNA[5]).as_likely is msgspec.UNSET
    service.enroll([NewRecord("b", BERT[0], {"class": "bert"})])
    alone = service.classify(ANNA[5])
    assert alone.outcome == "class" and alone.as_likely is msgspec.UNSET
    service.enroll([NewRecord(f"c{i}", ANNA[0], {"class": f"as {i}"}) for i in range(12)])
    one = service.classify(ANNA[5], 1)
    assert isinstance(one.as_likely, list) and len(one.as_likely) == 10, "whatever k is"
    assert "bert" not in one.as_likely and one.label not in one.as_likely
    assert service.classify(CARL[5]).as_likely is msgspec.UNSET, "unknown: none is named"


def test_without_a_policy_of_classes_pairs_say_what_is_as_likely(
    release: Release, gallery: Gallery, tmp_path: Path
) -> None:
    steep = Logistic(slope=400.0, intercept=-200.0)
    bare = msgspec.structs.replace(release.policy, classify=None, likelihood=steep)
    service = Service(release.child(policy=bare, into=tmp_path / "bare"), gallery)
    new = {"anna": ANNA[0], "anne": ANNA[0], "bert": BERT[0]}
    service.enroll([NewRecord(name, row, {"class": name}) for name, row in new.items()])
    found = service.classify(ANNA[0])
    assert (found.outcome, found.label, found.as_likely) == ("class", "anna", ["anne"])
    assert service.classify(BERT[0]).as_likely is msgspec.UNSET
