"""The chain: what an entry's hash covers, and how a changed row is found.

Each hash covers its entry and the hash before it. So a change, a removal, an insertion or another
order inside the chain shows; rows cut off at the end show against the stored head. Who can write
the file can also rewrite all hashes and the head: against that, heads are kept elsewhere (`heads`)
and given to `verify`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from gemel.arrays import digest
from gemel.errors import LedgerError

START = "0" * 64

T = TypeVar("T")


@dataclass(frozen=True)
class Head:
    """The last entry of a chain: its number, 0 for none, and its hash."""

    seq: int = 0
    hash: str = START


@dataclass(frozen=True)
class Entry:
    """One row of the ledger; `text` is the JSON body as it was hashed."""

    seq: int
    id: str
    time_us: int
    kind: str
    text: str
    prev: str
    hash: str

    @property
    def body(self) -> dict[str, Any]:
        """What was noted."""
        body: dict[str, Any] = msgspec.json.decode(self.text)
        return body

    def read(self, kind: type[T]) -> T:
        """What was noted, as a body of `ledger.bodies`.

        Raises:
            LedgerError: it is not such a body.
        """
        try:
            return msgspec.json.decode(self.text, type=kind)
        except msgspec.MsgspecError as e:
            raise LedgerError(
                f"row {self.seq} is no {self.kind}: {e}",
                where=self.id,
                hint="was it written by another program, or by a newer version?",
            ) from e


@dataclass(frozen=True)
class LedgerReport:
    """What `verify` found.

    `problem` and `seq` name the first row that is not as it was written, and are None when all
    are; `head` is the last good row.
    """

    entries: int
    head: Head
    problem: str | None = None
    seq: int | None = None

    @property
    def ok(self) -> bool:
        """The chain is whole."""
        return self.problem is None


def entry_hash(prev: str, seq: int, record: str, time_us: int, kind: str, text: str) -> str:
    """SHA-256 over one entry and the hash of the entry before it: 64 hex digits."""
    parts = (prev, str(seq), record, str(time_us), kind, text)
    return digest(*(str(part).encode() for part in parts))


def walk(entries: Iterable[Entry], stored: Head, known: Collection[Head] = ()) -> LedgerReport:
    """Follow the chain from its first entry to the stored head.

    Args:
        entries: all of them, by `seq`.
        stored: the head that the ledger keeps.
        known: heads seen earlier and kept elsewhere.
    Returns:
        The first thing that is wrong, or the head of a whole chain.
    """
    last = Head()
    kept: dict[int, set[str]] = {}
    for head in known:
        kept.setdefault(head.seq, set()).add(head.hash)
    for entry in entries:
        problem = _fault(entry, last)
        if problem is None and kept.get(entry.seq, {entry.hash}) != {entry.hash}:
            problem = "the chain was rewritten: a head that was kept names another entry"
        if problem is not None:
            seq = last.seq + 1 if entry.seq > last.seq + 1 else entry.seq
            return LedgerReport(last.seq, last, problem, seq)
        last = Head(entry.seq, entry.hash)
    expected = max([stored.seq, *kept])
    if last.seq < expected:
        problem = f"rows {last.seq + 1} to {expected} are missing at the end"
        return LedgerReport(last.seq, last, problem, last.seq + 1)
    if last != stored:
        return LedgerReport(last.seq, last, "the stored head names another row", stored.seq)
    return LedgerReport(last.seq, last)


def _fault(entry: Entry, last: Head) -> str | None:
    if entry.seq > last.seq + 1:
        missing = (
            f"row {last.seq + 1}"
            if entry.seq == last.seq + 2
            else (f"rows {last.seq + 1} to {entry.seq - 1}")
        )
        return f"{missing} missing before row {entry.seq}"
    if entry.prev != last.hash:
        return f"row {entry.seq} does not follow row {last.seq}: re-ordered, inserted or replaced"
    if entry.hash != entry_hash(
        entry.prev, entry.seq, entry.id, entry.time_us, entry.kind, entry.text
    ):
        return f"row {entry.seq} was changed after it was written"
    return None
