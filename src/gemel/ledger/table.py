"""The ledger's own SQLite file: entries in order, and the head of the chain.

Several processes may append: the place in the chain is taken inside a write transaction, so each
append sees the head that the one before it left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gemel.errors import LedgerError, LedgerUnavailable, RowRefused
from gemel.ledger.chain import Entry, Head, entry_hash
from gemel.ledger.entries import Draft
from gemel.sqlite import Cursor, Database, Kind

MAX_INTEGER = 2**63 - 1

TABLES = (
    """CREATE TABLE IF NOT EXISTS entries (
        seq INTEGER NOT NULL,
        id VARCHAR NOT NULL,
        time_us INTEGER NOT NULL,
        kind VARCHAR NOT NULL,
        text VARCHAR NOT NULL,
        prev VARCHAR NOT NULL,
        hash VARCHAR NOT NULL,
        PRIMARY KEY (seq),
        UNIQUE (id)
    )""",
    "CREATE INDEX IF NOT EXISTS ix_entries_kind ON entries (kind)",
    """CREATE TABLE IF NOT EXISTS head (
        one INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        hash VARCHAR NOT NULL,
        PRIMARY KEY (one),
        CHECK (one = 1)
    )""",
)
COLUMNS = "seq, id, time_us, kind, text, prev, hash"
INSERT = f"INSERT INTO entries ({COLUMNS}) VALUES"
ROW = "(?, ?, ?, ?, ?, ?, ?)"
SELECT = f"SELECT {COLUMNS} FROM entries"
HEAD = "INSERT OR REPLACE INTO head (one, seq, hash) VALUES (1, ?, ?)"

KIND = Kind(TABLES, LedgerError, RowRefused, LedgerUnavailable)


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
        with self._database.transaction(write=True) as cursor:
            head = _head(cursor)
            last = head.hash
            values: list[str | int] = []
            for seq, (record, time_us, kind, text) in enumerate(drafts, head.seq + 1):
                hashed = entry_hash(last, seq, record, time_us, kind, text)
                values += (seq, record, time_us, kind, text, last, hashed)
                last = hashed
            # One statement: with one a row, this thread lets go of the interpreter at each.
            cursor.execute(f"{INSERT} {', '.join([ROW] * len(drafts))}", values)
            cursor.execute(HEAD, (head.seq + len(drafts), last))

    def problem(self) -> str | None:
        """Why the file takes no entries, as far as that shows without writing."""
        return self._database.problem()

    def head(self) -> Head:
        """The last entry, as the file says."""
        with self._database.transaction() as cursor:
            return _head(cursor)

    def find(self, record: str) -> Entry | None:
        """The entry of an id."""
        with self._database.transaction() as cursor:
            row = cursor.execute(f"{SELECT} WHERE id = ?", (record,)).fetchone()
        return None if row is None else Entry(*row)

    def starting(self, start: str) -> list[str]:
        """Up to two ids that start like that."""
        for sign in "/%_":
            start = start.replace(sign, f"/{sign}")
        question = "SELECT id FROM entries WHERE id LIKE ? ESCAPE '/' LIMIT 2"
        with self._database.transaction() as cursor:
            return [record for (record,) in cursor.execute(question, (f"{start}%",))]

    def some(self, after: int | None, kind: str | None, limit: int) -> list[Entry]:
        """Up to `limit` entries behind a number, in order; the newest ones without it."""
        of_kind = "" if kind is None else "AND kind = :kind"
        if kind is not None and kind.endswith("."):
            of_kind = "AND kind > :kind AND kind < substr(:kind, 1, length(:kind) - 1) || '/'"
        order = "DESC" if after is None else "ASC"
        question = f"{SELECT} WHERE seq > :after {of_kind} ORDER BY seq {order} LIMIT :limit"
        asked = {"after": min(after or 0, MAX_INTEGER), "limit": min(limit, MAX_INTEGER)}
        with self._database.transaction() as cursor:
            found = [Entry(*row) for row in cursor.execute(question, {**asked, "kind": kind})]
        return found[::-1] if after is None else found

    @contextmanager
    def all(self) -> Iterator[tuple[Iterator[Entry], Head]]:
        """Every entry in order, and the head, as of one moment."""
        with self._database.transaction() as cursor:
            head = _head(cursor)
            found = cursor.execute(f"{SELECT} ORDER BY seq")
            yield (Entry(*row) for row in found), head

    def close(self) -> None:
        """Close every connection."""
        self._database.close()


def _head(cursor: Cursor) -> Head:
    row = cursor.execute("SELECT seq, hash FROM head").fetchone()
    return Head() if row is None else Head(*row)
