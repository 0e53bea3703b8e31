"""Records by the value of an attribute: the classes that a gallery holds at one moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.errors import InvalidInput
from gemel.gallery.attributes import Scalar, Where
from gemel.gallery.memory import View


@dataclass(frozen=True, eq=False)
class Groups:
    """The live records that have an attribute, value by value.

    Attributes:
        view: the state of the gallery that they are of.
        slots: (n,) rows of the view, those of one value after the other.
        starts: (n_values,) where each value begins.
        values: n_values, in the order in which they first came.
    """

    view: View
    slots: Int64
    starts: Int64
    values: list[Scalar]

    @classmethod
    def of(cls, view: View, name: str, where: Where) -> Groups:
        """The records of a view that have an attribute, and pass a filter.

        Raises:
            InvalidInput: no record has it.
        """
        column = view.attributes.columns.get(name)
        codes = np.empty(0, np.int64) if column is None else column.codes[: len(view.live)]
        empty = [] if column is None else [i for i, v in enumerate(column.values) if v is None]
        allowed = view.live & view.attributes.matching(where)
        slots = np.flatnonzero(allowed[: len(codes)] & (codes >= 0) & ~np.isin(codes, empty))
        if column is None or not len(slots):
            known = ", ".join(sorted(view.attributes.columns)[:10])
            raise InvalidInput(
                f"no record {'that passes the filter ' if where else ''}has the attribute {name!r}",
                where="label",
                hint="enroll records with it"
                + (f"; attributes that some record had: {known}" if known else ""),
            )
        slots = slots[np.argsort(codes[slots], kind="stable")]
        present, starts = np.unique(codes[slots], return_index=True)
        return cls(view, slots, starts, [column.values[code] for code in present.tolist()])

    @property
    def rows(self) -> Float32:
        """(n, d) float32, unit rows, in the order of `slots`; a copy."""
        return self.view.matrix[self.slots]

    @property
    def counts(self) -> Int64:
        """Records of each value: (n_values,)."""
        return np.diff(self.starts, append=len(self.slots))

    def ids(self, value: int) -> list[str]:
        """Ids of the records of the value in a position."""
        stop = self.starts[value] + self.counts[value]
        return [self.view.ids[slot] for slot in self.slots[self.starts[value] : stop].tolist()]
