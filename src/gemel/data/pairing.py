"""Which pairs of records are comparisons: all, those across two files, or those that were given.

It belongs to a dataset and goes with it: what trains, chooses a threshold or measures looks at no
other pair. Positions are those of the records of the dataset.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gemel.arrays import Bool, Float64, Int64, digest


@dataclass(frozen=True, eq=False)
class Pairing:
    """The pairs of n records that are compared.

    Attributes:
        files: (n,) int64, 0 or 1: which of two files each record is of, and only pairs across them
            are compared; None: not by file.
        given: (p, 2) int64 positions: only these pairs are compared; None: whatever else is said.
        same: (p,) bool, what was said of each; None: as identities say.
        grade: (p,) float64 in [0, 1], how alike each was said to be; None: no more than `same`.
        same_from: of grades, that from which on two are the same.
    """

    files: Int64 | None = None
    given: Int64 | None = None
    same: Bool | None = None
    grade: Float64 | None = None
    same_from: float = 1.0

    @property
    def is_all(self) -> bool:
        """Whether every pair is compared."""
        return self.files is None and self.given is None

    @property
    def digest(self) -> str:
        """Digest of all of it, 64 hex digits."""
        parts = [np.zeros(0, np.int64) if a is None else a for a in (self.files, self.given)]
        said = [np.ascontiguousarray(a, "<i8").tobytes() for a in parts]
        if self.same is not None:
            said.append(np.packbits(self.same).tobytes())
        if self.grade is not None:
            said.append(np.ascontiguousarray(self.grade, "<f8").tobytes())
        return digest(*said)

    def is_genuine(self, identities: Int64) -> Bool:
        """(p,) bool: whether each given pair is one of two that belong together.

        Args:
            identities: (n,) codes of the records, which say it where nothing else does.
        """
        if self.same is not None:
            return self.same
        if self.given is None:
            return np.zeros(0, np.bool_)
        genuine: Bool = identities[self.given[:, 0]] == identities[self.given[:, 1]]
        return genuine

    def n_genuine(self, identities: Int64) -> int:
        """How many of the pairs that are compared belong together.

        Args:
            identities: (n,) codes of the records, below 0 where unknown.
        Example:
            >>> codes = np.array([0, 0, 0, 1, 1])
            >>> ALL.n_genuine(codes), Pairing(np.array([0, 0, 1, 0, 0])).n_genuine(codes)
            (4, 2)
        """
        if self.given is not None:
            return int(np.count_nonzero(self.is_genuine(identities)))
        known = identities >= 0
        codes, of = np.unique(identities[known], return_inverse=True)
        if self.files is None:
            size = np.bincount(of, minlength=len(codes))
            return int((size * (size - 1) // 2).sum())
        one, two = (np.bincount(of[self.files[known] == f], minlength=len(codes)) for f in (0, 1))
        return int((one * two).sum())

    def first_of_each(self, at: Int64) -> Int64:
        """Of given pairs, (p,) places, which are the first of the same two records, in order.

        Example:
            >>> given = np.array([[2, 3], [0, 1], [3, 2], [0, 1]])
            >>> Pairing(given=given).first_of_each(np.arange(4)).tolist()
            [0, 1]
        """
        if self.given is None:
            return np.arange(len(at))
        ends = np.sort(self.given[at], axis=1)
        return np.sort(np.unique(ends, axis=0, return_index=True)[1])

    def take(self, idx: Int64) -> Pairing:
        """Among the records at these positions; a given pair stays if both of its records do."""
        if self.is_all:
            return self
        files = None if self.files is None else self.files[idx]
        if self.given is None:
            return Pairing(files)
        n = int(max(self.given.max(initial=-1), idx.max(initial=-1))) + 1
        place = np.full(n, -1, np.int64)
        place[idx] = np.arange(len(idx))
        given = place[self.given]
        stays = (given >= 0).all(axis=1)
        return replace(
            self,
            files=files,
            given=given[stays],
            same=None if self.same is None else self.same[stays],
            grade=None if self.grade is None else self.grade[stays],
        )

    def twice(self) -> Pairing:
        """Of the records and then one variant of each; given pairs are those of the records."""
        files = None if self.files is None else np.concatenate([self.files, self.files])
        return replace(self, files=files)


ALL = Pairing()
