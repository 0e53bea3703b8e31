"""Pairs that nothing proposed, and that the release finds alike all the same: they teach too.

Keys and engines leave out most pairs. What answers about proposed ones teach is wrong of the rest,
where fewer belong together at the same agreement. So of some records all pairs are looked at, and
people are asked about some of those that were not proposed. They say nothing of how good the
matches are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.arrays import Int64
from gemel.improve.comparison import EXACT_ROWS, Comparison
from gemel.improve.records import Compared
from gemel.release.release import Release
from gemel.settings import EXACT
from gemel.tasks.pairs import Pairs, none, scan
from gemel.train.comparators.answers import Curves


@dataclass(frozen=True, eq=False)
class Aside:
    """Pairs of some records that were not proposed.

    Attributes:
        pairs: by position, best first.
        each: how many pairs of all records each stands for.
    """

    pairs: Pairs
    each: float

    @classmethod
    def of(
        cls, release: Release, compared: Compared, comparison: Comparison, floor: float, seed: int
    ) -> Aside:
        """Those of up to 5,000 records that reach a floor; none where that teaches nothing.

        Args:
            release: encodes and compares.
            compared: the records.
            comparison: with the pairs that were proposed.
            floor: scores below it are of no interest.
            seed: of which records are looked at.
        """
        can_learn = release.is_unproven and Curves.of(release.comparator) is not None
        if comparison.engine == EXACT or not can_learn:
            return cls(none(), 1.0)
        lefts, rights = _some(compared, np.random.default_rng(seed))
        n, at = len(lefts), np.concatenate([lefts, rights])
        rows = release.encoder.encode(compared.payloads(at))
        first = n if len(rights) else 0
        found = scan(rows, release.comparator, range(n), first_right=first, floor=floor)
        codes = at[found.left] * len(compared) + at[found.right]
        were = comparison.pairs.left * len(compared) + comparison.pairs.right
        pairs = Pairs(at[found.left], at[found.right], found.score).take(~np.isin(codes, were))
        n_looked = n * len(rights) if len(rights) else n * (n - 1) // 2
        return cls(pairs.take(np.argsort(-pairs.score, kind="stable")), compared.n_pairs / n_looked)

    def best(self, n: float) -> Pairs:
        """The best ones, which stand for n pairs at most."""
        return self.pairs.take(np.arange(min(len(self.pairs), int(n / self.each))))


def _some(compared: Compared, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """Positions of as many records of either side as `comparison` compares with each other."""
    most = EXACT_ROWS if compared.right is None else EXACT_ROWS // 2
    lefts = np.sort(rng.permutation(compared.n_left)[:most])
    return lefts, compared.n_left + np.sort(rng.permutation(compared.n_right)[:most])
