"""SQLite files as all of gemel opens them: durable on return, one writer, errors in words.

Knows neither the tables nor what they mean. A commit survives a power cut (`synchronous=FULL` in
WAL mode); a write takes its place with `BEGIN IMMEDIATE`, so it sees what the one before it left.
What is written into a file that has lost its name is gone with the process, so nothing is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from gemel.errors import GemelError

BUSY_SECONDS = 30
DURABLE = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "fullfsync=ON",  # macOS: through the disk's own cache too
    "secure_delete=FAST",
    f"journal_size_limit={64 << 20}",
)
HINTS = (
    ("full", "free some space; nothing of this change was stored"),
    ("disk I/O", "look at free space and at the disk; nothing of this change was stored"),
    ("readonly", "make the directory writable, or open it read-only"),
    ("unable to open", "look at the permissions of the directory"),
    ("not a database", "restore it from a copy, or delete it and begin anew"),
    ("malformed", "restore it from a copy, or delete it and begin anew"),
    ("no such table", "something else made this file"),
    ("locked", "another program holds the database; close it there"),
)
FULL = "the disk is full"
GONE = "the file was deleted or replaced while it was open"
LOST = (
    "stop what uses it, restore it from a copy and start again: what is written now would be lost"
)
Files = tuple[int | None, int | None]
"""Which file on disk has the name of the database, and which that of its write-ahead log."""


@dataclass(frozen=True)
class Kind:
    """A kind of database.

    Attributes:
        tables: made in a new file, with what listens to their creation.
        error: raised when the disk, a lock or the file is at fault.
        refused: raised when the rows of a change are.
        full: raised when the disk is full; `error` if left out.
        lost: raised when the open file is no longer the one of its name; `error` if left out.
        schema: number that the file carries (`user_version`); another one is refused.
        upgrades: statement that makes the schema of a number the next one; a file of such a
            number is brought up to date by a writer, and read as it is by a reader.
    """

    tables: sa.MetaData
    error: type[GemelError]
    refused: type[GemelError]
    full: type[GemelError] | None = None
    lost: type[GemelError] | None = None
    schema: int = 0
    upgrades: Mapping[int, str] = field(default_factory=dict)


class Database:
    """One file of a kind.

    Args:
        path: the file; its folder exists.
        kind: what it must be.
        write: open for changes, and make what is not there; else the file must exist.

    Raises:
        GemelError: of the kind; the file cannot be opened, or is of another schema.
    """

    def __init__(self, path: Path, kind: Kind, *, write: bool) -> None:
        self.path, self._kind, self._write = path, kind, write
        self.schema = kind.schema
        self._n_open, self._files = 0, _named(path)
        timeout = {"timeout": BUSY_SECONDS}
        self._engine = sa.create_engine(_url(path, write), connect_args=timeout)
        sa.event.listen(self._engine, "connect", self._prepare)
        sa.event.listen(self._engine, "close", self._closed)
        sa.event.listen(self._engine, "begin", _begin)
        if write:
            self._files = None, None  # until they have been made
            with self.transaction(write=True) as connection:
                self._make(connection)
            self._files = _named(path)

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[sa.Connection]:
        """A connection that sees one moment; a write keeps other writers out and is kept whole."""
        try:
            with self._engine.connect() as connection:
                connection.execution_options(begin="IMMEDIATE" if write else "DEFERRED")
                with connection.begin():
                    if write:
                        self._check()
                    yield connection
            if write:
                self._check()
        except sa.exc.DBAPIError as e:
            # These two are about the disk, a lock or the file; others, below them, about the rows.
            is_file = type(e) in (sa.exc.OperationalError, sa.exc.DatabaseError)
            found = self._kind.error if is_file else self._kind.refused
            if is_file and self._kind.full is not None and self._is_full(e):
                found = self._kind.full
            raise found(
                f"the database says: {e.orig}",
                where=str(self.path),
                hint=next((hint for sign, hint in HINTS if sign in str(e.orig)), ""),
            ) from e

    def _is_full(self, error: sa.exc.DBAPIError) -> bool:
        return "is full" in str(error.orig) or self.problem() == FULL

    def problem(self) -> str | None:
        """Why nothing can be written, as far as that shows without writing; None if nothing shows.

        The file was deleted or replaced, the disk is full or has become read-only.
        """
        if self._is_lost():
            return GONE
        try:
            disk = os.statvfs(self.path.parent)
        except OSError as e:
            return f"the folder cannot be read: {e.strerror}"
        if disk.f_flag & os.ST_RDONLY:
            return "the disk is read-only"
        n_free = disk.f_bavail if os.geteuid() else disk.f_bfree
        return FULL if disk.f_blocks and not n_free else None

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> None:
        """Raise unless the open file and its log still have their names."""
        if self._is_lost():
            raise (self._kind.lost or self._kind.error)(GONE, where=str(self.path), hint=LOST)

    def _is_lost(self) -> bool:
        now = _named(self.path)
        if self._files[1] is None:
            self._files = self._files[0], now[1]
        return any(mine not in (None, its) for mine, its in zip(self._files, now, strict=True))

    def _make(self, connection: sa.Connection) -> None:
        """Make what is not there, and bring an older file up to date."""
        driver, kind = connection.connection, self._kind
        version = _number(driver, "user_version")
        if not _number(driver, "schema_version"):  # it is new
            version = kind.schema
        kind.tables.create_all(connection)
        for older in range(version, kind.schema):
            connection.exec_driver_sql(kind.upgrades[older])
        if _number(driver, "user_version") != kind.schema:
            connection.exec_driver_sql(f"PRAGMA user_version={kind.schema}")

    def _closed(self, _connection: Any, _record: Any) -> None:
        self._n_open -= 1
        if not self._n_open:  # the last one to close takes the log with it
            self._files = self._files[0], None

    def _prepare(self, connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where they are asked for
        version, is_new = (
            _number(connection, "user_version"),
            not _number(connection, "schema_version"),
        )
        if not self._write:
            self.schema = version
        if not is_new and version != self._kind.schema and version not in self._kind.upgrades:
            raise self._kind.error(
                f"it is of schema {version}, this version reads {self._kind.schema}",
                where=str(self.path),
                hint="open it with the version of gemel that made it",
            )
        for pragma in DURABLE if self._write else ("query_only=ON",):
            connection.execute(f"PRAGMA {pragma}")
        self._n_open += 1


def _url(path: Path, write: bool) -> sa.URL:
    if write:
        return sa.URL.create("sqlite", database=str(path))
    query = {"mode": "ro", "uri": "true"}
    # Without its -wal file and without the right to make one, SQLite can only read a file that
    # it is told will not change.
    if not path.with_name(path.name + "-wal").exists() and not os.access(path.parent, os.W_OK):
        query = {"immutable": "1", "uri": "true"}
    return sa.URL.create("sqlite", database=path.resolve().as_uri(), query=query)


def _named(path: Path) -> Files:
    """The inodes that have the names of a database and of its log."""
    return _inode(path), _inode(path.with_name(f"{path.name}-wal"))


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _number(connection: Any, pragma: str) -> int:
    (number,) = connection.cursor().execute(f"PRAGMA {pragma}").fetchone()
    return int(number)


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options()['begin']}")
