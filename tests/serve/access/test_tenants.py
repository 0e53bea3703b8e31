"""No route tells or changes anything of another tenant, over HTTP and gRPC; who is idle closes."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from tests.serve import small
from tests.serve.small import DIM, ROWS

from gemel.console.pages import handlers
from gemel.errors import ConfigError, LedgerError, NotAllowed, RateLimited
from gemel.gallery.gallery import Gallery
from gemel.ledger import heads
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
from gemel.serve.access import keys
from gemel.serve.access.access import Access, Quotas
from gemel.serve.access.keys import OF_TENANTS, Limits
from gemel.serve.access.usage import Usage
from gemel.serve.books import Books
from gemel.serve.context import ROLES
from gemel.serve.grpc import native
from gemel.serve.grpc.door import GrpcDoor
from gemel.serve.grpc.messages import message_name
from gemel.serve.http.app import create_app
from gemel.serve.http.problems import retry_s
from gemel.serve.http.routes.call import Route
from gemel.serve.http.routes.query import RECORDS
from gemel.serve.http.routes.table import RECORD, TABLE
from gemel.serve.http.server import running
from gemel.serve.keeping import Keeper
from gemel.serve.live import Live
from gemel.serve.rollout.arms import Arms
from gemel.serve.service import Service
from gemel.serve.tenants import PLACE_BYTES, Tenants
from gemel.settings import AdaptSettings, ServeSettings
from gemel.telemetry import Metrics, log_to

NOW = datetime.now(UTC)
NEAR = {"first": "anna0", "last": "hansenx", "born": 1951}
"""Almost the first of the rows: whoever has that one finds it."""
SERVICE, OURS, THEIRS = "service", "bolt", "acme"
SETTINGS = ServeSettings(grpc_port=0)


@dataclass(frozen=True)
class Folder:
    """The place of a tenant in a directory."""

    path: Path
    log: io.StringIO = field(default_factory=io.StringIO)

    def gallery(self, release: Release) -> Gallery:
        self.path.mkdir(exist_ok=True)
        where = self.path / release.space_id[:12]
        return Gallery.open(where, space_id=release.space_id, dim=DIM)

    def ledger(self) -> Ledger:
        self.path.mkdir(exist_ok=True)
        return Ledger.open(self.path / "ledger.db")

    def keeper(self, ledger: Ledger) -> Keeper:
        heads = self.path / "heads"
        return Keeper(ledger, log_to(self.log), head_file=heads, tenant=self.path.name)

    def elsewhere(self, release: Release) -> int:
        return sum(
            Gallery.open(where, write=False).count()
            for where in self.path.glob("*")
            if where.is_dir() and where.name != release.space_id[:12]
        )


@dataclass
class Town:
    """A service with two tenants, each with records and a decision that waits, as itself has."""

    http: httpx.Client
    channel: grpc.Channel
    keys: dict[str, str]
    decisions: dict[str, str]
    tenants: Tenants
    service: Service

    def ask(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        return self.http.request(method, path, json=body, headers=headers)

    def state(self, who: str) -> tuple[int, str]:
        """What somebody has: how many records, and which decisions wait."""
        count = self.ask(who, "GET", RECORDS).json()["count"]
        return count, self.ask(who, "GET", "/v1/review").text


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    release = small.release(folder / "release", threshold=0.9999, review=0.2)
    file, tenants = folder / "keys.json", Tenants(lambda name: Folder(folder / name), 10**9)
    made = {SERVICE: keys.add(file, SERVICE, "admin", days=1, now=NOW)[1]}
    for name in (OURS, THEIRS):
        for role in ("reader", "enroller", "reviewer", "admin"):
            limits = Limits(tenant=name)
            key = keys.add(file, f"{name}.{role}", role, days=1, now=NOW, limits=limits)[1]
            made[f"{name}.{role}"] = made[name] = key
    with (
        Gallery.open(folder / "own", space_id=release.space_id, dim=DIM) as gallery,
        Ledger.open(folder / "ledger.db") as ledger,
    ):
        service = Service(release, gallery, ledger, tenants=tenants, cache_bytes=10**6)
        app = create_app(service, access=Access(file), pages=handlers(service))
        door = GrpcDoor(app, SETTINGS, log_to())
        with (
            running(app, beside=door) as url,
            httpx.Client(base_url=url) as http,
            grpc.insecure_channel(door.address) as channel,
        ):
            town = Town(http, channel, made, {}, tenants, service)
            for who, n in ((SERVICE, 4), (OURS, 1), (THEIRS, 3)):
                rows = [
                    {"id": f"{who}-{i}", "payload": row, "attributes": {"class": f"{who}-{i}"}}
                    for i, row in enumerate(reversed(ROWS[:n]))
                ]
                assert town.ask(who, "POST", RECORDS, {"records": rows}).status_code == 200
                pair = {"left": ROWS[0], "right": NEAR}
                town.decisions[who] = town.ask(who, "POST", "/v1/verify", pair).json()[
                    "decision_id"
                ]
            yield town
    tenants.close()


def asked(of: str, decision: str) -> dict[tuple[str, str], Any]:
    """What there is to be asked on each route, about a record and a decision of somebody.

    A route that is not here fails the tests: say how somebody would get at what others have by it.
    """
    row, mine, records = ROWS[2], f"{of}-0", [{"id": f"{of}-0", "payload": NEAR}]
    pair = {"left": row, "right": NEAR}
    tensor = {"name": "input", "datatype": "BYTES", "shape": [1], "data": [json.dumps(row)]}
    return {
        ("POST", "/v1/verify"): pair,
        ("POST", "/v1/explain"): {"query": row, "id": mine},
        ("POST", "/v1/search"): {"query": row, "k": 100},
        ("POST", "/v1/identify"): {"query": row},
        ("POST", "/v1/classify"): {"query": row},
        ("GET", "/v1/classes"): None,
        ("POST", "/v1/embeddings"): {"input": [row]},
        ("POST", "/v1/verify-batch"): {"pairs": [pair]},
        ("POST", "/v1/search-batch"): {"queries": [{"query": row, "k": 100}]},
        ("POST", "/v1/rerank"): {"query": row, "documents": [NEAR]},
        ("POST", "/v1/duplicates"): {
            "records": [{"id": "a", "payload": row}, {"id": "b", "payload": NEAR}]
        },
        ("POST", RECORDS): {"records": records},
        ("DELETE", RECORDS): {"ids": [mine]},
        ("GET", RECORDS): None,
        ("GET", RECORD): None,
        ("DELETE", RECORD): None,
        ("POST", "/v1/verdicts"): {"decision_id": decision, "genuine": True},
        ("GET", "/v1/review"): None,
        ("GET", "/v1/proposal"): None,
        ("GET", "/v1/rollout"): None,
        ("POST", "/v1/rollout"): {"action": "abort"},
        ("POST", "/v1/rollout/hook"): {"metadata": {"hook": "rollout"}},
        ("GET", "/v1/release"): None,
        ("GET", "/v1/card"): None,
        ("GET", "/v1/models"): None,
        ("GET", "/v2"): None,
        ("GET", "/v2/models/gemel"): None,
        ("POST", "/v2/models/gemel/infer"): {"inputs": [tensor]},
        ("GET", "/v2/models/gemel/ready"): None,
        ("GET", "/v2/health/live"): None,
        ("GET", "/v2/health/ready"): None,
        ("GET", "/livez"): None,
        ("GET", "/readyz"): None,
        ("GET", "/metrics"): None,
        ("GET", "/openapi.json"): None,
    }


def path_of(route: Route, record: str) -> str:
    return route.path.replace("{record:path}", record)


def others(of: str) -> list[str]:
    return [f"{who}-" for who in (SERVICE, OURS, THEIRS) if who != of]


@pytest.mark.parametrize("of", [THEIRS, SERVICE])
@pytest.mark.parametrize("route", TABLE, ids=lambda r: f"{r.method} {r.path}")
def test_no_route_gets_at_what_others_have(town: Town, route: Route, of: str) -> None:
    before, decision = town.state(of), town.decisions[of]
    body = asked(of, decision)[route.method, route.path]
    got = town.ask(OURS, route.method, path_of(route, f"{of}-0"), body)
    if route.role in ("operator", "admin"):
        assert got.status_code == 403
    elif f"{of}-0" in json.dumps(body) or decision in json.dumps(body) or route.path == RECORD:
        # It names what others have: for us that is nothing, or becomes our own.
        is_change = route.verb is not None and (route.method, route.path) in CHANGES
        assert got.status_code == (200 if is_change else 404), got.text
        assert got.json().get("deleted", 0) == 0
    else:
        assert got.status_code == 200 or "no evidence.json" in got.text, got.text
        assert decision not in got.text
        assert not any(mark in got.text for mark in others(OURS))
    assert town.state(of) == before, "something of others was changed"
    if (route.method, route.path) == ("POST", RECORDS):
        town.ask(OURS, "DELETE", f"{RECORDS}/{of}-0")


CHANGES = {("POST", RECORDS), ("DELETE", RECORDS), ("DELETE", RECORD)}


@pytest.mark.parametrize("route", TABLE, ids=lambda r: f"{r.method} {r.path}")
def test_a_role_is_one_within_its_tenant(town: Town, route: Route) -> None:
    if route.role is None:
        return
    may = {
        role
        for role in ("reader", "enroller", "reviewer", "admin")
        if route.role in OF_TENANTS and route.role in ("reader", *([role]), *OF_ADMIN[role])
    }
    for role in ("reader", "enroller", "reviewer", "admin"):
        body = None if route.body is None else {}
        status = town.ask(f"{OURS}.{role}", route.method, path_of(route, "x"), body).status_code
        assert (status != 403) == (role in may), (role, status)


OF_ADMIN = {"reader": (), "enroller": (), "reviewer": (), "admin": tuple(OF_TENANTS)}


def test_each_finds_its_own(town: Town) -> None:
    query = {"query": ROWS[0], "k": 10}
    for who, n in ((SERVICE, 4), (OURS, 1), (THEIRS, 3)):
        found = town.ask(who, "POST", "/v1/search", query).json()["hits"]
        assert {hit["id"] for hit in found} == {f"{who}-{i}" for i in range(n)}
        waits = town.ask(who, "GET", "/v1/review").json()["waiting"]
        assert town.decisions[who] in [one["decision_id"] for one in waits]
        assert town.ask(who, "GET", "/v1/release").json()["records"] == n
    assert town.ask(OURS, "GET", "/console/examples").status_code == 403, "records of the service"


def test_what_one_asked_is_no_quicker_for_another(town: Town) -> None:
    def misses() -> float:
        text = town.ask(SERVICE, "GET", "/metrics").text
        (line,) = (k for k in text.splitlines() if k.startswith('gemel_cache_total{result="miss'))
        return float(line.split()[1])

    pair = {"left": ROWS[3], "right": ROWS[4] | {"last": "nobody"}}
    for who in (OURS, THEIRS):
        start = misses()
        town.ask(who, "POST", "/v1/verify", pair)
        assert misses() == start + 2


@pytest.mark.parametrize("asking", native.methods(), ids=lambda a: a.method.name)
def test_no_method_of_grpc_gets_at_what_others_have(town: Town, asking: native.Asked) -> None:
    method, route = asking
    before, classes = town.state(THEIRS), native.file().classes()
    kind = classes[message_name(method.body) if method.body else f"{method.name}Request"]
    decision = town.decisions[THEIRS]
    body = asked(THEIRS, decision)[route.method, route.path]
    if route.path == RECORD:
        body = {"id": f"{THEIRS}-0"} if route.method == "GET" else {"ids": [f"{THEIRS}-0"]}
    call = town.channel.unary_unary(
        f"/{native.PACKAGE}.{native.SERVICE}/{method.name}",
        request_serializer=lambda m: m.SerializeToString(),
        response_deserializer=classes[message_name(method.reply)].FromString,
    )
    sent = json_format.ParseDict(body or {}, kind())
    try:
        reply = call(sent, metadata=[("authorization", f"Bearer {town.keys[OURS]}")])
        said, code = json_format.MessageToJson(reply), grpc.StatusCode.OK
    except grpc.RpcError as error:
        said, code = "", error.code()
    if route.role == "operator":
        assert code == grpc.StatusCode.PERMISSION_DENIED
    else:
        assert code in (grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND)
        assert not any(mark in said for mark in others(OURS))
    assert town.state(THEIRS) == before
    town.ask(OURS, "DELETE", f"{RECORDS}/{THEIRS}-0")


def test_a_place_that_nobody_uses_is_closed_and_opened_again(
    release: Release, tmp_path: Path
) -> None:
    base, n = Live.open(release, None), 4
    books = Books(None, Metrics(), AdaptSettings(), tuple)
    tenants = Tenants(lambda name: Folder(tmp_path / name), 2 * PLACE_BYTES)

    async def note(name: str) -> int:
        async with tenants.entered(name, books) as home:
            live = await home.bundle(base)
            assert live.tenant == name
            ledger = home.books.ledger
            assert ledger is not None
            ledger.flush()
            return ledger.head().seq

    async def all_of_them() -> None:
        for _ in range(2):
            await asyncio.gather(*(note(f"t{i}") for i in range(n)))
        assert len(tenants.names) <= 2
        async with tenants.entered("t0", books) as home:
            await home.bundle(base)
            await asyncio.gather(*(note(f"t{i}") for i in range(1, n)))
            assert "t0" in tenants.names, "somebody is being answered from it"

    asyncio.run(all_of_them())
    tenants.close()


def test_who_is_not_enrolled_in_a_new_space_is_told_and_not_answered_wrongly(
    release: Release, tmp_path: Path
) -> None:
    other = small.release(tmp_path / "other", seed=1)
    here = Folder(tmp_path / "t")
    with here.gallery(release) as gallery:
        gallery.enroll(["a"], release.encoder.encode(ROWS[:1]), [{}])
    books = Books(None, Metrics(), AdaptSettings(), tuple)
    tenants = Tenants(lambda _: here, 10**9)

    async def ask() -> None:
        with Gallery.open(tmp_path / "o", space_id=other.space_id, dim=DIM) as own:
            async with tenants.entered("t", books) as home:
                with pytest.raises(Exception, match="not enrolled with this release"):
                    await home.bundle(Live.open(other, own))

    asyncio.run(ask())
    tenants.close()


def test_a_change_goes_to_both_spaces_of_the_tenant_and_to_nobody_else(
    release: Release, tmp_path: Path
) -> None:
    other = small.release(tmp_path / "other", seed=1)
    here = Folder(tmp_path / "t")
    with (
        Gallery.open(tmp_path / "a", space_id=release.space_id, dim=DIM) as first,
        Gallery.open(tmp_path / "b", space_id=other.space_id, dim=DIM) as second,
    ):
        arms = Arms(Live.open(release, first))
        arms.switch(Live.open(other, second))
        books = Books(None, Metrics(), AdaptSettings(), tuple)
        tenants = Tenants(lambda _: here, 10**9)

        async def twins() -> list[Live]:
            async with tenants.entered("t", books) as home:
                live = await home.bundle(arms.stable)
                found = [live, *home.twins(arms.twins(live))]
                assert home.base(found[1]) is arms.older
                return found

        lives = asyncio.run(twins())
        assert [one.release.id for one in lives] == [other.id, release.id]
        assert not {id(one.gallery) for one in lives} & {id(first), id(second)}
        tenants.close()


def test_a_ledger_of_a_tenant_that_takes_no_entries_is_said(
    release: Release, tmp_path: Path
) -> None:
    file, tenants = tmp_path / "keys.json", Tenants(lambda name: Folder(tmp_path / name), 10**9)
    limits = {who: Limits(tenant=who) for who in (OURS, THEIRS)}
    key = {
        who: keys.add(file, who, "admin", days=1, now=NOW, limits=each)[1]
        for who, each in limits.items()
    }
    with Ledger.open(tmp_path / "own.db") as ledger:
        service = Service(release, None, ledger, tenants=tenants)
        with (
            running(create_app(service, access=Access(file))) as url,
            httpx.Client(base_url=url, timeout=10) as http,
        ):

            def verify(who: str) -> httpx.Response:
                headers = {"authorization": f"Bearer {key[who]}"}
                body = {"left": ROWS[0], "right": ROWS[1]}
                return http.post("/v1/verify", json=body, headers=headers)

            assert verify(OURS).status_code == verify(THEIRS).status_code == 200
            assert b"gemel_ledger_ready 1.0" in service.metrics.text()
            (tmp_path / OURS / "ledger.db").unlink()
            assert b"gemel_ledger_ready 0.0" in service.metrics.text()
            assert verify(OURS).headers["x-gemel-ledger"] == "failing"
            assert "x-gemel-ledger" not in verify(THEIRS).headers
            assert http.get("/readyz").status_code == 200, "all others are answered"
    with pytest.raises(LedgerError):
        tenants.close()


def test_the_ledger_of_a_tenant_is_looked_after_as_that_of_the_service(
    release: Release, tmp_path: Path
) -> None:
    place, books = Folder(tmp_path / "acme"), Books(None, Metrics(), AdaptSettings(), tuple)
    tenants = Tenants(lambda _: place, 10**9)

    async def opened() -> Ledger:
        async with tenants.entered("acme", books) as home:
            tenants.look()  # before there is anything to look after
            await home.bundle(Live.open(release))
            assert home.books.ledger is not None
            return home.books.ledger

    ledger = asyncio.run(opened())
    ledger.append_durable("verify", {"i": 1})
    tenants.look()
    assert heads.known(str(tmp_path / "acme" / "heads")) == [ledger.head()]
    aside = ledger.path.rename(tmp_path / "aside")
    tenants.look()
    aside.rename(ledger.path)
    tenants.look()
    ledger.append_durable("verify", {"i": 2})
    last = ledger.head()
    tenants.close()
    tenants.look()
    assert heads.known(str(tmp_path / "acme" / "heads"))[-1] == last
    assert heads.newest(heads.beside(ledger.path)) == last
    lines = [json.loads(line) for line in place.log.getvalue().splitlines()]
    events = ["ledger_head", "ledger_failed", "ledger_recovered", "ledger_head"]
    assert [line["event"] for line in lines] == events
    assert {line["tenant"] for line in lines} == {"acme"}


def test_names_and_roles_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for name in ("..", "a/b", "Acme", "", "-x", "a" * 65, "a\n"):
        with pytest.raises(ConfigError, match="no name of a tenant"):
            keys.check_tenant(name)
    with pytest.raises(ConfigError, match="no operator"):
        keys.add(tmp_path / "k", "x", "operator", days=1, now=NOW, limits=Limits(tenant="acme"))
    assert set(ROLES) - OF_TENANTS == {"operator", "admin"}


def test_a_service_without_places_answers_no_tenant(release: Release, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    _, key = keys.add(file, "a", "reader", days=1, now=NOW, limits=Limits(tenant="acme"))
    app = create_app(Service(release), access=Access(file))
    with running(app) as url, httpx.Client(base_url=url) as http:
        got = http.get("/v1/release", headers={"authorization": f"Bearer {key}"})
        assert (got.status_code, got.json()["code"]) == (403, "not_allowed")


def test_a_quota_of_a_day_survives_a_restart_and_ends_at_midnight(tmp_path: Path) -> None:
    now = [datetime(2026, 3, 1, 23, 59, tzinfo=UTC)]
    file, kept = tmp_path / "keys.json", tmp_path / "usage.json"
    _, key = keys.add(file, "a", "reader", days=9, now=now[0], limits=Limits(per_day=2))
    headers = [(b"authorization", b"Bearer " + key.encode())]

    def opened() -> tuple[Access, Usage]:
        usage = Usage(kept, now=lambda: now[0])
        return Access(file, now=lambda: now[0], usage=usage), usage

    access, usage = opened()
    with pytest.raises(NotAllowed):  # which counts for nothing
        access.admit(headers, "enroller")
    access.admit(headers, "reader")
    access.admit(headers, "reader")
    usage.stop()
    access, _ = opened()
    with pytest.raises(RateLimited, match="2 times a day") as met:
        access.admit(headers, "reader")
    assert retry_s(met.value) == 60
    now[0] += timedelta(minutes=1)
    access.admit(headers, "reader")


def test_a_key_and_those_it_is_replaced_by_have_one_quota(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    for limits, says in ((Limits(per_day=3), "3 times a day"), (Limits(per_second=3), "a second")):
        made, key = keys.add(file, "shop", "reader", days=9, now=NOW, limits=limits)
        new, second, _ = keys.rotate(file, made.id, days=None, now=NOW)
        _, third, _ = keys.rotate(file, new.id, days=None, now=NOW)
        _, other = keys.add(file, "shop", "reader", days=9, now=NOW, limits=limits)
        access = Access(file, now=lambda: NOW, clock=lambda: 0.0)
        for sent in (key, second, third, other):
            access.admit([(b"authorization", b"Bearer " + sent.encode())], "reader")
        for sent in (key, second, third):
            with pytest.raises(RateLimited, match=says):
                access.admit([(b"authorization", b"Bearer " + sent.encode())], "reader")
        access.admit([(b"authorization", b"Bearer " + other.encode())], "reader")


def test_a_quota_of_a_tenant_is_one_for_all_of_its_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    made = [
        keys.add(file, name, "reader", days=9, now=NOW, limits=Limits(tenant=tenant))[1].encode()
        for name, tenant in (("a", "acme"), ("b", "acme"), ("c", "bolt"), ("d", ""))
    ]
    access = Access(file, of_tenants=Quotas(per_day=1))
    first, second, other, own = ([(b"authorization", b"Bearer " + key)] for key in made)
    access.admit(first, "reader")
    with pytest.raises(RateLimited, match="tenant acme may ask 1 time a day"):
        access.admit(second, "reader")
    access.admit(other, "reader")
    assert access.admit(own, "reader") == access.admit(own, "reader")


def test_no_more_records_are_kept_than_allowed(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    _, key = keys.add(file, "a", "enroller", days=1, now=NOW, limits=Limits(max_records=2))
    rows = [{"id": f"r{i}", "payload": row} for i, row in enumerate(ROWS)]
    headers = {"authorization": f"Bearer {key}"}
    app = create_app(service, access=Access(file))
    with running(app) as url, httpx.Client(base_url=url, headers=headers) as http:
        assert http.post(RECORDS, json={"records": rows[:2]}).status_code == 200
        got = http.post(RECORDS, json={"records": rows[1:3]})
        assert (got.status_code, got.json()["code"]) == (403, "quota_reached")
        assert "2 records are kept, 1 is new, 2 are allowed" in got.text
        again = http.post(RECORDS, json={"records": rows[:2]})
        assert again.status_code == 200, "none of them is new"
        assert http.get(RECORDS).json()["count"] == 2
