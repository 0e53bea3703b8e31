"""The shelf of releases and the pointers that make one of them live.

`releases/` is the shelf, `store.db` the history of the pointers. A move is compare-and-set, and
stands in the ledger of the folder before it is made.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import EllipsisType
from typing import Literal

from gemel.arguments import path_of, require
from gemel.errors import NotFound, PointerMoved
from gemel.ledger.bodies import Body, Pointed
from gemel.ledger.ledger import Ledger
from gemel.release.folder import Manifest
from gemel.release.moves import Change, Move, Moves, SqliteMoves
from gemel.release.release import Release
from gemel.release.shelf import EMPTY, Shelf

Pointer = Literal["stable", "canary", "shadow"]
POINTERS: tuple[Pointer, ...] = ("stable", "canary", "shadow")
FILE = "store.db"
LEDGER = "ledger.db"
MOVED = "release."
"""Kinds of the entries about moves begin like this; the action follows."""


class Store:
    """Releases and pointers under one folder; safe to use from several processes.

    Args:
        path: folder; comes into being with the first write.
        moves: where the moves of the pointers are kept; `store.db` in the folder if left out.
    """

    def __init__(self, path: str | Path, moves: Moves | None = None) -> None:
        self.path = path_of(path, "a store")
        self.shelf = Shelf(self.path / "releases")
        self._moves = moves or SqliteMoves(self.path / FILE)

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
                hint=f"set it with: gemel release promote ID --pointer {reference}"
                if self.shelf.ids()
                else EMPTY,
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
        return _target(self._moves.last(name))

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
            LedgerError: the move cannot be noted, and is not made.
        """
        _check_pointer(pointer)
        target = None if release_id is None else self.get(release_id).id

        def decide(so_far: Sequence[Move]) -> Move | None:
            current = _target(so_far[-1] if so_far else None)
            _check_expected(pointer, current, expected)
            if so_far and current == target:
                return None
            if target is not None:
                self.shelf.find(target)  # it may have been removed meanwhile
            return Move(0, pointer, "point", target, current, actor, reason, _time(now))

        return self._moves.change(pointer, decide, self._note)

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

        A second rollback goes one further back, never forward to what was just left. It asks no
        gate; `gemel.rollback` asks whether its gallery has the records of the live one.

        Raises:
            NotFound: there is no earlier release.
            PointerMoved: the pointer stands elsewhere than expected.
            DigestMismatch: the earlier release is damaged.
        """
        _check_pointer(pointer)

        def decide(so_far: Sequence[Move]) -> Move:
            current = _target(so_far[-1] if so_far else None)
            _check_expected(pointer, current, expected)
            before = _before(so_far)
            if before is None:
                raise NotFound(
                    f"{pointer} has no earlier release to go back to",
                    where=str(self.path),
                    hint="see: gemel release list",
                )
            self.get(before)
            return Move(0, pointer, "rollback", before, current, actor, reason, _time(now))

        return self._moves.change(pointer, decide, self._note)

    def history(self, pointer: str | None = None) -> Sequence[Move]:
        """Every move of one pointer or of all, oldest first."""
        if pointer is not None:
            _check_pointer(pointer)
        return self._moves.all(pointer)

    def previous(self, pointer: str = "stable") -> str | None:
        """Id of the release that a rollback would go to, or None."""
        return _before(self.history(pointer))

    def mark(self) -> object:
        """What tells cheaply whether a pointer or a rollout has changed, see `Moves.mark`."""
        return self._moves.mark()

    def rollout(self) -> str | None:
        """What the rollout has kept; None if there never was one."""
        return self._moves.rollout()

    def change_rollout(self, decide: Change) -> str | None:
        """Keep what is decided, see `Moves.change_rollout`."""
        return self._moves.change_rollout(decide)

    def note(self, kind: str, body: Body) -> None:
        """Put what is about to be done into the ledger, and keep its head.

        Raises:
            LedgerError: it cannot be noted.
        """
        with Ledger.open(self.path / LEDGER) as ledger:
            ledger.append_durable(kind, body)
            ledger.keep_head()

    def _note(self, move: Move) -> None:
        """Put a move into the ledger."""
        body = Pointed(
            pointer=move.pointer,
            release=move.release_id,
            previous=move.previous,
            reason=move.reason,
            actor=move.actor,
            move=move.seq,
        )
        self.note(f"{MOVED}{move.action}", body)


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


def _target(move: Move | None) -> str | None:
    return None if move is None else move.release_id


def _time(now: datetime | None) -> str:
    return (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")


def _before(history: Sequence[Move]) -> str | None:
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


def _short(release_id: str | EllipsisType | None) -> str:
    return release_id[:12] if isinstance(release_id, str) else "nothing"


def require_store(value: object) -> None:
    """Raise if an argument is no store.

    Raises:
        ConfigError: it is something else, such as the folder of one.
    """
    require(value, Store, "a Store of releases", "gemel.Store(FOLDER) is one")
