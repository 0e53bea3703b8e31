"""A ledger that takes no entries: the service says so at once, and acknowledges nothing unnoted."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.serve import small

from gemel.errors import LedgerError
from gemel.gallery.gallery import Gallery
from gemel.ledger import heads
from gemel.ledger import ledger as ledgers
from gemel.ledger.chain import Head
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.keeping import Keeper
from gemel.serve.service import Service
from gemel.telemetry import EVENTS, log_to

PAIR = {"left": small.ROWS[0], "right": small.ROWS[1]}
NEW = {"records": [{"id": "new", "payload": small.ROWS[0]}]}


@pytest.fixture
def serving(
    release: Release, gallery: Gallery, tmp_path: Path
) -> Iterator[tuple[httpx.Client, Ledger, Gallery]]:
    lost: list[tuple[str, int, str, str]] = []
    ledger = Ledger.open(tmp_path / "served.db", on_lost=lost.append)
    with (
        running(create_app(Service(release, gallery, ledger))) as url,
        httpx.Client(base_url=url, timeout=10) as client,
    ):
        assert client.post("/v1/verify", json=PAIR).json()["decision_id"]
        ledger.flush()
        yield client, ledger, gallery
    n_waiting = ledger.n_waiting
    with pytest.raises(LedgerError) if n_waiting else contextlib.nullcontext():
        ledger.close()
    assert len(lost) == n_waiting


def deleted(ledger: Ledger) -> None:
    ledger.path.unlink()


def replaced(ledger: Ledger) -> None:
    content = ledger.path.read_bytes()
    ledger.path.rename(ledger.path.with_name("elsewhere"))
    ledger.path.write_bytes(content)


def without_a_log(ledger: Ledger) -> None:
    ledger.path.with_name(f"{ledger.path.name}-wal").unlink()


@pytest.mark.parametrize("harm", [deleted, replaced, without_a_log])
def test_a_ledger_that_was_taken_away_is_said_at_once_and_no_change_is_taken(
    serving, harm, monkeypatch
) -> None:
    client, ledger, gallery = serving
    ready = client.get("/readyz")
    assert ready.status_code == 200 and "x-gemel-ledger" not in ready.headers
    harm(ledger)
    said = client.get("/readyz")
    assert said.status_code == 503
    assert said.json()["code"] == "ledger_unavailable"
    assert "deleted or replaced" in said.json()["detail"]
    assert "gemel_ledger_ready 0.0" in client.get("/metrics").text
    decided = client.post("/v1/verify", json=PAIR)
    assert (decided.status_code, decided.headers["x-gemel-ledger"]) == (200, "failing")
    for reply in (
        client.post("/v1/records", json=NEW),
        client.request("DELETE", "/v1/records", json={"ids": ["a"]}),
        client.post("/v1/verdicts", json={"decision_id": "0" * 32, "genuine": True}),
    ):
        assert reply.status_code == 503 and reply.json()["code"] == "ledger_unavailable"
        assert reply.headers["retry-after"] == "1"
    assert gallery.count() == 0
    monkeypatch.setattr(ledgers, "GRACE_SECONDS", 0.0)
    assert client.post("/v1/verify", json=PAIR).status_code == 503
    monkeypatch.setattr(ledgers, "GRACE_SECONDS", 60.0)
    monkeypatch.setattr(ledgers, "GRACE_ENTRIES", 1)
    assert client.post("/v1/verify", json=PAIR).status_code == 503


def test_a_file_that_somebody_holds_is_said_within_a_second(serving) -> None:
    import sqlite3

    client, ledger, _ = serving
    holder = sqlite3.connect(ledger.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    client.post("/v1/verify", json=PAIR)
    until = time.monotonic() + 1.5
    while (status := client.get("/readyz").status_code) == 200 and time.monotonic() < until:
        pass
    assert status == 503
    holder.execute("ROLLBACK")
    holder.close()
    ledger.flush()
    assert client.get("/readyz").status_code == 200


def test_what_is_changed_is_noted_with_who_did_it_and_to_whom_masked(serving) -> None:
    client, ledger, _ = serving
    many = [{"id": f"r{i}", "payload": small.ROWS[i % 5]} for i in range(300)]
    reply = client.post("/v1/records", json={"records": many}).json()
    client.request("DELETE", "/v1/records", json={"ids": ["r7", "nobody"]})
    enrolled = [e.body for e in ledger.entries(kind="enroll")]
    assert ledger.find(reply["decision_id"]).body == enrolled[0]
    assert [body["added"] for body in enrolled] == [300, 0, 0]
    assert {body["actor"] for body in enrolled} == {"local"}
    masked = {record for body in enrolled for record in body["records"]}
    assert masked == {ledger.masks.of(f"r{i}") for i in range(300)}
    (gone,) = [e.body for e in ledger.entries(kind="delete")]
    assert gone["records"] == [ledger.masks.of("r7"), ledger.masks.of("nobody")]
    assert '"r7"' not in "".join(e.text for e in ledger.entries(limit=9999))
    key = ledger.path.with_suffix(".key")
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_keeper_says_when_a_ledger_fails_and_keeps_heads(ledger, tmp_path: Path) -> None:
    written, file, now = io.StringIO(), tmp_path / "usb" / "heads", [0.0]
    file.parent.mkdir()
    keeper = Keeper(ledger, log_to(written), head_file=file, clock=lambda: now[0])
    ledger.append("verify", {"i": 1})
    keeper.look()
    assert heads.known(str(file)) == [ledger.head()] == heads.known(str(heads.beside(ledger.path)))
    ledger.append_durable("verify", {"i": 2})
    keeper.look()
    assert len(heads.known(str(file))) == 1
    now[0] = 3600.0
    keeper.look()
    assert heads.known(str(file))[-1] == ledger.head()
    aside = ledger.path.rename(tmp_path / "aside")
    keeper.look()
    keeper.look()
    aside.rename(ledger.path)
    keeper.look()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        "ledger_head",
        "ledger_head",
        "ledger_failed",
        "ledger_recovered",
    ]
    assert lines[1]["head"] == heads.word(ledger.head())


def test_a_head_that_cannot_be_kept_is_no_failed_ledger(ledger, tmp_path: Path) -> None:
    """As where the place out of reach is not mounted: entries are taken, heads an hour later."""
    written, file, now = io.StringIO(), tmp_path / "usb" / "heads", [0.0]
    keeper = Keeper(ledger, log_to(written), head_file=file, clock=lambda: now[0])
    ledger.append("verify", {"i": 1})
    for _ in range(3):
        keeper.look()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["ledger_head", "head_unwritten"]
    assert str(file) in lines[1]["problem"] and "head_unwritten" in EVENTS
    file.parent.mkdir()
    now[0] = 3600.0
    keeper.look()
    assert heads.known(str(file)) == [ledger.head()]


def test_an_older_copy_of_a_ledger_is_said_when_it_is_put_back(ledger, tmp_path: Path) -> None:
    written, file = io.StringIO(), tmp_path / "heads"
    ledger.append_durable("verify", {"i": 1})
    later = Head(7, "ab" * 32)
    heads.keep(later, file)
    for _ in range(2):
        Keeper(ledger, log_to(written), head_file=file).look()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    (said,) = [line for line in lines if line["event"] == "ledger_older"]
    assert (said["kept"], said["head"]) == (heads.word(later), heads.word(ledger.head()))


FULL_DISK = """
import json, resource, signal, sys
from gemel.errors import LedgerError, LedgerUnavailable
from gemel.ledger.ledger import Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
lost = []
book = Ledger.open(sys.argv[1], on_lost=lost.append)
book.append_durable("verify", {"i": -1})
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
ids = []
while book.problem is None:
    ids.append(book.append("verify", {"i": len(ids), "x": "y" * 900}))
try:
    book.check(change=True)
except LedgerUnavailable as e:
    print(e.status)
try:
    book.close()
except LedgerError:
    pass
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
with Ledger.open(sys.argv[1], write=False) as again:
    there = {entry.id for entry in again.entries(limit=10**6)}
print(len(ids), len(set(ids) - there - {draft[0] for draft in lost}), len(lost) > 0)
"""


def test_what_a_full_disk_does_not_take_is_handed_over_at_the_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "ledger.db")],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ},
        check=False,
    )
    refused, counts = done.stdout.splitlines()
    n_acknowledged, n_lost, is_some_unwritten = counts.split()
    assert refused == "503", done.stderr
    assert int(n_acknowledged) > 20
    assert (n_lost, is_some_unwritten) == ("0", "True")
