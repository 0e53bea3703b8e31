from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gemel.errors import DigestMismatch, NotFound, PointerMoved, ReleaseError
from gemel.release.moves import Decide, Move, Note
from gemel.release.release import Release
from gemel.release.store import Store

WHO = {"actor": "ann", "reason": "because"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def three(
    store: Store, release: Release, stricter: Release, other_release: Release
) -> tuple[str, str, str]:
    """Ids of three releases on the shelf."""
    one, two, three = (store.put(r.folder).id for r in (release, stricter, other_release))
    return one, two, three


def test_an_empty_store_reads_as_empty_and_makes_no_files(store: Store) -> None:
    assert list(store.list()) == []
    assert store.pointers() == {"stable": None, "canary": None, "shadow": None}
    assert list(store.history()) == []
    assert not store.path.exists()


def test_put_copies_and_is_idempotent(store: Store, release: Release) -> None:
    first = store.put(release.folder)
    again = store.put(release.folder)
    assert first.id == again.id == release.id
    assert first.folder == again.folder != release.folder
    assert [m.id for m in store.list()] == [release.id]


def test_put_refuses_a_damaged_release_and_leaves_nothing(
    store: Store, release: Release, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(release.folder, damaged)
    (damaged / "policy.json").chmod(0o644)
    (damaged / "policy.json").write_text("{}")
    with pytest.raises(DigestMismatch):
        store.put(damaged)
    assert list(store.list()) == []


def test_get_by_id_prefix_and_pointer(store: Store, three: tuple[str, str, str]) -> None:
    store.point("stable", three[1], **WHO)
    assert store.get(three[0]).id == three[0]
    assert store.get(three[0][:8]).id == three[0]
    assert store.get("stable").id == three[1]


def test_unknown_names_come_with_near_matches(store: Store, three: tuple[str, str, str]) -> None:
    wrong = three[0][:10] + ("0" if three[0][10] != "0" else "1") + three[0][11]
    with pytest.raises(NotFound) as caught:
        store.get(wrong)
    assert three[0][:12] in caught.value.hint
    with pytest.raises(NotFound) as caught:
        store.get("stabel")
    assert "stable" in caught.value.hint
    with pytest.raises(NotFound, match="points at no release"):
        store.get("canary")
    with pytest.raises(NotFound) as caught:
        store.get(three[0][:3])
    assert "4 digits" in caught.value.hint


def test_a_damaged_release_on_the_shelf_is_refused(
    store: Store, three: tuple[str, str, str]
) -> None:
    path = store.shelf.folder / three[0] / "gold.npz"
    path.chmod(0o644)
    path.write_bytes(b"no")
    with pytest.raises(DigestMismatch, match="content has digest"):
        store.get(three[0])
    with pytest.raises(DigestMismatch):
        store.point("stable", three[0], **WHO)
    assert store.pointer("stable") is None


def test_a_release_under_a_wrong_name_is_refused(store: Store, three: tuple[str, str, str]) -> None:
    shutil.rmtree(store.shelf.folder / three[0])
    shutil.copytree(store.shelf.folder / three[1], store.shelf.folder / three[0])
    with pytest.raises(DigestMismatch, match="holds release"):
        store.get(three[0])


def test_compare_and_set(store: Store, three: tuple[str, str, str]) -> None:
    one, two, _ = three
    store.point("stable", one, expected=None, **WHO)
    with pytest.raises(PointerMoved, match="expected nothing"):
        store.point("stable", two, expected=None, **WHO)
    with pytest.raises(PointerMoved, match=f"points at {one[:12]}, expected {two[:12]}"):
        store.point("stable", two, expected=two, **WHO)
    move = store.point("stable", two, expected=one, actor="bob", reason="better")
    assert (move.previous, move.release_id, move.actor, move.reason) == (one, two, "bob", "better")
    assert store.pointer("stable") == two


def test_pointing_where_it_points_adds_no_history(
    store: Store, three: tuple[str, str, str]
) -> None:
    first = store.point("stable", three[0], **WHO)
    assert store.point("stable", three[0], actor="bob", reason="again") == first
    assert len(store.history("stable")) == 1


def test_rollbacks_go_further_back_each_time(store: Store, three: tuple[str, str, str]) -> None:
    one, two, last = three
    for i in three:
        store.point("stable", i, **WHO)
    assert store.rollback("stable", **WHO).release_id == two
    assert store.rollback("stable", **WHO).release_id == one
    with pytest.raises(NotFound, match="no earlier release"):
        store.rollback("stable", **WHO)
    store.point("stable", last, **WHO)
    assert store.rollback("stable", expected=last, **WHO).release_id == one
    assert [m.action for m in store.history("stable")] == [
        *["point"] * 3,
        *["rollback"] * 2,
        "point",
        "rollback",
    ]


def test_a_pointer_can_point_nowhere_and_come_back(
    store: Store, three: tuple[str, str, str]
) -> None:
    store.point("canary", three[0], **WHO)
    store.point("canary", None, **WHO)
    assert store.pointer("canary") is None
    assert store.rollback("canary", **WHO).release_id == three[0]
    assert store.pointer("stable") is None


def test_history_cannot_be_rewritten(store: Store, three: tuple[str, str, str]) -> None:
    store.point("stable", three[0], **WHO)
    with sqlite3.connect(store.path / "store.db") as db:
        for statement in ("UPDATE pointer_moves SET actor = 'eve'", "DELETE FROM pointer_moves"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)
    db.close()
    assert store.history("stable")[0].actor == "ann"


def test_unknown_pointer_names_are_refused(store: Store, three: tuple[str, str, str]) -> None:
    with pytest.raises(NotFound, match="no pointer 'canery'") as caught:
        store.point("canery", three[0], **WHO)
    assert caught.value.hint == "did you mean 'canary'?"


def test_of_many_threads_exactly_one_wins(store: Store, three: tuple[str, str, str]) -> None:
    one, two, last = three
    store.point("stable", one, **WHO)
    start = threading.Barrier(8)
    won: list[int] = []

    def race(i: int) -> None:
        mine = Store(store.path)
        start.wait()
        try:
            mine.point("stable", (two, last)[i % 2], expected=one, actor=str(i), reason="race")
            won.append(i)
        except ReleaseError as e:
            assert "expected" in str(e)

    threads = [threading.Thread(target=race, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(won) == 1
    assert len(store.history("stable")) == 2
    assert store.history("stable")[-1].actor == str(won[0])


RACE = """
import sys
from gemel.errors import ReleaseError
from gemel.release.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    store.point("stable", sys.argv[2], expected=None, actor=sys.argv[3], reason="race")
    print("won")
except ReleaseError:
    print("lost")
"""


def test_of_many_processes_exactly_one_wins_even_the_first_move(
    store: Store, three: tuple[str, str, str]
) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(store.path), three[i % 3], str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(4)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = [racer.communicate()[0].strip() for racer in racers]
    assert sorted(answers) == ["lost", "lost", "lost", "won"]
    assert len(store.history("stable")) == 1


# Kills itself after so many of the file operations that put() makes.
KILLED_PUT = """
import os, pathlib, shutil, signal, sys
from gemel.release.store import Store
left = int(sys.argv[3])

def counted(f):
    def g(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return f(*args, **kwargs)
    return g

os.fsync = counted(os.fsync)
shutil.copyfile = counted(shutil.copyfile)
pathlib.Path.rename = counted(pathlib.Path.rename)
Store(sys.argv[1]).put(sys.argv[2])
"""


def test_kill_in_the_middle_of_put_leaves_no_half_release(store: Store, release: Release) -> None:
    seen = set()
    for moment in (1, 4, 9, 14, 19, 22, 23):
        code = subprocess.run(
            [sys.executable, "-c", KILLED_PUT, str(store.path), str(release.folder), str(moment)],
            check=False,
        ).returncode
        assert code == -signal.SIGKILL
        found = [m.id for m in store.list()]
        seen.add(len(found))
        for i in found:
            assert store.get(i).id == release.id
            shutil.rmtree(store.shelf.folder / i)
    store.put(release.folder)
    assert [p.name for p in store.shelf.folder.iterdir()] == [release.id]
    assert 0 in seen


def test_moves_may_be_kept_elsewhere(store: Store, three: tuple[str, str, str]) -> None:
    class Listed:
        def __init__(self) -> None:
            self.moves: list[Move] = []

        def last(self, pointer: str) -> Move | None:
            return next(iter(reversed(self.all(pointer))), None)

        def all(self, pointer: str | None = None) -> list[Move]:
            return [m for m in self.moves if pointer in (None, m.pointer)]

        def change(self, pointer: str, decide: Decide, note: Note) -> Move:
            move = decide(self.all(pointer))
            if move is not None:
                self.moves.append(replace(move, seq=len(self.moves) + 1))
                note(self.moves[-1])
            return self.moves[-1]

    elsewhere = Store(store.path, moves=Listed())
    for release in three[:2]:
        elsewhere.point("stable", release, actor="ann", reason="")
    assert elsewhere.rollback(actor="ann", reason="worse").release_id == three[0]
    assert [m.action for m in elsewhere.history()] == ["point", "point", "rollback"]
    with pytest.raises(PointerMoved):
        elsewhere.point("stable", three[2], actor="bob", reason="", expected=three[1])
    assert elsewhere.pointer("stable") == three[0]
    assert not (store.path / "store.db").exists()


def test_a_store_of_a_newer_schema_is_refused(store: Store, three: tuple[str, str, str]) -> None:
    store.point("stable", three[0], **WHO)
    db = sqlite3.connect(store.path / "store.db")
    db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(ReleaseError, match="schema 2"):
        store.pointer("stable")
