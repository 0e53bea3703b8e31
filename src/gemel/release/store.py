"""The shelf of releases and the pointers that make one of them live.

`releases/` is the shelf. `store.db` (SQLite) holds one append-only table of pointer moves; where a
pointer stands is its last row, so state and history cannot disagree. A move is compare-and-set in
one write transaction.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import EllipsisType
from typing import Any, Literal

import sqlalchemy as sa

from gemel.errors import NotFound, PointerMoved, ReleaseError
from gemel.release.folder import Manifest
from gemel.release.release import Release
from gemel.release.shelf import Shelf, alone

Pointer = Literal["stable", "canary", "shadow"]
POINTERS: tuple[Pointer, ...] = ("stable", "canary", "shadow")
SCHEMA = 1

_meta = sa.MetaData()
_moves = sa.Table(
    "pointer_moves",
    _meta,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("pointer", sa.String, nullable=False, index=True),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("release_id", sa.String),
    sa.Column("previous", sa.String),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("time", sa.String, nullable=False),
    sqlite_autoincrement=True,
)
_APPEND_ONLY = [
    f"CREATE TRIGGER IF NOT EXISTS pointer_moves_no_{verb} BEFORE {verb} ON pointer_moves "
    "BEGIN SELECT RAISE(ABORT, 'pointer history is append-only'); END"
    for verb in ("update", "delete")
]


@dataclass(frozen=True)
class Move:
    """One move of a pointer; `previous` and `release_id` are None where it pointed nowhere."""

    seq: int
    pointer: str
    action: str
    release_id: str | None
    previous: str | None
    actor: str
    reason: str
    time: str


class Store:
    """Releases and pointers under one folder; safe to use from several processes.

    Args:
        path: folder; comes into being with the first write.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.shelf = Shelf(self.path / "releases")
        self._db = self.path / "store.db"

    def put(self, folder: str | Path) -> Release:
        """Take a copy of a release onto the shelf; see `Shelf.put`."""
        return self.shelf.put(folder)

    def list(self) -> Sequence[Manifest]:
        """Manifests of all releases, oldest first.

        Raises:
            DigestMismatch: a manifest is damaged.
        """
        return self.shelf.list()

    def resolve(self, reference: str) -> str:
        """The full id that a pointer name, an id or a unique beginning of an id stands for.

        Raises:
            NotFound: none or several; the hint names those that come near.
        """
        if reference not in POINTERS:
            return self.shelf.find(reference, others=POINTERS)
        target = self.pointer(reference)
        if target is None:
            raise NotFound(
                f"{reference} points at no release",
                where=str(self.path),
                hint=f"set it with: gemel release promote ID --pointer {reference}",
            )
        return target

    def get(self, reference: str, *, verify: bool = True) -> Release:
        """The release that a pointer name, an id or a unique beginning (4 digits or more) means.

        Raises:
            NotFound: none or several.
            DigestMismatch: it is damaged.
        """
        return self.shelf.open(self.resolve(reference), verify=verify)

    def pointer(self, name: str) -> str | None:
        """Id of the release that a pointer points at, or None."""
        _check_pointer(name)
        if not self._db.exists():
            return None
        with self._engine.connect() as c:
            return _current(c, name)

    def pointers(self) -> dict[str, str | None]:
        """Where each pointer stands."""
        return {name: self.pointer(name) for name in POINTERS}

    def point(
        self,
        pointer: str,
        release_id: str | None,
        *,
        actor: str,
        reason: str,
        expected: str | EllipsisType | None = ...,
        now: datetime | None = None,
    ) -> Move:
        """Move a pointer, if it still stands where the caller thinks it does.

        Args:
            pointer: stable, canary or shadow.
            release_id: what `resolve` takes, or None to point nowhere.
            actor: who moves it.
            reason: why; both end up in the history.
            expected: full id, or None for nowhere; left out, the pointer may stand anywhere.
            now: time of the move.
        Returns:
            The new last row of the history; the present one if the pointer is there already.
        Raises:
            NotFound: no such release or pointer.
            PointerMoved: the pointer stands elsewhere than expected.
        """
        _check_pointer(pointer)
        target = None if release_id is None else self.get(release_id).id
        with self._write() as c:
            current = _current(c, pointer)
            _check_expected(pointer, current, expected)
            last = _history(c, pointer, limit=1)
            if last and current == target:
                return last[0]
            return _append(c, (pointer, "point", target, current), actor, reason, now)

    def rollback(
        self,
        pointer: str = "stable",
        *,
        actor: str,
        reason: str,
        expected: str | EllipsisType | None = ...,
        now: datetime | None = None,
    ) -> Move:
        """Point at the release that was live before the present one.

        A second rollback goes one further back, never forward to what was just left.

        Raises:
            NotFound: there is no earlier release.
            PointerMoved: the pointer stands elsewhere than expected.
            DigestMismatch: the earlier release is damaged.
        """
        _check_pointer(pointer)
        with self._write() as c:
            current = _current(c, pointer)
            _check_expected(pointer, current, expected)
            before = _before(_history(c, pointer))
            if before is None:
                raise NotFound(
                    f"{pointer} has no earlier release to go back to",
                    where=str(self.path),
                    hint="see: gemel release list",
                )
            self.get(before)
            return _append(c, (pointer, "rollback", before, current), actor, reason, now)

    def history(self, pointer: str | None = None) -> Sequence[Move]:
        """Every move of one pointer or of all, oldest first."""
        if pointer is not None:
            _check_pointer(pointer)
        if not self._db.exists():
            return []
        with self._engine.connect() as c:
            return _history(c, pointer)

    @cached_property
    def _engine(self) -> sa.Engine:
        # Without a pool nothing stays open that somebody has to close.
        engine = sa.create_engine(
            f"sqlite:///{self._db}",
            poolclass=sa.NullPool,
            connect_args={"timeout": 30, "isolation_level": None},
        )
        sa.event.listen(engine, "connect", _on_connect)
        return engine

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        """One write transaction, which no other process can interleave with."""
        if not self._db.exists():
            self._create()
        with self._engine.connect() as c:
            c.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield c
            except BaseException:
                c.exec_driver_sql("ROLLBACK")
                raise
            c.exec_driver_sql("COMMIT")

    def _create(self) -> None:
        # Built under another name: a database that exists has its table and its triggers.
        with alone(self.shelf.folder):
            if self._db.exists():
                return
            fresh = self.path / "store.db.new"
            fresh.unlink(missing_ok=True)
            engine = sa.create_engine(f"sqlite:///{fresh}")
            with engine.begin() as c:
                _meta.create_all(c)
                for trigger in _APPEND_ONLY:
                    c.exec_driver_sql(trigger)
                c.exec_driver_sql(f"PRAGMA user_version = {SCHEMA}")
            with engine.connect() as c:
                c.exec_driver_sql("PRAGMA journal_mode = WAL")
            engine.dispose()
            fresh.rename(self._db)


def _on_connect(connection: Any, _record: Any) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA:
        raise ReleaseError(
            f"store of schema {version}, this version reads {SCHEMA}",
            hint="open it with the version of gemel that made it",
        )
    connection.execute("PRAGMA synchronous = FULL")


def _check_pointer(name: str) -> None:
    if name not in POINTERS:
        near = difflib.get_close_matches(name, POINTERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"pointers are {', '.join(POINTERS)}"
        raise NotFound(f"no pointer {name!r}", hint=hint)


def _check_expected(pointer: str, current: str | None, expected: str | EllipsisType | None) -> None:
    if expected is not ... and expected != current:
        raise PointerMoved(
            f"{pointer} points at {_short(current)}, expected {_short(expected)}",
            hint="someone moved it meanwhile; look at the history and decide again",
        )


def _current(c: sa.Connection, pointer: str) -> str | None:
    last = _history(c, pointer, limit=1)
    return last[0].release_id if last else None


def _history(c: sa.Connection, pointer: str | None, limit: int | None = None) -> list[Move]:
    """All moves oldest first, or the newest `limit` newest first."""
    query = sa.select(_moves).order_by(_moves.c.seq.desc() if limit else _moves.c.seq)
    if pointer is not None:
        query = query.where(_moves.c.pointer == pointer)
    return [Move(**row) for row in c.execute(query.limit(limit)).mappings()]


def _before(history: list[Move]) -> str | None:
    """What was live before the present release, when rollbacks undo moves."""
    trail: list[str | None] = []
    for move in history:
        if move.action == "rollback":
            while trail and trail[-1] != move.release_id:
                trail.pop()
        else:
            trail.append(move.release_id)
    earlier = [i for i in trail[:-1] if i is not None]
    return earlier[-1] if earlier else None


def _append(
    c: sa.Connection,
    step: tuple[str, str, str | None, str | None],
    actor: str,
    reason: str,
    now: datetime | None,
) -> Move:
    pointer, action, target, previous = step
    row = {
        "pointer": pointer,
        "action": action,
        "release_id": target,
        "previous": previous,
        "actor": actor,
        "reason": reason,
        "time": (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds"),
    }
    result = c.execute(sa.insert(_moves).values(row))
    key = result.inserted_primary_key
    return Move(seq=key[0] if key else 0, **row)  # type: ignore[arg-type]


def _short(release_id: str | EllipsisType | None) -> str:
    return release_id[:12] if isinstance(release_id, str) else "nothing"
