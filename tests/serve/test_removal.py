"""Releases that nothing needs go; the others stay, and it is said what needs them."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.serve.rollout.kept import Project, opened_project

import gemel
from gemel.cli.main import run
from gemel.errors import NotFound, ReleaseError
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
from gemel.serve.rollout.desk import Wish

project = pytest.fixture(opened_project)


def remove(project: Project, *names: str, **more: Any) -> list[str]:
    enrolled = project.desk.enrolled
    return list(gemel.remove_releases(project.store, names, actor="ann", enrolled=enrolled, **more))


def point(project: Project, release: Release) -> None:
    project.store.point("stable", release.id, actor="ann", reason="test")


def test_what_nothing_needs_goes_and_stands_in_the_ledger(project: Project) -> None:
    one, two = project.put(1e-5, enrolled=False), project.put(2e-5, enrolled=False)
    at = {i: project.store.shelf.folder / i for i in (one.id, two.id)}
    assert remove(project, one.short_id, two.id, one.id, dry_run=True) == [one.id, two.id]
    assert all(folder.is_dir() for folder in at.values())
    assert remove(project, one.short_id, two.id) == [one.id, two.id]
    assert not any(folder.exists() for folder in at.values())
    assert not list(project.store.shelf.folder.glob(".*")), "nothing is left of them"
    with pytest.raises(NotFound):
        project.store.get(one.id)
    with Ledger.open(project.folder / "state/ledger.db", write=False) as ledger:
        noted = [e.body for e in ledger.entries(kind="release.remove")]
    assert [(n["release"], n["actor"]) for n in noted] == [(one.id, "ann"), (two.id, "ann")]
    assert project.store.put(project.folder / "noise1e-05").id == one.id, "it may come back"


def test_what_is_needed_stays_and_so_do_those_named_with_it(project: Project) -> None:
    before, live, free = project.stable, project.put(1e-5), project.put(2e-5, enrolled=False)
    point(project, live)
    for name, says in (
        ("stable", f"stable points at release {live.short_id}"),
        (before.id, f"a rollback would go to release {before.short_id}"),
    ):
        for more in ({}, {"dry_run": True}):
            with pytest.raises(ReleaseError, match=says) as caught:
                remove(project, free.id, name, **more)
            assert caught.value.hint
    with pytest.raises(NotFound):
        remove(project, free.id, "abcd")
    assert {before.id, live.id, free.id} <= set(project.store.shelf.ids())


def test_the_last_release_of_a_gallery_stays_while_records_are_in_it(project: Project) -> None:
    alone = project.put(1e-5)
    with pytest.raises(ReleaseError, match=f"records are enrolled with release {alone.short_id}"):
        remove(project, alone.id)
    policy = alone.policy
    child = project.store.put(alone.child(into=project.folder / "child", policy=policy).folder)
    with pytest.raises(ReleaseError, match="only"):
        remove(project, alone.id, child.id)
    assert remove(project, alone.id) == [alone.id], "the other one has the space"
    shutil.rmtree(project.at(child))
    assert remove(project, child.id) == [child.id]


def test_what_a_rollout_compares_stays_until_it_has_ended(project: Project) -> None:
    candidate = project.put(1e-5)
    shutil.rmtree(project.at(project.put(2e-5)))
    project.desk.start(Wish(release=candidate.id), actor="ann")
    other = next(i for i in project.store.shelf.ids() if i not in (candidate.id, project.stable.id))
    project.store.point("canary", other, actor="ann", reason="something else")
    shutil.rmtree(project.at(candidate))
    with pytest.raises(ReleaseError, match=r"^rollout \w+ compares release"):
        remove(project, candidate.id)
    project.desk.abort(actor="ann")
    assert remove(project, candidate.id) == [candidate.id]


def test_nobody_points_at_a_release_while_it_goes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = project.put(1e-5, enrolled=False)
    get, said = project.store.get, []
    seen, gone = threading.Event(), threading.Event()

    def slow(reference: str, **how: Any) -> Release:
        found = get(reference, **how)
        seen.set()
        assert gone.wait(30)
        return found

    def points() -> None:
        try:
            project.store.point("canary", free.id, actor="bob", reason="test")
        except NotFound as error:
            said.append(error)

    with monkeypatch.context() as patched:
        patched.setattr(project.store, "get", slow)
        thread = threading.Thread(target=points)
        thread.start()
        assert seen.wait(30)
        patched.undo()
        remove(project, free.id)
        gone.set()
        thread.join()
    assert said and project.store.pointer("canary") is None


def test_on_the_command_line(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = project.put(1e-5, enrolled=False)
    monkeypatch.chdir(project.folder)
    words = ["release", "remove", free.short_id]
    for more, says in ((["--dry-run"], "would remove 1 release"), ([], "removed 1 release")):
        assert free.id in project.store.shelf.ids()
        assert run([*words, *more]) == 0
        assert f"{says}: {free.short_id}" in capsys.readouterr().err
    assert run(words) == 1 and "no release" in capsys.readouterr().err
    assert run(["release", "remove", "stable"]) == 1
    assert "stable points at" in capsys.readouterr().err
    assert run(["release", "remove"]) == 2
    assert Path(project.folder / "state" / "gallery").is_dir()
    assert run(["ledger", "verify"]) == 0, "moves are still those of the history"
