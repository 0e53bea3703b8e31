"""Attributes of the rows, column by column, so that a filter is a few array comparisons.

A value is a string, number, boolean or null. Columns only grow, and a slot never changes its
value, so a `View` of the first n slots stays true while the writer appends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool
from gemel.gallery.attributes import Attributes, Scalar, Where, options_of

MISSING = -1


@dataclass(frozen=True)
class Column:
    """One attribute of the first n slots: a code per slot, and what the codes mean."""

    codes: NDArray[np.int32]
    values: list[Scalar]
    code_of: dict[tuple[type, Scalar], int]

    def is_in(self, live: Bool) -> bool:
        """Whether a live row has the attribute; live is (n,), of the first slots."""
        return bool((self.codes[: len(live)][live] != MISSING).any())

    def equal(self, wanted: Scalar | Sequence[Scalar]) -> Bool:
        """Which slots have the value, or one of the values: (n,) bool."""
        keys = (key for option in options_of(wanted) for key in _keys(option))
        codes = [self.code_of[key] for key in keys if key in self.code_of]
        if len(codes) == 1:
            return np.asarray(self.codes == codes[0])
        return np.isin(self.codes, codes)


@dataclass(frozen=True)
class AttributeView:
    """The attributes of the first n slots."""

    n: int
    columns: dict[str, Column]

    def names(self, live: Bool) -> list[str]:
        """The attributes that live rows have, in alphabetical order.

        Args:
            live: (n,), of these slots.
        """
        return sorted(name for name, column in self.columns.items() if column.is_in(live))

    def upto(self, n: int) -> AttributeView:
        """The attributes of fewer slots."""
        fewer = {
            name: Column(column.codes[:n], column.values, column.code_of)
            for name, column in self.columns.items()
        }
        return AttributeView(n, fewer)

    def of(self, slot: int) -> Attributes:
        """What the row in a slot was enrolled with."""
        found = ((name, column, column.codes[slot]) for name, column in self.columns.items())
        return {name: column.values[code] for name, column, code in found if code != MISSING}

    def matching(self, where: Where) -> Bool:
        """Which slots have every attribute that is asked for: (n,) bool; what none has, none."""
        mask = np.ones(self.n, np.bool_)
        for name, wanted in where.items():
            if name not in self.columns:
                return np.zeros(self.n, np.bool_)
            mask &= self.columns[name].equal(wanted)
        return mask


class AttributeTable:
    """Attributes by slot, appended to by one writer."""

    def __init__(self) -> None:
        self._columns: dict[str, Column] = {}

    def put(self, slots: range, rows: Sequence[Mapping[str, Scalar]], capacity: int) -> None:
        """Set the attributes of slots that no view can see yet.

        Args:
            slots: as many as there are rows.
            rows: attributes of each.
            capacity: slots to make room for.
        """
        self._grow(capacity)
        columns = self._columns
        for slot, row in zip(slots, rows, strict=True):
            for name, value in row.items():
                column = columns.get(name)
                if column is None:
                    codes = np.full(capacity, MISSING, np.int32)
                    column = columns[name] = Column(codes, [], {})
                key = (value.__class__, value)
                code = column.code_of.get(key)
                if code is None:
                    code = len(column.values)
                    column.values.append(value)
                    column.code_of[key] = code
                column.codes[slot] = code

    def names(self) -> frozenset[str]:
        """Every attribute that some row had."""
        return frozenset(self._columns)

    def forget(self, live: Bool) -> None:
        """Drop the columns in which no live row has a value; views keep theirs.

        Args:
            live: (n,), of all slots in use.
        """
        for name, column in list(self._columns.items()):
            if not column.is_in(live):
                del self._columns[name]

    def view(self, n: int) -> AttributeView:
        """The first n slots, as they are and will be."""
        frozen = {
            name: Column(column.codes[:n], column.values, column.code_of)
            for name, column in self._columns.items()
        }
        return AttributeView(n, frozen)

    def _grow(self, capacity: int) -> None:
        for name, column in self._columns.items():
            if len(column.codes) < capacity:
                codes = np.full(capacity, MISSING, np.int32)
                codes[: len(column.codes)] = column.codes
                self._columns[name] = Column(codes, column.values, column.code_of)


def _keys(value: Scalar) -> tuple[tuple[type, Scalar], ...]:
    """Under which keys a value may be stored: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ((int, value), (float, value))
    return ((type(value), value),)
