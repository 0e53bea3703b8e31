"""Records by the value of an attribute: the classes that a gallery holds at one moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.gallery.attributes import Scalar


@dataclass(frozen=True, eq=False)
class Groups:
    """The records that have an attribute, value by value.

    Attributes:
        values: n_values, in the order in which they first came.
        starts: (n_values,) where each value begins.
        records: n ids, those of one value after the other.
        load: gives the embeddings, as they were when the records were looked up.
        state: of the gallery at that moment, for `Gallery.is_at`.
    """

    values: list[Scalar]
    starts: Int64
    records: list[str]
    load: Callable[[], Float32]
    state: object

    def __len__(self) -> int:
        """How many records have the attribute."""
        return len(self.records)

    @cached_property
    def rows(self) -> Float32:
        """(n, d) float32, unit rows, in the order of `records`."""
        return self.load()

    @property
    def counts(self) -> Int64:
        """Records of each value: (n_values,)."""
        return np.diff(self.starts, append=len(self.records))

    def ids(self, value: int) -> list[str]:
        """Ids of the records of the value in a position."""
        return self.records[self.starts[value] : self.starts[value] + self.counts[value]]
