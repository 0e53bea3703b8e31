"""The ledger's own SQLite file: entries in order, and the head of the chain.

Several processes may append: the place in the chain is taken inside a write transaction, so each
append sees the head that the one before it left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from gemel.errors import LedgerError, LedgerUnavailable, RowRefused
from gemel.ledger.chain import Entry, Head, entry_hash
from gemel.ledger.entries import Draft
from gemel.sqlite import Database, Kind

PAGE = 4096
MAX_INTEGER = 2**63 - 1

_tables = sa.MetaData()
ENTRIES = sa.Table(
    "entries",
    _tables,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("time_us", sa.Integer, nullable=False),
    sa.Column("kind", sa.String, nullable=False, index=True),
    sa.Column("text", sa.String, nullable=False),
    sa.Column("prev", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
)
INSERT = f"INSERT INTO {ENTRIES.name} ({', '.join(ENTRIES.c.keys())}) VALUES"
ROW = f"({', '.join('?' * len(ENTRIES.c))})"
HEAD = sa.Table(
    "head",
    _tables,
    sa.Column("one", sa.Integer, sa.CheckConstraint("one = 1"), primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
)

KIND = Kind(_tables, LedgerError, RowRefused, LedgerUnavailable)


class SqliteEntries:
    """The `Entries` in one file.

    Args:
        path: the file.
        write: to append, and to make it if it is not there; else it may be on a disk or in a
            folder that cannot be written.

    Raises:
        LedgerError: it cannot be opened.
    """

    def __init__(self, path: Path, *, write: bool = True) -> None:
        self.where = str(path)
        try:
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise LedgerError(
                f"cannot make the directory: {e.strerror}",
                where=str(path.parent),
                hint="choose another place, or make the one above writable",
            ) from e
        self._database = Database(path, KIND, write=write)

    def append(self, drafts: Sequence[Draft]) -> None:
        """Append all drafts in one transaction, or none; durable on return.

        Raises:
            RowRefused: one of the entries cannot be stored.
            LedgerError: the disk does not take them, or another process does not let go.
        """
        with self._database.transaction(write=True) as connection:
            head = self._head(connection)
            last = head.hash
            values: list[str | int] = []
            for seq, (record, time_us, kind, text) in enumerate(drafts, head.seq + 1):
                hashed = entry_hash(last, seq, record, time_us, kind, text)
                values += (seq, record, time_us, kind, text, last, hashed)
                last = hashed
            # One statement: with one a row, this thread lets go of the interpreter at each.
            rows = ", ".join([ROW] * len(drafts))
            connection.exec_driver_sql(f"{INSERT} {rows}", tuple(values))
            move = sa.update(HEAD) if head.seq else sa.insert(HEAD)
            connection.execute(move.values(one=1, seq=head.seq + len(drafts), hash=last))

    def problem(self) -> str | None:
        """Why the file takes no entries, as far as that shows without writing."""
        return self._database.problem()

    def head(self) -> Head:
        """The last entry, as the file says."""
        with self._database.transaction() as connection:
            return self._head(connection)

    def find(self, record: str) -> Entry | None:
        """The entry of an id."""
        with self._database.transaction() as connection:
            row = connection.execute(sa.select(ENTRIES).where(ENTRIES.c.id == record)).one_or_none()
        return None if row is None else Entry(*row)

    def starting(self, start: str) -> list[str]:
        """Up to two ids that start like that."""
        ids = sa.select(ENTRIES.c.id).where(ENTRIES.c.id.startswith(start, autoescape=True))
        with self._database.transaction() as connection:
            return list(connection.scalars(ids.limit(2)))

    def some(self, after: int, kind: str | None, limit: int) -> list[Entry]:
        """Up to `limit` entries behind a number, in order."""
        after, limit = min(after, MAX_INTEGER), min(limit, MAX_INTEGER)
        question = sa.select(ENTRIES).where(ENTRIES.c.seq > after).order_by(ENTRIES.c.seq)
        if kind is not None:
            question = question.where(ENTRIES.c.kind == kind)
        with self._database.transaction() as connection:
            return [Entry(*row) for row in connection.execute(question.limit(limit))]

    @contextmanager
    def all(self) -> Iterator[tuple[Iterator[Entry], Head]]:
        """Every entry in order, and the head, as of one moment."""
        with self._database.transaction() as connection:
            head = self._head(connection)
            found = connection.execute(
                sa.select(ENTRIES).order_by(ENTRIES.c.seq).execution_options(yield_per=PAGE)
            )
            yield (Entry(*row) for row in found), head

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def _head(self, connection: sa.Connection) -> Head:
        row = connection.execute(sa.select(HEAD.c.seq, HEAD.c.hash)).one_or_none()
        return Head() if row is None else Head(row.seq, row.hash)
