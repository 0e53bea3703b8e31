"""What goes into a gallery and comes out of it: records, counts, and ids that can name one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gemel.arrays import Float32
from gemel.data.dataset import MAX_ID_LENGTH, fault_of_id
from gemel.errors import DataError, DuplicateRecord, quoted
from gemel.gallery.attributes import Attributes


@dataclass(frozen=True)
class Record:
    """What is enrolled under one id; `embedding` is (d,) float32."""

    id: str
    embedding: Float32
    attributes: Attributes


@dataclass(frozen=True)
class Enrolled:
    """What an enroll did, in records.

    Attributes:
        added: that were not there.
        updated: that were there otherwise.
        unchanged: that were there just so.
        written: id of each record that was added or updated, to a digest of what is stored; empty
            from a gallery that keeps none.
    """

    added: int
    updated: int
    unchanged: int
    written: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Checked:
    """Rows that were read and are as they were written.

    Attributes:
        digests: id of each live record to the digest of its row.
        n_sealed: rows of an older version that were given their digest now.
        n_without: rows of an older version that have none, since this was opened read-only.
    """

    digests: Mapping[str, bytes]
    n_sealed: int
    n_without: int


@dataclass(frozen=True)
class Stats:
    """A gallery in figures.

    `deleted` counts the marks that deleted records leave. `engine` is "scan" while no index is in
    use; then `index_behind`, the live rows that the index does not hold, is 0. `index_recall` was
    measured against an exact scan when the index was built.
    """

    space_id: str
    dim: int
    rows: int
    deleted: int
    bytes: int
    attributes: tuple[str, ...]
    engine: str
    index_behind: int
    index_recall: float | None
    index_problem: str | None


def check_ids(ids: Sequence[str]) -> list[str]:
    """The ids as a list, after checking that each can name one record.

    Raises:
        DataError: an id is not a string, empty, too long or not writable as UTF-8.
        DuplicateRecord: an id stands twice.
    """
    listed = [ids] if isinstance(ids, str) else [i.item() if hasattr(i, "item") else i for i in ids]
    for i, record in enumerate(listed):
        if not isinstance(record, str) or not 0 < len(record) <= MAX_ID_LENGTH:
            raise DataError(
                f"id {quoted(record)} is not a string of 1 to {MAX_ID_LENGTH} characters",
                where=f"id number {i + 1}",
            )
        if fault := fault_of_id(record):
            raise DataError(f"id {quoted(record)} {fault}", where=f"id number {i + 1}")
    if len(set(listed)) < len(listed):
        twice = next(i for i in listed if listed.count(i) > 1)
        raise DuplicateRecord(
            f"id {twice!r} stands twice in one batch", hint="send each record once"
        )
    return listed
