"""Whoever is erased is gone from every gallery, whatever is killed, promoted or rolled back."""

from __future__ import annotations

import io
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from tests.serve.rollout.kept import PEOPLE, Project, opened_project

from gemel.cli.main import run
from gemel.errors import GateFailed
from gemel.gallery.gallery import Gallery
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.opening import RecordIds
from gemel.ledger import changes
from gemel.ledger.ledger import Ledger
from gemel.release import gates
from gemel.release.release import Release
from gemel.serve.galleries import erasing
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.rollout.follower import Follower
from gemel.serve.service import Service
from gemel.serve.wire.enrolled import NewRecord
from gemel.telemetry import log_to

WHO = {"actor": "ann", "reason": "test"}
LONELY = {**PEOPLE[0], "first": "lonely", "last": "only"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    found = opened_project(tmp_path)
    monkeypatch.chdir(found.folder)
    return found


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    with Ledger.open(project.folder / "state" / "ledger.db") as opened:
        yield opened


@contextmanager
def opened(project: Project, release: Release, ledger: Ledger | None) -> Iterator[Service]:
    """A service in Python, as a program has it."""
    with Gallery.open(project.at(release), comparator=release.comparator) as gallery:
        yield Service(release, gallery, ledger)


@contextmanager
def served(project: Project, ledger: Ledger) -> Iterator[tuple[httpx.Client, Follower]]:
    """The live release over HTTP, its pointer followed by hand."""
    live = project.store.get("stable")

    def open_(other: Release) -> Gallery:
        erasing.reach_before_opening(project.at(other), ledger.path)
        return LocalGallery.open(project.at(other), comparator=other.comparator)

    with open_(live) as gallery:
        service = Service(live, gallery, ledger, desk=project.desk)
        log = log_to(io.StringIO())
        follower = Follower(service, project.store, open_gallery=open_, desk=project.desk, log=log)
        with running(create_app(service, log=log)) as url, httpx.Client(base_url=url) as client:
            yield client, follower
        follower.stop()


def has(project: Project, release: Release, *records: str) -> list[bool]:
    ids = set(RecordIds(project.at(release)))
    return [record in ids for record in records]


def test_a_delete_over_http_reaches_galleries_that_nobody_opened(
    project: Project, ledger: Ledger
) -> None:
    other, third = project.put(1e-5), project.put(2e-5)
    town = next(row["town"] for row in PEOPLE if row["town"])
    with served(project, ledger) as (client, _):
        body = {"records": [{"id": "lonely", "payload": {**LONELY, "town": "Xanaduville"}}]}
        client.post("/v1/records", json=body).raise_for_status()
        for release in (other, third):
            with opened(project, release, ledger) as service:
                service.enroll([NewRecord("lonely", {**LONELY, "town": "Xanaduville"})])
        assert client.delete("/v1/records/lonely").json()["deleted"] == 1
        assert client.delete("/v1/records/p7").json()["deleted"] == 1
    for release in (project.stable, other, third):
        assert has(project, release, "lonely", "p7", "p8") == [False, False, True]
        stored = b"".join(f.read_bytes() for f in project.at(release).glob("gallery.db*"))
        assert b"Xanaduville" not in stored and town.encode() in stored
        assert run(["gallery", "check", "-r", release.id]) == 1, "records came past the ledger"
    assert '"p7"' not in "".join(e.text for e in ledger.entries(limit=9999))


def test_what_could_not_be_reached_is_said(
    project: Project, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing else would say that the person lies there still, and why."""
    other, third = project.put(1e-5), project.put(2e-5)
    (project.at(other) / "gallery.db").write_bytes(b"damaged" * 1000)
    named = other.space_id[:12]
    with LocalGallery.open(project.at(third)), served(project, ledger) as (client, _):
        said = client.delete("/v1/records/p7").json()["undone"]
        assert len(said) == 2 and any(one.startswith(f"{named}: ") for one in said)
        assert any("is writing to this gallery" in one for one in said)
    assert run(["gallery", "delete", "p8"]) == 0
    assert f"warning: not yet gone from gallery {named}: " in capsys.readouterr().err
    assert has(project, third, "p7", "p8") == [False, False]


def test_who_lies_in_a_damaged_row_is_erased_all_the_same(project: Project, ledger: Ledger) -> None:
    with opened(project, project.stable, ledger) as service:
        with closing(sqlite3.connect(project.at(project.stable) / "gallery.db")) as database:
            database.execute("UPDATE rows SET attributes = '{}' WHERE id = 'p7'")
            database.commit()
        assert service.delete(["p7", "p8", "nobody"]).deleted == 2
    assert has(project, project.stable, "p7", "p8", "p9") == [False, False, True]


def test_a_gallery_that_a_rollout_left_open_is_reached(project: Project, ledger: Ledger) -> None:
    """A canary that was rolled back: its gallery belongs to the service still, and is no twin."""
    other = project.put(1e-5)
    with served(project, ledger) as (client, follower):
        assert follower.pilot is not None
        body = {"action": "start", "release": other.id, "steps": []}
        client.post("/v1/rollout", json=body).raise_for_status()
        follower.pilot.check()
        client.post("/v1/rollout", json={"action": "abort"}).raise_for_status()
        follower.pilot.check()
        client.delete("/v1/records/p7").raise_for_status()
        client.post("/v1/records", json={"records": [{"id": "new", "payload": LONELY}]})
        with pytest.raises(GateFailed, match=r"1 of 200 records \('new'\) is not in the gallery"):
            gates.promote(project.store, other.id, enrolled=project.desk.enrolled, **WHO)
        assert has(project, other, "p7") == [False]


KILLED = """
import os, signal, sys
import gemel
from gemel.gallery.local.gallery import LocalGallery
from gemel.ledger.ledger import Ledger
from gemel.serve.galleries import erasing

where, release, gallery, ledger = sys.argv[1:]
release = gemel.Release.open(release)
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
if where == "before any":
    LocalGallery.delete = lambda self, ids: die() if ids else 0
else:
    erasing.reach_others = die
with LocalGallery.open(gallery) as gallery, Ledger.open(ledger) as ledger:
    gemel.Service(release, gallery, ledger).delete(["p7", "p9"])
"""


@pytest.mark.parametrize("finish", ["promote", "search", "serve", "delete another"])
@pytest.mark.parametrize("where", ["before any", "between two"])
def test_what_a_killed_process_left_is_done_at_the_next_opening(
    project: Project, ledger: Ledger, where: str, finish: str
) -> None:
    other = project.put(1e-5)
    words = [where, project.stable.folder, project.at(project.stable), ledger.path]
    command = [sys.executable, "-c", KILLED, *map(str, words)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert has(project, other, "p7", "p9") == [True, True], "it was killed before"
    assert has(project, project.stable, "p7") == [where == "before any"]
    if finish == "promote":
        run(["release", "promote", other.id, "--force", "--reason", "x"])
    elif finish == "search":
        assert run(["gallery", "search", json.dumps(PEOPLE[7]), "-r", other.id]) == 0
    elif finish == "serve":
        project.store.point("stable", other.id, **WHO)
        with served(project, ledger) as (client, _):
            assert client.get("/v1/records/p7").status_code == 404
    else:
        assert run(["gallery", "delete", "p11"]) == 0
        assert has(project, project.stable, "p7", "p9", "p11") == [False] * 3
    assert has(project, other, "p7", "p9", "p10") == [False, False, True]


def test_who_is_enrolled_again_stays(project: Project, ledger: Ledger) -> None:
    other = project.put(1e-5)
    with served(project, ledger) as (client, _):
        client.delete("/v1/records/p7").raise_for_status()
        client.post("/v1/records", json={"records": [{"id": "p7", "payload": PEOPLE[7]}]})
    with opened(project, other, ledger) as service:
        service.enroll([NewRecord("p7", PEOPLE[7])])
    for _ in range(2):
        for release in (project.stable, other):
            erasing.reach_before_opening(project.at(release), ledger.path)
            assert has(project, release, "p7") == [True]
        with opened(project, other, ledger) as service:
            service.delete(["p8"])


def test_who_is_enrolled_again_as_before_while_it_was_still_there_stays(
    project: Project, ledger: Ledger
) -> None:
    """A delete that another process noted is carried out first: then the record is a new one."""
    said = changes.deleted(ledger.masks, "of another", 1, ["p7"])
    ledger.append_all_durable(changes.DELETE, said)
    with opened(project, project.stable, ledger) as service:
        done = service.enroll([NewRecord("p7", PEOPLE[7], PEOPLE[7])])
        assert (done.added, done.unchanged) == (1, 0)
    erasing.reach_before_opening(project.at(project.stable), ledger.path)
    assert has(project, project.stable, "p7") == [True]


def test_deletes_of_an_older_version_count(project: Project, ledger: Ledger) -> None:
    """It took records out of the live gallery alone."""
    other = project.put(1e-5)
    with LocalGallery.open(project.at(project.stable)) as gallery:
        gallery.delete(["p7"])
        said = changes.deleted(ledger.masks, gallery.space_id, 1, ["p7"])
        ledger.append_all_durable(changes.DELETE, said)
    assert run(["gallery", "stats", "-r", other.id]) == 0
    assert has(project, other, "p7", "p8") == [False, True]


def test_what_another_process_deletes_goes_from_a_service_that_runs(
    project: Project, ledger: Ledger
) -> None:
    other = project.put(1e-5)
    with served(project, ledger) as (client, follower):
        assert run(["gallery", "delete", "p7", "-r", other.id]) == 0
        follower.check()
        assert client.get("/v1/records/p7").status_code == 404
        assert client.get("/v1/records/p8").status_code == 200


def test_a_gallery_from_a_copy_forgets_who_was_erased_since(
    project: Project, ledger: Ledger, tmp_path: Path
) -> None:
    with opened(project, project.stable, ledger) as service:
        service.delete(["p1"])
    shutil.copytree(project.at(project.stable), tmp_path / "copy")
    with opened(project, project.stable, ledger) as service:
        service.delete(["p7"])
    shutil.rmtree(project.at(project.stable))
    shutil.copytree(tmp_path / "copy", project.at(project.stable))
    assert has(project, project.stable, "p7") == [True]
    assert run(["gallery", "stats"]) == 0
    assert has(project, project.stable, "p1", "p7", "p8") == [False, False, True]


def test_a_rollback_brings_nobody_back_and_loses_nobody(
    project: Project, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    other = project.put(1e-5)
    project.store.point("stable", other.id, **WHO)
    with opened(project, other, ledger) as service:
        service.delete(["p7"])
        service.enroll([NewRecord("new", LONELY)])
    assert run(["release", "rollback", "--dry-run"]) == 3
    assert "or go back all the same, without them: --force" in capsys.readouterr().err
    assert run(["release", "rollback", "--dry-run", "--force"]) == 0
    assert "would take stable back" in capsys.readouterr().err
    assert run(["release", "rollback"]) == 3
    said = capsys.readouterr().err
    assert "1 of 200 records ('new') is not in the gallery of its space" in said
    assert f"gemel gallery enroll FILE -r {project.stable.short_id}" in said
    assert "go back all the same, without them: --force" in said
    assert project.store.pointer("stable") == other.id
    assert run(["release", "rollback", "--force"]) == 0
    assert project.store.pointer("stable") == project.stable.id
    assert has(project, project.stable, "p7", "new") == [False, False]


def test_enrolling_a_file_with_somebody_who_was_deleted_says_so(
    project: Project, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    other = project.put(1e-5)
    with opened(project, project.stable, ledger) as service:
        service.delete(["p7"])
    file = Path("again.csv")
    fields = list(PEOPLE[0])
    rows = [",".join(["id", "country", *fields])]
    rows += [
        ",".join([f"p{i}", "sud", *(str(PEOPLE[i][f] or "") for f in fields)]) for i in (6, 7, 8)
    ]
    file.write_text("\n".join(rows))
    assert run(["gallery", "enroll", str(file), "--id", "id", "-r", other.id]) == 0
    assert "1 record was deleted before and is enrolled again: 'p7'" in capsys.readouterr().err
    assert has(project, other, "p7") == [True]


def test_of_a_tenant_its_own_galleries_are_reached_and_no_others(project: Project) -> None:
    other, of = project.put(1e-5), project.folder / "state" / "tenants" / "acme"
    for release in (project.stable, other):
        shutil.copytree(project.at(release), of / "gallery" / release.space_id[:12])
    assert run(["gallery", "delete", "p7", "--set", "store.tenant=acme"]) == 0
    for release in (project.stable, other):
        assert has(project, release, "p7") == [True]
        assert "p7" not in RecordIds(of / "gallery" / release.space_id[:12])
