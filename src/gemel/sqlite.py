"""SQLite files as all of gemel opens them: durable on return, one writer, errors in words.

Knows neither the tables nor what they mean. A commit survives a power cut (`synchronous=FULL` in
WAL mode); a write takes its place with `BEGIN IMMEDIATE`, so it sees what the one before it left.
What is written into a file that has lost its name is gone with the process, so nothing is.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import Connection
from typing import Self

from gemel.errors import GemelError

Cursor = sqlite3.Cursor
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
        tables: statements that make what is not there; done again whenever it is opened to write.
        error: raised when the disk, a lock or the file is at fault.
        refused: raised when the rows of a change are.
        full: raised when the disk is full; `error` if left out.
        lost: raised when the open file is no longer the one of its name; `error` if left out.
        schema: number that the file carries (`user_version`); another one is refused.
        upgrades: statement that makes the schema of a number the next one; a file of such a
            number is brought up to date by a writer, and read as it is by a reader.
    """

    tables: Sequence[str]
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
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        if write:
            self._files = None, None  # until they have been made
            with self.transaction(write=True) as cursor:
                self._make(cursor)
            self._files = _named(path)

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[Cursor]:
        """A cursor that sees one moment; a write keeps other writers out and is kept whole.

        What it gives has to be read inside, and before it is asked something else.
        """
        try:
            with self._connection() as connection, closing(connection.cursor()) as cursor:
                cursor.execute("BEGIN IMMEDIATE" if write else "BEGIN DEFERRED")
                try:
                    if write:
                        self._check()
                    yield cursor
                    cursor.execute("COMMIT")
                except BaseException:
                    connection.rollback()
                    raise
            if write:
                self._check()
        except sqlite3.Error as e:
            # These two are about the disk, a lock or the file; others, below them, about the rows.
            is_file = type(e) in (sqlite3.OperationalError, sqlite3.DatabaseError)
            found = self._kind.error if is_file else self._kind.refused
            if is_file and self._kind.full is not None and self._is_full(e):
                found = self._kind.full
            raise found(
                f"the database says: {e}",
                where=str(self.path),
                hint=next((hint for sign, hint in HINTS if sign in str(e)), ""),
            ) from e

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A connection that nobody else uses meanwhile; it is kept for the next one."""
        with self._lock:
            idle = self._idle
            connection = idle.pop() if idle else None
        connection = connection or self._connect()
        try:
            yield connection
        finally:
            with self._lock:
                is_kept = idle is self._idle and not connection.in_transaction
                if is_kept:
                    idle.append(connection)
            if not is_kept:
                self._disconnect(connection)

    def _is_full(self, error: sqlite3.Error) -> bool:
        return "is full" in str(error) or self.problem() == FULL

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
        """Close every connection; what uses one closes it when it is done."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            self._disconnect(connection)

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

    def _make(self, cursor: Cursor) -> None:
        """Make what is not there, and bring an older file up to date."""
        kind, version = self._kind, _number(cursor, "user_version")
        if not _number(cursor, "schema_version"):  # it is new
            version = kind.schema
        for statement in kind.tables:
            cursor.execute(statement)
        for older in range(version, kind.schema):
            cursor.execute(kind.upgrades[older])
        if _number(cursor, "user_version") != kind.schema:
            cursor.execute(f"PRAGMA user_version={kind.schema}")

    def _connect(self) -> Connection:
        address, is_uri = _address(self.path, self._write)
        connection = sqlite3.connect(
            address,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # transactions begin where they are asked for
            check_same_thread=False,
            uri=is_uri,
        )
        try:
            with closing(connection.cursor()) as cursor:
                self._prepare(cursor)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._n_open += 1
        return connection

    def _disconnect(self, connection: Connection) -> None:
        connection.close()
        with self._lock:
            self._n_open -= 1
            if not self._n_open:  # the last one to close takes the log with it
                self._files = self._files[0], None

    def _prepare(self, cursor: Cursor) -> None:
        version, is_new = _number(cursor, "user_version"), not _number(cursor, "schema_version")
        if not self._write:
            self.schema = version
        if not is_new and version != self._kind.schema and version not in self._kind.upgrades:
            raise self._kind.error(
                f"it is of schema {version}, this version reads {self._kind.schema}",
                where=str(self.path),
                hint="open it with the version of gemel that made it",
            )
        for pragma in DURABLE if self._write else ("query_only=ON",):
            cursor.execute(f"PRAGMA {pragma}")


def _address(path: Path, write: bool) -> tuple[str, bool]:
    """What SQLite opens, and whether it is a URI."""
    if write:
        return str(path), False
    # Without its -wal file and without the right to make one, SQLite can only read a file that
    # it is told will not change.
    is_fixed = not path.with_name(path.name + "-wal").exists() and not os.access(
        path.parent, os.W_OK
    )
    return f"{path.resolve().as_uri()}?{'immutable=1' if is_fixed else 'mode=ro'}", True


def _named(path: Path) -> Files:
    """The inodes that have the names of a database and of its log."""
    return _inode(path), _inode(path.with_name(f"{path.name}-wal"))


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _number(cursor: Cursor, pragma: str) -> int:
    (number,) = cursor.execute(f"PRAGMA {pragma}").fetchone()
    return int(number)
