"""Where the moves of the pointers are kept: one append-only order for all processes.

`Moves` is what a store needs; `SqliteMoves` is `store.db`. Where a pointer stands is its last row,
so state and history cannot disagree. Beside them lies one row that a rollout keeps its state in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Protocol

from gemel.errors import ReleaseError
from gemel.files import Lock
from gemel.sqlite import Cursor, Database, Kind


@dataclass(frozen=True)
class Move:
    """One move of a pointer; `previous` and `release_id` are None where it pointed nowhere.

    `seq` is its place in the order, 0 while it has none.
    """

    seq: int
    pointer: str
    action: str
    release_id: str | None
    previous: str | None
    actor: str
    reason: str
    time: str


Decide = Callable[[Sequence[Move]], Move | None]
"""From the moves of a pointer so far, oldest first, to the next one, or None to leave it."""
Note = Callable[[Move], None]
"""Told a move that has its number, just before it is kept; what it raises keeps it from that."""

Change = Callable[[str | None], str | None]
"""From what a rollout has kept to what it keeps next, or None to leave it."""


class Moves(Protocol):
    """The moves of all pointers."""

    def last(self, pointer: str) -> Move | None:
        """The newest move of a pointer."""

    def all(self, pointer: str | None = None) -> list[Move]:
        """Every move of one pointer or of all, oldest first."""

    def change(self, pointer: str, decide: Decide, note: Note) -> Move:
        """Append what is decided, as one step that no other process comes between.

        A move that was noted and then not kept leaves its number to the next one.

        Returns:
            The newest move of the pointer. What `decide` or `note` raises changes nothing.
        """

    def mark(self) -> object:
        """What is equal to itself earlier if nothing was kept meanwhile, but for some milliseconds.

        Cheap, to see whether it is worth looking.
        """

    def rollout(self) -> str | None:
        """What the rollout has kept; None if there never was one."""

    def change_rollout(self, decide: Change) -> str | None:
        """Keep what is decided, as one step that no other process comes between.

        Returns:
            What is kept now. What `decide` raises changes nothing.
        """


TABLES = (
    """CREATE TABLE IF NOT EXISTS pointer_moves (
        seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        pointer VARCHAR NOT NULL,
        action VARCHAR NOT NULL,
        release_id VARCHAR,
        previous VARCHAR,
        actor VARCHAR NOT NULL,
        reason VARCHAR NOT NULL,
        time VARCHAR NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS ix_pointer_moves_pointer ON pointer_moves (pointer)",
    """CREATE TABLE IF NOT EXISTS rollout (
        id INTEGER NOT NULL,
        state VARCHAR NOT NULL,
        PRIMARY KEY (id)
    )""",
    *(
        f"CREATE TRIGGER IF NOT EXISTS pointer_moves_no_{verb} BEFORE {verb} ON pointer_moves "
        "BEGIN SELECT RAISE(ABORT, 'pointer history is append-only'); END"
        for verb in ("update", "delete")
    ),
)
COLUMNS = "pointer, action, release_id, previous, actor, reason, time"
SELECT = f"SELECT seq, {COLUMNS} FROM pointer_moves"
OF_POINTER = f"{SELECT} WHERE pointer = ? ORDER BY seq"
INSERT = f"INSERT INTO pointer_moves ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
STATE = "SELECT state FROM rollout"
KIND = Kind(TABLES, ReleaseError, ReleaseError, schema=1)


class SqliteMoves:
    """The moves in one file, open only while they are read or changed.

    Args:
        path: of the file; comes into being with the first move.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def last(self, pointer: str) -> Move | None:
        """The newest move of a pointer."""
        return next(iter(self._read(f"{OF_POINTER} DESC LIMIT 1", (pointer,))), None)

    def all(self, pointer: str | None = None) -> list[Move]:
        """Every move of one pointer or of all, oldest first."""
        if pointer is None:
            return self._read(f"{SELECT} ORDER BY seq", ())
        return self._read(OF_POINTER, (pointer,))

    def change(self, pointer: str, decide: Decide, note: Note) -> Move:
        """Append what is decided, as one step that no other process comes between."""
        if not self._path.exists():
            self._create()
        with Database(self._path, KIND, write=True) as db, db.transaction(write=True) as c:
            so_far = [Move(*row) for row in c.execute(OF_POINTER, (pointer,))]
            move = decide(so_far)
            if move is None:
                return so_far[-1]
            c.execute(INSERT, astuple(move)[1:])
            kept = replace(move, seq=c.lastrowid or 0)
            note(kept)
            return kept

    def mark(self) -> object:
        """What the file and its log look like from outside."""
        found: list[tuple[int, ...]] = []
        for name in (self._path, self._path.with_name(f"{self._path.name}-wal")):
            try:
                seen = name.stat()
            except OSError:
                found.append(())
            else:
                found.append((seen.st_ino, seen.st_size, seen.st_mtime_ns))
        return found

    def rollout(self) -> str | None:
        """What the rollout has kept; None if there never was one."""
        if not self._path.exists():
            return None
        with Database(self._path, KIND, write=False) as db, db.transaction() as c:
            is_there = "SELECT 1 FROM sqlite_master WHERE name = 'rollout'"
            return _state(c) if c.execute(is_there).fetchone() else None  # of an older file

    def change_rollout(self, decide: Change) -> str | None:
        """Keep what is decided, as one step that no other process comes between."""
        if not self._path.exists():
            self._create()
        with Database(self._path, KIND, write=True) as db, db.transaction(write=True) as c:
            current = _state(c)
            state = decide(current)
            if state is None:
                return current
            c.execute("INSERT OR REPLACE INTO rollout (id, state) VALUES (1, ?)", (state,))
            return state

    def _read(self, question: str, asked: tuple[str, ...]) -> list[Move]:
        if not self._path.exists():
            return []
        with Database(self._path, KIND, write=False) as db, db.transaction() as c:
            return [Move(*row) for row in c.execute(question, asked)]

    def _create(self) -> None:
        """Make the file under another name first: one that exists has its table and triggers."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with Lock(self._path.with_name("store.lock"), wait=True):
            if not self._path.exists():
                fresh = self._path.with_name(f"{self._path.name}.new")
                fresh.unlink(missing_ok=True)
                Database(fresh, KIND, write=True).close()
                fresh.rename(self._path)


def _state(cursor: Cursor) -> str | None:
    row = cursor.execute(STATE).fetchone()
    return None if row is None else str(row[0])
