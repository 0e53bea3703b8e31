"""SQLite files as all of gemel opens them: durable on return, one writer, errors in words.

Knows neither the tables nor what they mean. A commit survives a power cut (`synchronous=FULL` in
WAL mode); a write takes its place with `BEGIN IMMEDIATE`, so it sees what the one before it left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Kind:
    """A kind of database.

    Attributes:
        tables: made in a new file, with what listens to their creation.
        error: raised when the disk, a lock or the file is at fault.
        refused: raised when the rows of a change are.
        schema: number that the file carries (`user_version`); another one is refused.
    """

    tables: sa.MetaData
    error: type[GemelError]
    refused: type[GemelError]
    schema: int = 0


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
        timeout = {"timeout": BUSY_SECONDS}
        self._engine = sa.create_engine(_url(path, write), connect_args=timeout)
        sa.event.listen(self._engine, "connect", self._prepare)
        sa.event.listen(self._engine, "begin", _begin)
        if write:
            with self.transaction(write=True) as connection:
                kind.tables.create_all(connection)
                if _number(connection.connection, "user_version") != kind.schema:  # it is new
                    connection.exec_driver_sql(f"PRAGMA user_version={kind.schema}")

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[sa.Connection]:
        """A connection that sees one moment; a write keeps other writers out and is kept whole."""
        try:
            with self._engine.connect() as connection:
                connection.execution_options(begin="IMMEDIATE" if write else "DEFERRED")
                with connection.begin():
                    yield connection
        except sa.exc.DBAPIError as e:
            # These two are about the disk, a lock or the file; others, below them, about the rows.
            is_file = type(e) in (sa.exc.OperationalError, sa.exc.DatabaseError)
            raise (self._kind.error if is_file else self._kind.refused)(
                f"the database says: {e.orig}",
                where=str(self.path),
                hint=next((hint for sign, hint in HINTS if sign in str(e.orig)), ""),
            ) from e

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self, connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where they are asked for
        version, is_new = (
            _number(connection, "user_version"),
            not _number(connection, "schema_version"),
        )
        if version != self._kind.schema and not is_new:
            raise self._kind.error(
                f"it is of schema {version}, this version reads {self._kind.schema}",
                where=str(self.path),
                hint="open it with the version of gemel that made it",
            )
        for pragma in DURABLE if self._write else ("query_only=ON",):
            connection.execute(f"PRAGMA {pragma}")


def _url(path: Path, write: bool) -> sa.URL:
    if write:
        return sa.URL.create("sqlite", database=str(path))
    query = {"mode": "ro", "uri": "true"}
    # Without its -wal file and without the right to make one, SQLite can only read a file that
    # it is told will not change.
    if not path.with_name(path.name + "-wal").exists() and not os.access(path.parent, os.W_OK):
        query = {"immutable": "1", "uri": "true"}
    return sa.URL.create("sqlite", database=path.resolve().as_uri(), query=query)


def _number(connection: Any, pragma: str) -> int:
    (number,) = connection.cursor().execute(f"PRAGMA {pragma}").fetchone()
    return int(number)


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options()['begin']}")
