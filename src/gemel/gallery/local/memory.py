"""The live rows in memory: one contiguous matrix, and immutable views of it.

A row lives in a slot; slots are in the order of `seq`, the number of the change that wrote the
row. A changed record gets a new slot, its old one dies. What a `View` shows therefore never
changes: the writer only touches slots behind it, and `live` is copied before it is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from gemel.arrays import Bool, Float32, Int64
from gemel.errors import InvalidInput, quoted
from gemel.gallery.attributes import Attributes, Scalar, Where, kind_of, options_of
from gemel.gallery.groups import Groups
from gemel.gallery.local.columns import AttributeTable, AttributeView
from gemel.gallery.local.kept import Kept

MIN_CAPACITY = 256
MIN_DEAD = 1024
MAX_SHOWN = 10
"""Attributes that an error names."""


@dataclass(frozen=True)
class View:
    """All rows after one change.

    `matrix` (n, d) float32, unit rows; `seqs` (n,) int64, ascending; `live` (n,) bool. `ids` may
    be longer than n. `kept` is what comparators keep of the rows, computed when first asked for.
    `whole` is the view that this one is an earlier part of, if it is one.
    """

    matrix: Float32
    seqs: Int64
    live: Bool
    n_live: int
    ids: list[str]
    attributes: AttributeView
    last_seq: int
    kept: Kept
    whole: View | None = None

    def n_behind(self, seq: int) -> int:
        """Live rows that were written after the change of that number."""
        return int(self.live[np.searchsorted(self.seqs, seq, side="right") :].sum())

    def upto(self, seq: int) -> View:
        """The live rows that the change of that number, or one before, has written."""
        n = int(np.searchsorted(self.seqs, seq, side="right"))
        if n == len(self.seqs):
            return self
        live = self.live[:n]
        return replace(
            self,
            matrix=self.matrix[:n],
            seqs=self.seqs[:n],
            live=live,
            n_live=int(live.sum()),
            attributes=self.attributes.upto(n),
            last_seq=seq,
            whole=self,
        )

    def slots_of(self, seqs: Int64) -> Int64:
        """The slot that each seq is in, -1 where there is none; same shape."""
        if not len(self.seqs):
            return np.full(seqs.shape, -1)
        slots = np.searchsorted(self.seqs, seqs)
        slots[slots == len(self.seqs)] = 0
        return np.where(self.seqs[slots] == seqs, slots, -1)


def ids_of(view: View) -> list[str]:
    """Ids of the live rows of a view."""
    return [view.ids[slot] for slot in np.flatnonzero(view.live).tolist()]


def passing(view: View, where: Where) -> Bool:
    """Which live rows of a view pass a filter: (n,) bool.

    Raises:
        InvalidInput: there are records, and none has an attribute that the filter names, or none
            has it as the kind of value that is asked for; of an earlier part, none of the whole.
    """
    allowed, now = view.live & view.attributes.matching(where), view.whole or view
    if now.n_live and not allowed.any():
        known = now.attributes.names(now.live)
        for name, wanted in where.items():
            if name not in known:
                raise _nobody_has(name, f"where.{name[:80]}", known)
            _check_kind(name, wanted, now)
    return allowed


def grouped(view: View, name: str, where: Where) -> Groups:
    """The records of a view that have an attribute, and pass a filter.

    Raises:
        InvalidInput: no record has it, or one that the filter names.
    """
    column = view.attributes.columns.get(name)
    codes = np.empty(0, np.int64) if column is None else column.codes[: len(view.live)]
    empty = [] if column is None else [i for i, v in enumerate(column.values) if v is None]
    allowed = passing(view, where)
    slots = np.flatnonzero(allowed[: len(codes)] & (codes >= 0) & ~np.isin(codes, empty))
    if column is None or not len(slots):
        raise _nobody_has(
            name,
            "label",
            view.attributes.names(view.live),
            "no record that passes the filter" if where else "no record",
        )
    slots = slots[np.argsort(codes[slots], kind="stable")]
    present, starts = np.unique(codes[slots], return_index=True)
    values = [column.values[code] for code in present.tolist()]
    ids = [view.ids[slot] for slot in slots.tolist()]
    return Groups(values, starts, ids, lambda: view.matrix[slots], view)


def _check_kind(name: str, wanted: Scalar | Sequence[Scalar], view: View) -> None:
    """Raise if the attribute is in no record as a kind of value that is asked for."""
    options, column = options_of(wanted), view.attributes.columns[name]
    if None in options:
        return
    values = [v for v in column.values if v is not None]
    kinds = {kind_of(v) for v in values}
    if not values or kinds & {kind_of(option) for option in options}:
        return
    is_text = any(str(option) in values for option in options)
    example = str(options[0]) if is_text else values[0]
    raise InvalidInput(
        f"{quoted(name, 80)} is {kind_of(options[0])} here and {' or '.join(sorted(kinds))} in "
        "every record",
        where=f"where.{name[:80]}",
        hint=f"for example {msgspec.json.encode({name[:80]: example}).decode()[:200]}",
    )


def _nobody_has(
    name: str, where: str, known: Sequence[str], nobody: str = "no record"
) -> InvalidInput:
    shown = ", ".join(quoted(other, 80) for other in known[:MAX_SHOWN])
    more = ", ..." if len(known) > MAX_SHOWN else ""
    return InvalidInput(
        f"{nobody} has the attribute {quoted(name, 80)}",
        where=where,
        hint="enroll records with it" + (f"; records have {shown}{more}" if known else ""),
    )


class Memory:
    """The rows, as their one writer changes them.

    Args:
        dim: length of an embedding.
        capacity: slots that are taken at once; there is room for an eighth more, so that the first
            record enrolled after a start does not have all of them copied.
    """

    def __init__(self, dim: int, capacity: int = 0) -> None:
        capacity = max(capacity + capacity // 8, MIN_CAPACITY)
        self._matrix = np.empty((capacity, dim), np.float32)
        self._seqs = np.empty(capacity, np.int64)
        self._live = np.empty(0, np.bool_)
        self._ids: list[str] = []
        self._attributes = AttributeTable()
        self._kept = Kept()
        self.slots: dict[str, int] = {}
        self.last_seq = 0

    def put(
        self, seqs: Int64, ids: Sequence[str], rows: Float32, attributes: Sequence[Attributes]
    ) -> None:
        """Add or replace records.

        Args:
            seqs: (n,), ascending and larger than any before.
            ids: n different ones.
            rows: (n, d) unit rows.
            attributes: n.
        """
        start, stop = len(self._ids), len(self._ids) + len(ids)
        self._reserve(stop)
        self._matrix[start:stop] = rows
        self._seqs[start:stop] = seqs
        self._attributes.put(range(start, stop), attributes, len(self._seqs))
        live = np.concatenate([self._live, np.ones(len(ids), np.bool_)])
        live[[self.slots[i] for i in ids if i in self.slots]] = False
        self._ids.extend(ids)
        self.slots.update(zip(ids, range(start, stop), strict=True))
        self._live = live
        self.last_seq = max(self.last_seq, int(seqs[-1]) if len(seqs) else 0)

    def remove(self, ids: Sequence[str], last_seq: int) -> None:
        """Take records out; last_seq is the number of the last of these changes."""
        live = self._live.copy()
        live[[self.slots.pop(i) for i in ids if i in self.slots]] = False
        self._live = live
        self.last_seq = max(self.last_seq, last_seq)

    def attribute_names(self) -> frozenset[str]:
        """Every attribute that some row had."""
        return self._attributes.names()

    def forget_attributes(self) -> None:
        """Give up the names of attributes that no record has any more."""
        self._attributes.forget(self._live)

    def is_sparse(self) -> bool:
        """More slots are dead than live."""
        n_dead = len(self._ids) - len(self.slots)
        return n_dead > max(MIN_DEAD, len(self.slots))

    def compacted(self) -> Memory:
        """The same live rows without the dead slots; views of the old memory stay true."""
        view = self.view()
        slots = np.flatnonzero(view.live)
        memory = Memory(self._matrix.shape[1], len(slots))
        memory.put(
            view.seqs[slots],
            [view.ids[slot] for slot in slots],
            view.matrix[slots],
            [view.attributes.of(int(slot)) for slot in slots],
        )
        memory.last_seq = self.last_seq
        return memory

    def view(self) -> View:
        """The rows as they are now."""
        n = len(self._ids)
        return View(
            self._matrix[:n],
            self._seqs[:n],
            self._live,
            len(self.slots),
            self._ids,
            self._attributes.view(n),
            self.last_seq,
            self._kept,
        )

    def _reserve(self, slots: int) -> None:
        if slots <= len(self._seqs):
            return
        capacity = max(slots, len(self._seqs) * 3 // 2)
        n = len(self._ids)
        matrix = np.empty((capacity, self._matrix.shape[1]), np.float32)
        seqs = np.empty(capacity, np.int64)
        matrix[:n], seqs[:n] = self._matrix[:n], self._seqs[:n]
        self._matrix, self._seqs = matrix, seqs
