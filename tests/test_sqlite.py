"""What all databases share: durable, told apart by schema, readable without being changed."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from gemel.errors import GalleryError, LedgerError
from gemel.sqlite import Database, Kind

TABLES = sa.MetaData()
THINGS = sa.Table("things", TABLES, sa.Column("name", sa.String, primary_key=True))
KIND = Kind(TABLES, GalleryError, LedgerError, schema=3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    with Database(path, KIND, write=True) as db, db.transaction(write=True) as c:
        c.execute(sa.insert(THINGS).values(name="one"))
    return path


def test_a_write_is_kept_whole_or_not_at_all(path: Path) -> None:
    with Database(path, KIND, write=True) as db:
        with pytest.raises(ValueError, match="stop"), db.transaction(write=True) as c:
            c.execute(sa.insert(THINGS).values(name="two"))
            raise ValueError("stop")
        with db.transaction() as c:
            assert c.scalars(sa.select(THINGS)).all() == ["one"]


def test_the_fault_of_a_row_and_that_of_the_file_are_told_apart(path: Path) -> None:
    with (
        Database(path, KIND, write=True) as db,
        pytest.raises(LedgerError, match="UNIQUE"),
        db.transaction(write=True) as c,
    ):
        c.execute(sa.insert(THINGS).values(name="one"))
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
            c.execute(sa.insert(THINGS).values(name="two"))
        with db.transaction() as c:
            assert c.scalars(sa.select(THINGS)).all() == ["one"]


UPGRADED = sa.MetaData()
sa.Table(
    "things",
    UPGRADED,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("size", sa.Integer),
)
NEXT = Kind(
    UPGRADED,
    GalleryError,
    LedgerError,
    schema=4,
    upgrades={3: "ALTER TABLE things ADD COLUMN size INTEGER"},
)


def test_a_file_made_before_is_read_as_it_is_and_brought_up_to_date_by_a_writer(path: Path) -> None:
    with Database(path, NEXT, write=False) as db, db.transaction() as c:
        assert c.scalars(sa.select(THINGS.c.name)).all() == ["one"]
        assert db.schema == 3
    for _ in range(2):
        with Database(path, NEXT, write=True) as db, db.transaction() as c:
            assert c.exec_driver_sql("SELECT name, size FROM things").all() == [("one", None)]
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
                c.execute(sa.insert(THINGS).values(name=name))
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
            c.execute(sa.insert(THINGS).values(name="four"))


def test_a_database_that_is_opened_again_and_again_is_not_taken_for_another(path: Path) -> None:
    with Database(path, KIND, write=True) as db:
        for name in ("two", "three"):
            with db.transaction(write=True) as c:
                c.execute(sa.insert(THINGS).values(name=name))
            db.close()  # the last connection takes the log with it
            assert db.problem() is None
