"""Changes of a gallery as entries: what was done, and to which records, masked.

With the records an entry can be held against the gallery later: a row that no entry accounts for
was written past the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import merge
from typing import TYPE_CHECKING, TypeVar

from gemel.ledger import heads
from gemel.ledger.bodies import Deleted, Enrolled
from gemel.ledger.chain import Entry, Head
from gemel.ledger.masks import Masks

if TYPE_CHECKING:
    from gemel.ledger.ledger import Ledger

T = TypeVar("T")
PER_ENTRY = 128
"""Records per entry, so that it stays below the size that a body may have."""
ENROLL, DELETE = "enroll", "delete"


def enrolled(
    masks: Masks, space: str, counts: tuple[int, int, int], written: Mapping[str, bytes]
) -> list[Enrolled]:
    """The bodies of one enroll; the counts stand in the first.

    Args:
        masks: of the ledger.
        space: of the gallery.
        counts: records added, updated, unchanged.
        written: id of each record that was written, to the digest of its row.
    """
    masked = {masks.of(record): masks.of(row) for record, row in written.items()}
    parts = [dict(part) for part in _parts(list(masked.items()))]
    return [
        Enrolled(
            added=n[0], updated=n[1], unchanged=n[2], space=space, key=masks.name, records=part
        )
        for n, part in zip([counts, *[(0, 0, 0)] * (len(parts) - 1)], parts, strict=True)
    ]


def deleted(masks: Masks, space: str, n_deleted: int, ids: Sequence[str]) -> list[Deleted]:
    """The bodies of one delete; the count stands in the first."""
    parts = _parts([masks.of(record) for record in ids])
    return [
        Deleted(deleted=n, space=space, key=masks.name, records=part)
        for n, part in zip([n_deleted, *[0] * (len(parts) - 1)], parts, strict=True)
    ]


def erased(ledger: Ledger, space: str | None, after: str = "") -> tuple[set[str], Head | None]:
    """Masked ids that were deleted, from whichever space, and not enrolled into one since.

    Args:
        ledger: with the changes.
        space: that somebody wants to know this of; None for any.
        after: a head that `heads.word` wrote, behind which to look; one that is not of this ledger
            says nothing.
    Returns:
        The ids, and the entry of the last delete that was looked at; None where there is none.
    """
    start = heads.of_word(after)
    here = ledger.entries(after=start.seq - 1, limit=1) if start.seq else []
    seq = start.seq if here and (here[0].seq, here[0].hash) == (start.seq, start.hash) else 0
    deletes = [(e, e.read(Deleted)) for e in ledger.of_kind(DELETE, after=seq)]
    if not deletes:
        return set(), None
    ours, gone, last = ledger.masks.name, set[str](), deletes[-1][0]
    enrolls = ledger.of_kind(ENROLL, after=deletes[0][0].seq)
    both = merge((e for e, _ in deletes), enrolls, key=lambda e: e.seq)
    said = {e.seq: body for e, body in deletes}
    for entry in both:
        if entry.kind == DELETE:
            delete = said[entry.seq]
            if isinstance(delete.records, list) and delete.key == ours:
                gone.update(delete.records)
        else:
            enroll = entry.read(Enrolled)
            if isinstance(enroll.records, dict) and space in (None, enroll.space):
                gone.difference_update(enroll.records)
    return gone, Head(last.seq, last.hash)


def balances(entries: Iterable[Entry]) -> dict[str, int]:
    """How many records entries of changes leave in the galleries, by space.

    Those of an older version name no space and stand under "". A gallery that is empty and not in
    here was never enrolled into; one with 0 was emptied by those who own its records.
    """
    found: dict[str, int] = {}
    for entry in entries:
        if entry.kind == ENROLL:
            enroll = entry.read(Enrolled)
            space, n = enroll.space, enroll.added
        elif entry.kind == DELETE:
            delete = entry.read(Deleted)
            space, n = delete.space, -delete.deleted
        else:
            continue
        name = space if isinstance(space, str) else ""
        found[name] = found.get(name, 0) + n
    return found


def _parts(records: list[T]) -> list[list[T]]:
    """Records entry by entry, of which there is at least one."""
    starts = range(0, max(len(records), 1), PER_ENTRY)
    return [records[start : start + PER_ENTRY] for start in starts]


class Accounted:
    """What the entries of changes say that a gallery holds.

    Args:
        space: of the gallery.
        masks: of the ledger.

    Attributes:
        rows: masked id to the masked digest of its row.
        n_before: records that entries without records account for, at most.
        is_masked_otherwise: entries were masked with another key, and cannot be compared.
    """

    def __init__(self, space: str, masks: Masks) -> None:
        self._space, self._masks = space, masks
        self.rows: dict[str, str] = {}
        self.n_before = 0
        self.is_masked_otherwise = False

    def take(self, entries: Iterable[Entry]) -> None:
        """Follow entries, in order."""
        for entry in entries:
            if entry.kind == ENROLL:
                self._enroll(entry.read(Enrolled))
            elif entry.kind == DELETE:
                self._delete(entry.read(Deleted))

    def _enroll(self, said: Enrolled) -> None:
        if not isinstance(said.records, dict):
            self.n_before += said.added
        elif self._is_ours(said):
            self.rows.update(said.records)

    def _delete(self, said: Deleted) -> None:
        """From whichever space: what is deleted from one is deleted from all."""
        if isinstance(said.records, list) and self._is_readable(said):
            for record in said.records:
                self.rows.pop(record, None)

    def _is_ours(self, said: Enrolled) -> bool:
        return said.space == self._space and self._is_readable(said)

    def _is_readable(self, said: Enrolled | Deleted) -> bool:
        is_other = said.key != self._masks.name
        self.is_masked_otherwise |= is_other
        return not is_other
