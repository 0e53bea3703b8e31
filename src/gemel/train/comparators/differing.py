"""How many fields of a pair differ at once, beside how many would if each differed by itself.

Records that were mistyped once differ in one field and hardly ever in two; copies differ in none.
Where that is so, a second field that differs says more against a pair than the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from gemel.arrays import Bool, Float64, Int64

FEWEST_FIELDS = 3
"""Of two fields, pairs in which both differ lie among those that do not belong together: how many
there are is not seen."""
MOST = 8
"""So many fields that differ count as if they were all more."""
PSEUDO = 3.0
"""Pairs added to those that were seen, and to those that would be if fields were independent."""


@dataclass(frozen=True, eq=False)
class Differing:
    """In how many fields pairs differ, of those that have a value on both sides.

    Attributes:
        count: (n,) of each pair, `MOST` at most.
        there: (k, F) fields with a value on both sides, as some pairs have them.
        of: (n,) which of these a pair has.
    """

    count: Int64
    there: Bool
    of: Int64

    @classmethod
    def among(cls, there: Bool, same: Bool) -> Self:
        """What is seen of pairs.

        Args:
            there: (n, F) fields with a value on both sides.
            same: (n, F) those with the same value.
        """
        _, first, of = np.unique(
            np.packbits(there, axis=1), axis=0, return_index=True, return_inverse=True
        )
        count = np.minimum((there & ~same).sum(1), MOST).astype(np.int64)
        return cls(count, there[first], of.reshape(-1))

    def log_ratio(self, weight: Float64, differs: Float64) -> Float64:
        """Log of how much oftener so many fields differ than if they were independent: (n,).

        A pair that has few values differs in few: it is compared with pairs that have the same
        ones. Two or more are never oftener than by chance: whatever does not belong together
        differs in many, and is not to be explained as what does.

        Args:
            weight: (n,) how many pairs that belong together each stands for.
            differs: (F,) share of these in which a field differs.
        """
        if self.there.shape[1] < FEWEST_FIELDS:
            return np.zeros(len(self.count))
        chance = self._independent(differs)
        seen = np.bincount(self.count, weight, MOST + 1)
        alone = np.bincount(self.of, weight, len(self.there)) @ chance
        ratio = (seen + PSEUDO) / (alone + PSEUDO)
        says = np.log(ratio)[self.count] - np.log(chance @ ratio)[self.of]
        return np.where(self.count < 2, says, np.minimum(says, 0.0))

    def _independent(self, differs: Float64) -> Float64:
        """Chance of each count if every field differed by itself: (k, MOST + 1)."""
        chance = np.zeros((len(self.there), MOST + 1))
        chance[:, 0] = 1.0
        for at, there in zip(differs, self.there.T, strict=True):
            one = np.where(there, at, 0.0)
            more = chance * one[:, None]
            chance -= more
            chance[:, 1:] += more[:, :-1]
            chance[:, -1] += more[:, -1]
        return chance
