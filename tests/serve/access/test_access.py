"""Every route asks for a key of its role, whatever is sent instead; keys come and go meanwhile."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from litestar.testing import TestClient
from tests.serve.small import DIM, ROWS

from gemel.console.pages import FILES, handlers
from gemel.errors import ConfigError
from gemel.files import Held, Lock
from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
from gemel.serve.access import keys
from gemel.serve.access.access import LOOK_SECONDS, Access
from gemel.serve.context import ROLES, Role
from gemel.serve.http.app import create_app
from gemel.serve.http.routes.call import Route
from gemel.serve.http.routes.table import TABLE
from gemel.serve.http.server import run
from gemel.serve.service import Service
from gemel.settings import ServeSettings
from gemel.telemetry import log_to

MAY: dict[Role | None, set[Role]] = {
    None: set(ROLES),
    "reader": set(ROLES),
    "enroller": {"enroller", "admin"},
    "reviewer": {"reviewer", "admin"},
    "operator": {"operator", "admin"},
    "admin": {"admin"},
}
"""Of which roles a key may be that is let in, for each role of the table."""
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Moment:
    """A time that goes on when it is told to."""

    seconds: float = 0.0
    log: io.StringIO = field(default_factory=io.StringIO)

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


@dataclass
class Guarded:
    """A service with keys, and what it writes."""

    client: TestClient[object]
    file: Path
    moment: Moment
    ledger: Ledger
    keys: dict[str, str]

    def ask(self, method: str, path: str, key: str | None, body: object = None) -> httpx.Response:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        if body is not None:
            return self.client.request(method, path, json=body, headers=headers)
        return self.client.request(method, path, headers=headers)


@pytest.fixture(scope="module")
def guarded(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    file, moment = folder / "keys.json", Moment()
    made = {role: keys.add(file, role, role, days=30, now=START)[1] for role in ROLES}
    made["expired"] = keys.add(file, "old", "admin", days=1, now=START - timedelta(days=2))[1]
    made["revoked"] = keys.add(file, "gone", "admin", days=30, now=START)[1]
    keys.revoke(file, "gone", now=START)
    with (
        Gallery.open(folder / "gallery", space_id=release.space_id, dim=DIM) as gallery,
        Ledger.open(folder / "ledger.db") as ledger,
    ):
        service, log = Service(release, gallery, ledger), log_to(moment.log)
        access = Access(file, log, clock=moment.clock, now=moment.now)
        app = create_app(service, log=log, pages=handlers(service), access=access)
        with TestClient(app, base_url="http://gemel.localhost") as client:  # type: ignore[arg-type]
            yield Guarded(client, file, moment, ledger, made)


def path_of(route: Route) -> str:
    return route.path.replace("{record:path}", "a/b")


def body_of(route: Route) -> object:
    return None if route.body is None else {}


@pytest.mark.parametrize("route", TABLE, ids=lambda r: f"{r.method} {r.path}")
def test_a_route_answers_keys_of_its_role_and_no_others(guarded: Guarded, route: Route) -> None:
    path, body = path_of(route), body_of(route)
    for role in ROLES:
        status = guarded.ask(route.method, path, guarded.keys[role], body).status_code
        assert status not in (401, 429)
        assert (status != 403) == (role in MAY[route.role]), (role, status)
    if route.role is None:
        assert guarded.ask(route.method, path, None, body).status_code != 401
        return
    valid = guarded.keys["admin"]
    wrong: dict[str, str | None] = {
        "none": None,
        "nothing": "",
        "forged": valid[:-1] + ("a" if valid[-1] != "a" else "b"),
        "of another": valid[:15] + guarded.keys["reader"][15:],
        "no key": "x" * 8000,
        "expired": guarded.keys["expired"],
        "revoked": guarded.keys["revoked"],
    }
    for what, key in wrong.items():
        got = guarded.ask(route.method, path, key, body)
        assert got.status_code == 401, what
        assert got.headers["www-authenticate"] == "Bearer"
        assert "gemel keys add" in got.text
        assert "x-gemel-release" not in got.headers
        if what in ("expired", "revoked"):
            assert f"this key is {what}" in got.text


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic {}"},
        {"authorization": "{}"},
        {"x-api-key": "{}"},
        {"cookie": "authorization=Bearer {}"},
    ],
    ids=str,
)
def test_a_key_counts_where_it_belongs_only(guarded: Guarded, headers: dict[str, str]) -> None:
    sent = {name: value.format(guarded.keys["admin"]) for name, value in headers.items()}
    assert guarded.client.get("/v1/release", headers=sent).status_code == 401
    query = {"key": guarded.keys["admin"], "access_token": guarded.keys["admin"]}
    assert guarded.client.get("/v1/release", params=query).status_code == 401
    twice = [("authorization", f"Bearer {guarded.keys['admin']}")] * 2
    assert guarded.client.get("/v1/release", headers=twice).status_code == 401


@pytest.mark.parametrize(
    "path", ["/v1/release/", "/v1/records//", "/nothing", "/console/examples", "/console/x"]
)
def test_no_way_leads_around(guarded: Guarded, path: str) -> None:
    for method in ("GET", "HEAD"):
        assert guarded.ask(method, path, None).status_code == 401
    assert guarded.ask("GET", path, guarded.keys["reader"]).status_code in (200, 404)


def test_no_page_changes_anything_for_a_reader(guarded: Guarded) -> None:
    assert guarded.ask("POST", "/console/examples", guarded.keys["reader"], {}).status_code == 403
    assert guarded.ask("POST", "/console/examples", guarded.keys["admin"], {}).status_code == 405


def test_a_key_may_be_the_password_of_an_address(guarded: Guarded) -> None:
    """As tools send it that take no headers: https://anybody:KEY@host/."""
    for key, status in ((guarded.keys["reader"], 200), ("x", 401), ("", 401)):
        assert guarded.client.get("/v1/release", auth=("anybody", key)).status_code == status
    for value in ("Basic", "Basic !", "Basic " + guarded.keys["reader"]):
        reply = guarded.client.get("/v1/release", headers={"authorization": value})
        assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("path", [path for path, _, _ in FILES])
def test_the_page_itself_needs_no_key(guarded: Guarded, path: str) -> None:
    assert guarded.ask("GET", path, None).status_code == 200


def test_keys_come_and_go_while_it_runs(guarded: Guarded) -> None:
    kept, key = keys.add(guarded.file, "new", "reader", days=1, now=START)
    guarded.moment.seconds += LOOK_SECONDS
    assert guarded.ask("GET", "/v1/release", key).status_code == 200
    keys.revoke(guarded.file, kept.id, now=START)
    guarded.moment.seconds += LOOK_SECONDS
    assert "this key is revoked" in guarded.ask("GET", "/v1/release", key).text
    _, short = keys.add(guarded.file, "short", "reader", days=1, now=START)
    guarded.moment.seconds += LOOK_SECONDS
    assert guarded.ask("GET", "/v1/release", short).status_code == 200
    guarded.moment.seconds += 24 * 3600
    assert "this key is expired" in guarded.ask("GET", "/v1/release", short).text


def test_nobody_revokes_a_key_while_it_is_rotated(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the new one would be of a key that is none any more."""
    called, lock = keys._called, guarded.file.with_name(f"{guarded.file.name}.lock")

    def while_others_change(known: Sequence[keys.Key], name: str) -> keys.Key:
        with pytest.raises(Held):
            Lock(lock)
        return called(known, name)

    monkeypatch.setattr(keys, "_called", while_others_change)
    keys.rotate(guarded.file, "reader", days=None, now=START)


def test_a_file_that_cannot_be_read_changes_nothing(guarded: Guarded) -> None:
    content = guarded.file.read_bytes()
    for broken in (b"{", b'{"keys":[{}]}'):
        guarded.file.write_bytes(broken)
        guarded.moment.seconds += LOOK_SECONDS
        assert guarded.ask("GET", "/v1/release", guarded.keys["reader"]).status_code == 200
        assert guarded.ask("GET", "/v1/release", None).status_code == 401
    for _ in range(3):
        guarded.moment.seconds += LOOK_SECONDS
        assert guarded.ask("GET", "/v1/release", None).status_code == 401
    assert guarded.moment.log.getvalue().count("keys_unreadable") == 2, "each fault once"
    guarded.file.write_bytes(content)
    guarded.moment.seconds += LOOK_SECONDS
    assert guarded.ask("GET", "/v1/release", guarded.keys["reader"]).status_code == 200


def test_a_file_that_is_gone_lets_nobody_in(guarded: Guarded) -> None:
    """Who deletes the file means to shut everybody out; keys that are not there were in force."""
    away = guarded.file.rename(guarded.file.with_suffix(".away"))
    for _ in range(2):
        guarded.moment.seconds += LOOK_SECONDS
        for key in (guarded.keys["reader"], guarded.keys["admin"], None):
            assert guarded.ask("GET", "/v1/release", key).status_code == 401
    assert "keys.json is gone" in guarded.moment.log.getvalue()
    away.rename(guarded.file)
    guarded.moment.seconds += LOOK_SECONDS
    assert guarded.ask("GET", "/v1/release", guarded.keys["reader"]).status_code == 200


def test_nobody_comes_in_by_keys_that_were_never_readable(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(b"")
    access = Access(tmp_path / "keys.json")
    assert access.is_guarded
    with pytest.raises(Exception, match="wants a key"):
        access.admit([], "reader")


def test_a_key_may_ask_so_often_and_says_when_again(guarded: Guarded) -> None:
    _, key = keys.add(
        guarded.file,
        "busy",
        "reader",
        days=9,
        now=guarded.moment.now(),
        limits=keys.Limits(per_second=3),
    )
    guarded.moment.seconds += LOOK_SECONDS
    got = [guarded.ask("GET", "/v1/release", key) for _ in range(5)]
    assert [g.status_code for g in got] == [200, 200, 200, 429, 429]
    assert (got[3].headers["retry-after"], got[3].json()["code"]) == ("1", "rate_limited")
    assert guarded.ask("GET", "/v1/release", guarded.keys["reader"]).status_code == 200
    guarded.moment.seconds += 1
    assert guarded.ask("GET", "/v1/release", key).status_code == 200


def test_who_changed_records_stands_in_the_ledger_and_no_key_anywhere(guarded: Guarded) -> None:
    body = {"records": [{"id": "1", "payload": ROWS[0]}]}
    got = guarded.ask("POST", "/v1/records", guarded.keys["enroller"], body)
    entry = guarded.ledger.find(got.json()["decision_id"])
    assert entry is not None and json.loads(entry.text)["actor"] == "enroller"
    written = guarded.moment.log.getvalue() + guarded.file.read_text() + entry.text
    for key in guarded.keys.values():
        assert key.split("_", 2)[2] not in written
    assert guarded.file.stat().st_mode & 0o077 == 0


def test_nobody_answers_in_the_name_of_another_key(guarded: Guarded) -> None:
    pair = {"left": ROWS[0], "right": ROWS[1]}
    asked = guarded.ask("POST", "/v1/verify", guarded.keys["reader"], pair).json()["decision_id"]
    said = {"decision_id": asked, "genuine": True, "reviewer": "ann"}
    for role in ("reviewer", "admin"):
        assert guarded.ask("POST", "/v1/verdicts", guarded.keys[role], said).status_code == 200
    guarded.ask("POST", "/v1/verdicts", guarded.keys["admin"], {**said, "reviewer": ""})
    texts = [json.loads(e.text) for e in guarded.ledger.each() if e.kind == "verdict"]
    assert [t["reviewer"] for t in texts] == ["reviewer/ann", "admin/ann", "admin"]


def test_other_machines_are_let_in_with_keys_only(service: Service, tmp_path: Path) -> None:
    settings = ServeSettings(host="0.0.0.0", port=0)
    with pytest.raises(ConfigError, match="asks nobody who they are") as refused:
        run(create_app(service, settings), settings)
    assert "gemel keys add" in refused.value.hint
