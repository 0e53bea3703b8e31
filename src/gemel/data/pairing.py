"""Which pairs of records are comparisons: all, those across two files, or those that were given.

It belongs to a dataset and goes with it: what trains, chooses a threshold or measures looks at no
other pair. Positions are those of the records of the dataset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.arrays import Int64, digest


@dataclass(frozen=True, eq=False)
class Pairing:
    """The pairs of n records that are compared.

    Attributes:
        files: (n,) int64, 0 or 1: which of two files each record is of, and only pairs across them
            are compared; None: not by file.
        given: (p, 2) int64 positions: only these pairs are compared; None: whatever else is said.
    """

    files: Int64 | None = None
    given: Int64 | None = None

    @property
    def is_all(self) -> bool:
        """Whether every pair is compared."""
        return self.files is None and self.given is None

    @property
    def digest(self) -> str:
        """Digest of all of it, 64 hex digits."""
        parts = [np.zeros(0, np.int64) if a is None else a for a in (self.files, self.given)]
        return digest(*(np.ascontiguousarray(a, "<i8").tobytes() for a in parts))

    def take(self, idx: Int64) -> Pairing:
        """Among the records at these positions; a given pair stays if both of its records do."""
        if self.is_all:
            return self
        given = self.given
        if given is not None:
            n = int(max(given.max(initial=-1), idx.max(initial=-1))) + 1
            place = np.full(n, -1, np.int64)
            place[idx] = np.arange(len(idx))
            given = place[given]
            given = given[(given >= 0).all(axis=1)]
        return Pairing(None if self.files is None else self.files[idx], given)

    def twice(self) -> Pairing:
        """Of the records and then one variant of each; given pairs are those of the records."""
        files = None if self.files is None else np.concatenate([self.files, self.files])
        return Pairing(files, self.given)


ALL = Pairing()
