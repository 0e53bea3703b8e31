"""What all databases share: durable, told apart by schema, readable without being changed."""

import sqlite3
from pathlib import Path

import pytest

from gemel.errors import GalleryError, LedgerError
from gemel.sqlite import Database, Kind

TABLES = ["CREATE TABLE IF NOT EXISTS things (name TEXT NOT NULL PRIMARY KEY)"]
INSERT, SELECT = "INSERT INTO things (name) VALUES (?)", "SELECT name FROM things"
KIND = Kind(TABLES, GalleryError, LedgerError, schema=3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    with Database(path, KIND, write=True) as db, db.transaction(write=True) as c:
        c.execute(INSERT, ("one",))
    return path


def test_a_write_is_kept_whole_or_not_at_all(path: Path) -> None:
    with Database(path, KIND, write=True) as db:
        with pytest.raises(ValueError, match="stop"), db.transaction(write=True) as c:
            c.execute(INSERT, ("two",))
            raise ValueError("stop")
        with db.transaction() as c:
            assert c.execute(SELECT).fetchall() == [("one",)]


def test_the_fault_of_a_row_and_that_of_the_file_are_told_apart(path: Path) -> None:
    with (
        Database(path, KIND, write=True) as db,
        pytest.raises(LedgerError, match="UNIQUE"),
        db.transaction(write=True) as c,
    ):
        c.execute(INSERT, ("one",))
    path.write_bytes(b"something else, long enough to be read" * 100)
    with pytest.raises(GalleryError, match="not a database") as caught:
        Database(path, KIND, write=True)
    assert (caught.value.where, "restore" in caught.value.hint) == (str(path), True)


def test_another_schema_is_refused_to_readers_and_writers(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 4")
    for write in (True, False):
        with (
            pytest.raises(GalleryError, match="schema 4, this version reads 3"),
            Database(path, KIND, write=write) as found,
            found.transaction(),
        ):
            pass


def test_a_reader_changes_nothing(path: Path) -> None:
    with Database(path, KIND, write=False) as db:
        with pytest.raises(GalleryError, match="readonly"), db.transaction() as c:
            c.execute(INSERT, ("two",))
        with db.transaction() as c:
            assert c.execute(SELECT).fetchall() == [("one",)]


NEXT = Kind(
    ["CREATE TABLE IF NOT EXISTS things (name TEXT NOT NULL PRIMARY KEY, size INTEGER)"],
    GalleryError,
    LedgerError,
    schema=4,
    upgrades={3: "ALTER TABLE things ADD COLUMN size INTEGER"},
)


def test_a_file_made_before_is_read_as_it_is_and_brought_up_to_date_by_a_writer(path: Path) -> None:
    with Database(path, NEXT, write=False) as db, db.transaction() as c:
        assert c.execute(SELECT).fetchall() == [("one",)]
        assert db.schema == 3
    for _ in range(2):
        with Database(path, NEXT, write=True) as db, db.transaction() as c:
            assert c.execute("SELECT name, size FROM things").fetchall() == [("one", None)]
    with pytest.raises(GalleryError, match="schema 4, this version reads 3"):
        Database(path, KIND, write=True)


@pytest.mark.parametrize("ending", ["", "-wal"])
@pytest.mark.parametrize("replaced", [True, False])
def test_nothing_is_written_into_a_file_that_lost_its_name(
    path: Path, ending: str, replaced: bool
) -> None:
    with Database(path, KIND, write=True) as db:
        for name in ("two", "three"):
            with db.transaction(write=True) as c:
                c.execute(INSERT, (name,))
        assert db.problem() is None
        named = path.with_name(path.name + ending)
        content = named.read_bytes()
        named.rename(path.with_name("elsewhere"))
        if replaced:
            named.write_bytes(content)
        assert "deleted or replaced" in str(db.problem())
        with (
            pytest.raises(GalleryError, match="deleted or replaced"),
            db.transaction(write=True) as c,
        ):
            c.execute(INSERT, ("four",))


def test_a_database_that_is_opened_again_and_again_is_not_taken_for_another(path: Path) -> None:
    with Database(path, KIND, write=True) as db:
        for name in ("two", "three"):
            with db.transaction(write=True) as c:
                c.execute(INSERT, (name,))
            db.close()  # the last connection takes the log with it
            assert db.problem() is None
