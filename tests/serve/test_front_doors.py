"""Every verb through every front door: Python, command line, HTTP and gRPC answer alike.

On the small project that `tests/flows` keeps: a release with categories and rules, its child with
thresholds by size, one that reads the category from the row, and one of images.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import httpx
import msgspec
import pytest
from google.protobuf import json_format
from tests.serve import small

import gemel
from gemel.cli.main import run
from gemel.client import Client
from gemel.errors import InvalidInput
from gemel.serve.context import ROLES
from gemel.serve.grpc.door import GrpcDoor
from gemel.serve.grpc.values import to_json
from gemel.serve.http.routes.table import TABLE
from gemel.serve.http.server import running
from gemel.serve.rollout.desk import Desk
from gemel.serve.steps import Done, Task, go_on
from gemel.serve.steps import run as take
from gemel.serve.verbs.embed import embed
from gemel.serve.wire.enrolled import NewRecord, RecordItem
from gemel.serve.wire.vectors import EmbeddingsBody
from gemel.settings import AdaptSettings, ServeSettings
from gemel.telemetry import log_to

KEPT = Path(__file__).parents[1] / "flows" / "kept"
EXPECTED = json.loads((KEPT / "expected.json").read_bytes())
RELEASES: dict[str, str] = EXPECTED["releases"]
NEW_IDS = {"decision_id", "verdict_id", "asked"}

ANNA = {
    "title": "ms", "first": "maria", "last": "noson", "town": "arden", "born": "1964-09-07",
    "height": 199,
}  # fmt: skip
NEAR = {**ANNA, "first": "mania", "last": "nomon", "height": 201}
TITLED = {**NEAR, "title": "dr"}
OLDER = {**NEAR, "born": "1950-09-07"}
FAR = {**ANNA, "first": "karl", "last": "nzson", "town": ""}
ADA = {
    "title": "dr", "first": "adap", "last": "ruaeuj", "town": "colm", "born": "1970-04-21",
    "height": 169,
}  # fmt: skip


def same(one: Any, other: Any, at: str = "") -> None:
    """Equal field by field, but for new ids and what the size of a batch rounds."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), at
        for key in one.keys() - NEW_IDS:
            same(one[key], other[key], f"{at}.{key}")
    elif isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other), at
        for i, pair in enumerate(zip(one, other, strict=True)):
            same(*pair, f"{at}[{i}]")
    elif isinstance(one, float) and isinstance(other, int | float):
        assert math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-5), at
    else:
        assert one == other, at


def said_by(value: Any) -> Any:
    """What a reply says: to protobuf, what is null or empty is not said."""
    if isinstance(value, dict):
        return {k: said_by(v) for k, v in value.items() if v is not None and v not in ([], {})}
    return [said_by(one) for one in value] if isinstance(value, list) else value


@dataclass
class Rpc:
    """The door of gRPC, asked by the stubs that protoc makes."""

    messages: ModuleType
    stub: Any

    def __call__(self, method: str, body: Any = None) -> Any:
        """The reply of a method to a body, as JSON values."""
        described = self.messages.DESCRIPTOR.services_by_name["Gemel"].methods_by_name[method]
        asked = getattr(self.messages, described.input_type.name)()
        json_format.ParseDict({k: v for k, v in (body or {}).items() if v is not None}, asked)
        return json.loads(to_json(getattr(self.stub, method)(asked)))

    def same(self, said: Any, method: str, body: Any = None) -> None:
        """It says the same."""
        same(said_by(said), said_by(self(method, body)))


@contextmanager
def rpc(door: GrpcDoor, stubs: tuple[ModuleType, ModuleType]) -> Iterator[Rpc]:
    with grpc.insecure_channel(door.address) as channel:
        yield Rpc(stubs[0], stubs[1].GemelStub(channel))


@dataclass
class House:
    """The project, one of its releases served, and the doors to it."""

    folder: Path
    service: gemel.Service
    client: httpx.Client
    capsys: pytest.CaptureFixture[str]
    grpc: Rpc = None  # type: ignore[assignment]

    def http(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.client.request(method, path, json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()

    @cached_property
    def typed(self) -> Client:
        """The client that gemel brings, at the same service."""
        return Client(str(self.client.base_url))

    def cli(self, *words: str) -> Any:
        self.capsys.readouterr()
        code = run([*words, "-r", self.service.pick().release.id, "--json"])
        seen = self.capsys.readouterr()
        assert code == 0, seen.err
        return json.loads(seen.out)


def plain(value: Any) -> Any:
    """A struct as JSON values."""
    return msgspec.json.decode(msgspec.json.encode(value))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(KEPT, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@contextmanager
def opened(folder: Path, name: str, *, write: bool = False) -> Iterator[gemel.Service]:
    """A service on a release of the project; `titled` decides by a category that rows hold."""
    store = gemel.Store(folder / "state")
    release = store.get(RELEASES["first" if name == "titled" else name])
    if name == "titled":
        policy = release.policy
        assert policy.categories is not None
        a, b = policy.categories.lines.values()
        lines = {"ms": b, "mr": a, "dr": a}
        by_title = msgspec.structs.replace(policy.categories, column="title", lines=lines)
        policy = msgspec.structs.replace(policy, categories=by_title)
        release = store.put(release.child(into=folder / "titled", policy=policy).folder)
    (space,) = (folder / "state" / "gallery").iterdir()
    if not release.space_id.startswith(space.name):
        yield gemel.Service(release)
        return
    with gemel.Gallery.open(space, write=write) as gallery:
        yield gemel.Service(release, gallery, desk=Desk(store))


@pytest.fixture(params=["first", "child", "titled"])
def house(
    request: pytest.FixtureRequest,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    stubs: tuple[ModuleType, ModuleType],
) -> Iterator[House]:
    with opened(folder, request.param) as service:
        front = gemel.create_app(service)
        door = GrpcDoor(front, ServeSettings(grpc_port=0), log_to())
        with (
            running(front, beside=door) as url,
            httpx.Client(base_url=url, timeout=30) as client,
            rpc(door, stubs) as asks,
        ):
            house = House(folder, service, client, capsys, asks)
            yield house
            house.typed.close()


PAIRS = [(ANNA, NEAR), (ANNA, TITLED), (ANNA, OLDER), (ANNA, FAR), (ADA, FAR)]


def test_verify_and_explain(house: House) -> None:
    seen = set()
    for (left, right), category in itertools.product(PAIRS, (None, "sud", "nor")):
        stated = [] if category is None else ["--category", category]
        words = [json.dumps(left), json.dumps(right), *stated]
        body = {"left": left, "right": right, "category": category}
        said = plain(house.service.verify(left, right, category))
        same(said, house.http("POST", "/v1/verify", body))
        same(said, house.cli("verify", *words))
        same(said, plain(house.typed.verify(left, right, category)))
        house.grpc.same(said, "Verify", body)
        seen.add((said["outcome"], said["rule"]))
        assert said["probability_is"] in ("estimated", "at least")
        assert said["prior"] == house.service.pick().policy.prior

        release = house.service.pick().release
        why = plain(house.service.explain(left, right, category=category))
        same(why, house.http("POST", "/v1/explain", body))
        same(why, plain(gemel.explain(release, left, right, category=category)))
        same(why, house.cli("explain", *words))
        same(why, plain(house.typed.explain(left, right, category=category)))
        house.grpc.same(why, "Explain", body)
        decided = (
            "outcome", "score", "threshold", "probability", "category", "rule", "release",
            "probability_is", "prior",
        )  # fmt: skip
        same({k: why[k] for k in decided}, {k: said[k] for k in decided})
    assert len(seen) > 1


def test_a_release_without_categories_answers_one_and_says_that_it_counts_for_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], stubs: tuple[ModuleType, ModuleType]
) -> None:
    store = gemel.Store(folder / "state")
    first = store.get(RELEASES["first"])
    policy = msgspec.structs.replace(first.policy, categories=None)
    alike = store.put(first.child(into=folder / "alike", policy=policy).folder)
    (space,) = (folder / "state" / "gallery").glob(f"{alike.space_id[:12]}*")
    with gemel.Gallery.open(space, write=False) as gallery:
        service = gemel.Service(alike, gallery)
        front = gemel.create_app(service)
        door = GrpcDoor(front, ServeSettings(grpc_port=0), log_to())
        with (
            running(front, beside=door) as url,
            httpx.Client(base_url=url, timeout=30) as client,
            rpc(door, stubs) as asks,
        ):
            house = House(folder, service, client, capsys, asks)
            body = {"left": ANNA, "right": NEAR}
            words = [json.dumps(ANNA), json.dumps(NEAR)]
            without = house.http("POST", "/v1/verify", body)
            sent = {**body, "category": "sud"}
            same(without, house.http("POST", "/v1/verify", sent))
            same(without, plain(house.service.verify(ANNA, NEAR, "sud")))
            same(without, house.cli("verify", *words, "--category", "sud"))
            house.grpc.same(without, "Verify", sent)
            assert without["category"] is None
            query = {"query": ADA, "category": "sud"}
            assert house.http("POST", "/v1/search", query)["hits"][0]["category"] is None
            assert "category" not in house.http("POST", "/v1/identify", query)
    for verb, said in (
        ("verify", words),
        ("explain", words),
        ("gallery search", [json.dumps(ADA)]),
        ("gallery identify", [json.dumps(ADA)]),
    ):
        capsys.readouterr()
        assert run([*verb.split(), *said, "--category", "sud", "-r", alike.id]) == 0
        err = capsys.readouterr().err
        assert f"note: {alike.short_id} does not decide by category: 'sud' changes nothing" in err
        assert run([*verb.split(), *said, "--category", "sud", "-r", RELEASES["first"]]) == 0
        assert "note:" not in capsys.readouterr().err
        assert run([*verb.split(), *said, "--category", "west", "-r", RELEASES["first"]]) == 0
        assert "'west' is not known: the strictest" in capsys.readouterr().err


def test_verify_several_views(house: House) -> None:
    for left, right in (([ANNA, NEAR], [FAR]), ([ANNA], [NEAR, ANNA]), ([ANNA, OLDER], [ANNA])):
        views = [w for v in left[1:] for w in ("--also-left", json.dumps(v))]
        views += [w for v in right[1:] for w in ("--also-right", json.dumps(v))]
        said = plain(house.service.verify(left, right, "sud"))
        body = {"left": left, "right": right, "category": "sud"}
        same(said, house.http("POST", "/v1/verify", body))
        house.grpc.same(said, "Verify", body)
        same(said, plain(house.typed.verify(left, right, "sud")))
        words = (json.dumps(left[0]), json.dumps(right[0]), *views, "--category", "sud")
        same(said, house.cli("verify", *words))


QUERIES: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    (ADA, None), ({**ADA, "born": "1950-01-01"}, None), (FAR, {"town": "colm"}),
]  # fmt: skip


def test_search_identify_and_why_a_hit_is_one(house: House) -> None:
    for (query, where), category in itertools.product(QUERIES, (None, "sud", "ms")):
        stated = [] if category is None else ["--category", category]
        only = [] if where is None else ["--where", "town=colm"]
        words = [json.dumps(query), *only, *stated]
        body = {"query": query, "where": where, "category": category}
        found = plain(house.service.search(query, 4, where, category))
        same(found, house.http("POST", "/v1/search", {**body, "k": 4}))
        same(found, plain(house.typed.search(query, 4, where, category)))
        house.grpc.same(found, "Search", {**body, "k": 4})
        shown = [
            {
                "id": hit["id"],
                "score": hit["score"],
                "decision": hit["decision"],
                "threshold": hit["threshold"],
                "probability": hit["probability"],
                "probability_is": hit["probability_is"],
                **hit["attributes"],
            }
            for hit in found["hits"]
        ]
        same(shown, house.cli("gallery", "search", *words, "-k", "4"))

        who = plain(house.service.identify(query, where, category))
        same(who, house.http("POST", "/v1/identify", body))
        same(who, house.cli("gallery", "identify", *words))
        same(who, plain(house.typed.identify(query, where, category)))
        (best, *_) = found["hits"]
        told = ("probability", "probability_is", "category")
        assert {k: who.get(k) for k in told} == {k: best[k] for k in told}
        assert who["prior"] == found["prior"] == house.service.pick().policy.prior
        house.grpc.same(who, "Identify", body)
        for hit in found["hits"][:2]:
            asked = {"query": query, "id": hit["id"], "category": category, "parts": "none"}
            why = house.service.explain(query, record=hit["id"], category=category, parts=False)
            same(plain(why), house.http("POST", "/v1/explain", asked))
            assert (why.outcome, why.rule) == (hit["decision"], hit["rule"])
            assert why.threshold == hit["threshold"]


def test_a_filter_on_an_attribute_that_no_record_has_is_refused_alike(house: House) -> None:
    query, where, http = json.dumps(ADA), {"twon": "colm"}, house.client
    body = {"query": ADA, "where": where}
    says, place, known = "no record has the attribute 'twon'", "where.twon", "'town'"
    with_label = {**body, "label": "person"}
    for verb, method, sent in (
        ("search", "Search", body),
        ("identify", "Identify", body),
        ("classify", "Classify", with_label),
    ):
        extra = {"label": "person"} if verb == "classify" else {}
        for ask in (getattr(house.service, verb), getattr(house.typed, verb)):
            with pytest.raises(InvalidInput, match=says) as caught:
                ask(ADA, where=where, **extra)
            assert caught.value.where == place and known in caught.value.hint
        told = http.post(f"/v1/{verb}", json=sent)
        problem = told.json()
        assert (told.status_code, problem["where"]) == (422, place)
        assert says in problem["detail"] and known in problem["hint"]
        with pytest.raises(grpc.RpcError, match="'twon'") as failed:
            house.grpc(method, sent)
        assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        house.capsys.readouterr()
        release = house.service.pick().release.id
        assert run(["gallery", verb, query, "--where", "twon=colm", "-r", release]) == 1
        seen = house.capsys.readouterr().err
        assert f"{place}: {says}" in seen and "hint: enroll records with it" in seen
    queries = [{"query": ADA}] * 20 + [body]
    said = http.post("/v1/search-batch", json={"queries": queries}).json()
    assert said["where"] == "queries[20].where.twon"
    metrics = http.get("/metrics").text
    assert 'gemel_decisions_total{operation="search",outcome="match"} 0.0' in metrics


def test_a_label_that_no_record_has_is_refused_alike(house: House) -> None:
    says, body = "no record has the attribute 'nope'", {"query": ADA, "label": "nope"}
    for ask in (house.service.identify, house.typed.identify):
        with pytest.raises(InvalidInput, match=says) as caught:
            ask(ADA, label="nope")
        assert caught.value.where == "label" and "'town'" in caught.value.hint
    problem = house.client.post("/v1/identify", json=body).json()
    assert (problem["where"], says in problem["detail"]) == ("label", True)
    with pytest.raises(grpc.RpcError, match="'nope'"):
        house.grpc("Identify", body)
    words = ["gallery", "identify", json.dumps(ADA), "--label", "nope"]
    assert run([*words, "-r", house.service.pick().release.id]) == 1


def test_classify_and_classes(house: House) -> None:
    for query in (ADA, FAR):
        said = plain(house.service.classify(query, 3, label="person"))
        body = {"query": query, "k": 3, "label": "person"}
        same(said, house.http("POST", "/v1/classify", body))
        same(said, plain(house.typed.classify(query, 3, "person")))
        words = ("gallery", "classify", json.dumps(query), "-k", "3", "--label", "person")
        same({"id": "", **said}, house.cli(*words))
        house.grpc.same(said, "Classify", body)
    there = plain(house.service.classes("person"))
    same(there, house.http("GET", "/v1/classes?label=person"))
    house.grpc.same(there, "Classes", {"label": "person"})
    same(there, house.cli("gallery", "classes", "--label", "person"))


def test_embed_duplicates_and_the_card(house: House) -> None:
    rows = house.service.embed([ANNA, ADA]).tolist()
    reply = house.http("POST", "/v1/embeddings", {"input": [ANNA, ADA]})
    same(rows, [item["embedding"] for item in reply["data"]])
    same(plain(house.service.ask(embed, EmbeddingsBody([ANNA, ADA]))), reply)
    same(rows, house.typed.embed([ANNA, ADA]).tolist())
    house.grpc.same(reply, "Embed", {"input": [ANNA, ADA]})

    items = [RecordItem(f"r{i}", row, "sud") for i, row in enumerate([ANNA, NEAR, FAR, OLDER, ADA])]
    said = plain(house.service.duplicates(items))
    same(said, house.http("POST", "/v1/duplicates", {"records": plain(items)}))
    house.grpc.same(said, "Duplicates", {"records": plain(items)})
    for pair in said["pairs"]:
        left, right = (items[int(pair[side][1:])].payload for side in ("left", "right"))
        assert house.service.verify(left, right, "sud").outcome == pair["outcome"]

    card = plain(house.service.card())
    same(card, house.http("GET", "/v1/card"))
    house.grpc.same(card, "Card")
    house.grpc.same(house.http("GET", "/v1/release"), "Release")
    same(card, plain(house.typed.card()))
    release = house.service.pick().release.id
    house.capsys.readouterr()
    assert run(["report", release, "--json"]) == 0
    same(card, json.loads(house.capsys.readouterr().out))


def test_images(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [folder / f"{i}.png" for i in range(2)]
    for i, file in enumerate(files):
        file.write_bytes(small.picture(i))
    one, two = (file.read_bytes() for file in files)
    with (
        opened(folder, "image") as service,
        running(gemel.create_app(service)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        house = House(folder, service, client, capsys)
        sent = [{"image": base64.b64encode(image).decode()} for image in (one, two)]
        body = {"left": sent[0], "right": sent[1]}
        said = plain(service.verify(one, two))
        for other in (plain(service.verify(*sent)), house.http("POST", "/v1/verify", body)):
            same(said, other)
        same(said, house.cli("verify", *map(str, files)))
        why = plain(service.explain(one, two))
        same(why, house.http("POST", "/v1/explain", body))
        same(why, plain(gemel.explain(service.pick().release, one, two)))
        same(why, house.cli("explain", *map(str, files)))


RECORDS = [
    {"id": "new/1", "payload": ADA, "attributes": {"shelf": "x"}},
    {"id": "new/2", "payload": {**ADA, "born": "21.04.1970"}},
]


def test_records_change_alike(
    folder: Path, tmp_path: Path, stubs: tuple[ModuleType, ModuleType]
) -> None:
    """Each door on a copy of the project of its own."""
    seen: list[list[Any]] = []
    for door in DOORS:
        place = tmp_path / door
        shutil.copytree(folder, place)
        with opened(place, "first", write=True) as service:
            front = gemel.create_app(service)
            beside = GrpcDoor(front, ServeSettings(grpc_port=0), log_to())
            with (
                running(front, beside=beside) as url,
                httpx.Client(base_url=url, timeout=30) as client,
                rpc(beside, stubs) as asks,
            ):
                seen.append([said_by(one) for one in DOORS[door](service, client, asks)])
    for one, *others in zip(*seen, strict=True):
        for other in others:
            same(one, other)
    assert seen[0][0]["added"] == 2 and seen[0][-1]["count"] == seen[0][0]["count"] - 2
    assert seen[0][2]["attributes"]["born"] == "1970-04-21"


def by_python(service: gemel.Service, *_: Any) -> Iterator[Any]:
    records = msgspec.convert(RECORDS, list[NewRecord])
    yield plain(service.enroll(records))
    yield plain(service.enroll(records))
    yield plain(service.get("new/2"))
    yield plain(service.get("new/1"))
    yield {"count": service.count()}
    yield plain(service.delete(["new/1", "new/2", "nobody"]))


def by_http(_: gemel.Service, client: httpx.Client, *__: Any) -> Iterator[Any]:
    yield client.post("/v1/records", json={"records": RECORDS}).json()
    yield client.post("/v1/records", json={"records": RECORDS}).json()
    yield client.get("/v1/records/new/2").json()
    yield client.get("/v1/records/new%2F1").json()
    yield client.get("/v1/records").json()
    ids = {"ids": ["new/1", "new/2", "nobody"]}
    yield client.request("DELETE", "/v1/records", json=ids).json()


def by_client(_: gemel.Service, client: httpx.Client, *__: Any) -> Iterator[Any]:
    payloads = {record["id"]: record["payload"] for record in RECORDS}
    with Client(str(client.base_url)) as typed:
        yield plain(typed.enroll(payloads, {"new/1": {"shelf": "x"}}))
        yield plain(typed.enroll(payloads, {"new/1": {"shelf": "x"}}))
        yield plain(typed.get("new/2"))
        yield plain(typed.get("new/1"))
        yield {"count": typed.count()}
        yield plain(typed.delete(["new/1", "new/2", "nobody"]))


def by_grpc(_: gemel.Service, __: httpx.Client, asks: Rpc) -> Iterator[Any]:
    yield asks("Enroll", {"records": RECORDS})
    yield asks("Enroll", {"records": RECORDS})
    yield asks("Get", {"id": "new/2"})
    yield asks("Get", {"id": "new/1"})
    yield asks("Count")
    yield asks("Delete", {"ids": ["new/1", "new/2", "nobody"]})


def test_several_who_are_as_good_are_ambiguous_through_every_door(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twins = [NewRecord(f"twin/{i}", NEAR, {**NEAR, "person": f"twin {i}"}) for i in range(2)]
    with opened(folder, "first", write=True) as service:
        service.enroll(twins)
        said = plain(service.identify(NEAR, label="person"))
        assert service.identify(NEAR).outcome == "match", "without labels the two are one"
    assert said["outcome"] == "ambiguous" and said["record"] is None
    assert [one["record"] for one in said["candidates"]] == ["twin/0", "twin/1"]
    with (
        opened(folder, "first") as service,
        running(gemel.create_app(service)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        body = {"query": NEAR, "label": "person"}
        same(said, client.post("/v1/identify", json=body).json())
        house = House(folder, service, client, capsys)
        same(said, house.cli("gallery", "identify", json.dumps(NEAR)))


DOORS: dict[str, Callable[[gemel.Service, httpx.Client, Rpc], Iterator[Any]]] = {
    "python": by_python,
    "http": by_http,
    "client": by_client,
    "grpc": by_grpc,
}


def test_the_command_line_enrolls_and_deletes_as_the_service_does(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "two.csv").write_text(
        "id,country,title,first,last,town,born,height\nnew/2,,dr,adap,ruaeuj,colm,21.04.1970,169\n"
    )
    with opened(folder, "first", write=True) as service:
        service.enroll([NewRecord("new/2", {**ADA, "born": "21.04.1970"})])
        theirs = service.get("new/2")
        assert service.delete(["new/2"]).deleted == 1
    words = ["-r", RELEASES["first"]]
    assert run(["gallery", "enroll", "two.csv", "--id", "id", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["added"] == 1
    with opened(folder, "first") as service:
        ours = service.get("new/2")
    assert {k: v for k, v in ours.attributes.items() if v is not None} == theirs.attributes
    assert run(["gallery", "delete", "new/2", *words]) == 0
    with opened(folder, "first") as service, pytest.raises(gemel.GemelError, match="new/2"):
        service.get("new/2")


def test_reviews(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def cli(*words: str) -> Any:
        capsys.readouterr()
        assert run([*words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    store = gemel.Store(folder / "state")
    with gemel.Ledger.open(folder / "state" / "ledger.db") as ledger:
        service = gemel.Service(
            store.get(RELEASES["first"]),
            ledger=ledger,
            adapt=AdaptSettings(audit_ratio=1.0),
            shelf=store.list,
        )
        asked = service.verify(ANNA, FAR, "sud").decision_id
        ledger.flush()
        with running(gemel.create_app(service)) as url, httpx.Client(base_url=url) as client:
            waits = plain(service.review())
            same(waits, client.get("/v1/review").json())
            shown = [
                {k: w[k] for k in ("decision_id", "outcome", "score")} for w in waits["waiting"]
            ]
            assert asked in {w["decision_id"] for w in waits["waiting"]}
            same(shown, cli("review", "list"))
            verdict = {"decision_id": asked, "genuine": False, "reviewer": "ann"}
            said = plain(service.verdict(**verdict))
            same(said, client.post("/v1/verdicts", json=verdict).json())
            assert run(["review", "answer", asked or "", "--impostor", "--reviewer", "ann"]) == 0
            assert asked not in {w.decision_id for w in service.review().waiting}
            same(plain(service.proposal()), client.get("/v1/proposal").json())
            same(plain(service.proposal()), cli("review", "proposal", RELEASES["first"]))


HEALTH = {
    "/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "/v2/models/gemel/ready",
}  # fmt: skip
"""What balancers ask, who have no keys."""


def test_every_route_has_a_role_and_a_permit_for_each_lane_that_its_verb_takes(
    folder: Path,
) -> None:
    assert {route.role for route in TABLE} - {None} <= set(ROLES)
    assert {route.path for route in TABLE if route.role is None} == HEALTH
    dumped = json.dumps(ADA)
    bodies: dict[str, Any] = {
        "/v1/verify": {"left": ANNA, "right": NEAR},
        "/v1/explain": {"left": ANNA, "right": NEAR},
        "/v1/search": {"query": ADA},
        "/v1/identify": {"query": ADA},
        "/v1/classify": {"query": ADA, "label": "person"},
        "/v1/embeddings": {"input": ADA},
        "/v1/duplicates": {"records": [{"id": i, "payload": ADA} for i in "ab"]},
        "/v1/records": {"records": RECORDS, "ids": ["new/1"]},
        "/v1/verdicts": {"decision_id": "0" * 32, "genuine": True},
        "/v1/rollout": {"action": "abort"},
        "/v1/rollout/hook": {"metadata": {"hook": "rollout"}},
        "/v1/verify-batch": {"pairs": [{"left": ANNA, "right": NEAR}]},
        "/v1/search-batch": {"queries": [{"query": ADA}]},
        "/v1/rerank": {"query": ADA, "documents": [ADA]},
        "/v2/models/gemel/infer": {
            "inputs": [{"name": "input", "shape": [1], "datatype": "BYTES", "data": [dumped]}]
        },
    }
    with opened(folder, "first", write=True) as service:
        for route in TABLE:
            if route.verb is None or route.body is None:
                continue
            names = {field.encode_name for field in msgspec.structs.fields(route.body)}
            sent = {k: v for k, v in bodies[route.path].items() if k in names}
            context, used = service.context(), set()
            steps = route.verb(context, msgspec.convert(sent, route.body))
            outcome: Any = go_on(steps, None)
            while not isinstance(outcome, Done | Exception):
                used.add(outcome.lane)
                (outcome,) = take([Task(steps, outcome, context.deadline)])
            assert used == set(route.lanes), route.label
    assert ServeSettings().pointer == "stable"
