"""What the ledger says, held against what is there: moves of the pointers, rows of a gallery.

Who can write the files can make each of them whole by itself. What they cannot do is change what
the ledger says without its head showing it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from gemel.errors import quoted
from gemel.figures import number_of
from gemel.gallery.record import Checked
from gemel.ledger.bodies import Pointed
from gemel.ledger.chain import Entry
from gemel.ledger.changes import Accounted
from gemel.ledger.masks import Masks
from gemel.release.moves import Move
from gemel.release.store import MOVED

ACTIONS = ("point", "rollback")


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        problems: each a sentence; none where all agrees.
        n_before: moves or rows older than what the ledger says about them, and so not compared.
    """

    problems: tuple[str, ...]
    n_before: int


def moves(entries: Iterable[Entry], history: Sequence[Move]) -> Audit:
    """The history of the pointers against the entries about it.

    Args:
        entries: of any kinds, in order.
        history: every move, oldest first.
    """
    noted: dict[int, tuple[str, Pointed]] = {}
    unnumbered: list[tuple[str, Pointed]] = []
    for entry in entries:
        action = entry.kind.removeprefix(MOVED)
        if action != entry.kind and action in ACTIONS:
            said = entry.read(Pointed)
            if isinstance(said.move, int):
                noted[said.move] = action, said
            else:
                unnumbered.append((action, said))
    found: list[str] = []
    here = {move.seq: move for move in history}
    for seq, (action, said) in noted.items():
        if seq not in here:
            found.append(
                f"move {seq}, of {said.pointer} to {_short(said.release)}, stands in the ledger "
                "and not in the history: it was cut off, or could not be made (a full disk, a "
                "killed process), which the next move puts right"
            )
        elif not _same(here[seq], action, said):
            found.append(
                f"move {seq} was of {said.pointer} to {_short(said.release)} by {said.actor}, the "
                "history says otherwise"
            )
    first = min(noted, default=None)
    rest = [move for move in history if move.seq not in noted]
    later = [move for move in rest if first is not None and move.seq > first]
    found += [
        f"move {move.seq}, of {move.pointer} to {_short(move.release_id)}, is not in the ledger"
        for move in later
    ]
    older = iter(move for move in rest if move not in later)
    n_found = 0
    for action, said in unnumbered:
        if not any(_same(move, action, said) for move in older):
            what = f"a move of {said.pointer} to {_short(said.release)} by {said.actor}"
            found.append(f"{what} stands in the ledger and not, or not there, in the history")
            break
        n_found += 1
    return Audit(tuple(found), 0 if found else len(rest) - len(later) - n_found)


def rows(said: Accounted, masks: Masks, checked: Checked) -> Audit:
    """The rows of a gallery against what the entries of changes account for.

    Args:
        said: by all entries, in order.
        masks: of the ledger.
        checked: the rows, each whole by itself.
    """
    if said.is_masked_otherwise:
        return Audit(("entries were masked with another key: restore ledger.key",), 0)
    left, strange, found = dict(said.rows), [], []
    for record, digest in checked.digests.items():
        noted = left.pop(masks.of(record), None)
        if noted is None:
            strange.append(record)
        elif noted != masks.of(digest):
            found.append(f"record {quoted(record)} is not what was enrolled")
    n_strange = len(strange) + checked.n_without
    if n_strange > said.n_before and (said.rows or said.n_before):
        example = f", such as {quoted(strange[0])}" if strange else ""
        found.append(
            f"no entry accounts for {n_strange - said.n_before} of "
            f"{number_of(n_strange, 'record')}{example}: "
            "written past the ledger, or by a process that ended before it noted them"
        )
    if left:
        found.append(
            f"{number_of(len(left), 'record stands', 'records stand')} in the ledger and not "
            "in the gallery"
        )
    return Audit(tuple(found), min(n_strange, said.n_before))


def _same(move: Move, action: str, said: Pointed) -> bool:
    return (move.pointer, move.action, move.release_id, move.previous, move.reason) == (
        said.pointer,
        action,
        None if said.release is UNSET else said.release,
        said.previous,
        said.reason,
    ) and (said.actor is UNSET or said.actor == move.actor)


def _short(release_id: object) -> str:
    return release_id[:12] if isinstance(release_id, str) else "nothing"
