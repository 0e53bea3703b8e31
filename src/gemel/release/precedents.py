"""Comparisons whose answer is known, by score: what a new score is to be seen beside.

Made from the gold set of a release, with its comparator. Nothing is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool, Float32, Int64
from gemel.calibrate.scores.all_pairs import genuine_blocks, impostor_blocks
from gemel.encode.comparators import Comparator
from gemel.release.evidence.part import whole_identities

MAX_RECORDS = 500
"""About 125,000 comparisons, a third of a second: whoever asks first waits for them."""
N_NEAREST = 3
N_AROUND = 100
LEAST_AROUND = 10
REACH = 0.05
"""Of the span of scores: comparisons farther away say nothing of a score."""


@dataclass(frozen=True)
class Gold:
    """Labelled embeddings: (n, d) float32 unit rows, (n,) int64 identity codes, (n,) record ids."""

    embeddings: Float32
    identities: Int64
    ids: NDArray[np.str_]


class Precedent(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of two gold records, by their ids."""

    score: float
    genuine: bool
    left: str
    right: str


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """The gold comparisons with scores like one.

    Attributes:
        within: how far their scores are from it at most.
        n: how many they are.
        n_genuine: those of one identity.
    """

    within: float
    n: int
    n_genuine: int


@dataclass(frozen=True, eq=False)
class Precedents:
    """All comparisons of gold records, by rising score.

    Attributes:
        score: (n,) float32, rising.
        genuine: (n,) bool.
        left: (n,) int64 positions in `ids`.
        right: the same of the other record.
        ids: of the records.
    """

    score: Float32
    genuine: Bool
    left: Int64
    right: Int64
    ids: NDArray[np.str_]

    @classmethod
    def of(cls, gold: Gold, comparator: Comparator) -> Precedents:
        """The comparisons of a gold set; of whole identities at random above 500 records."""
        kept = whole_identities(gold.identities, MAX_RECORDS)
        kept = kept[np.argsort(gold.identities[kept], kind="stable")]
        rows, codes = gold.embeddings[kept], gold.identities[kept]
        blocks = [(s, i, j, True) for s, i, j in genuine_blocks(rows, codes, comparator)]
        for s, i, at in impostor_blocks(rows, codes, comparator):
            blocks.append((s, np.full(len(s), i), np.arange(at.start, at.stop), False))
        if not blocks:
            none = np.zeros(0, np.int64)
            return cls(none.astype(np.float32), none.astype(bool), none, none, gold.ids)
        score = np.concatenate([s for s, _, _, _ in blocks])
        order = np.argsort(score, kind="stable")
        return cls(
            score[order],
            np.concatenate([np.full(len(s), same) for s, _, _, same in blocks])[order],
            kept[np.concatenate([i for _, i, _, _ in blocks])[order]],
            kept[np.concatenate([j for _, _, j, _ in blocks])[order]],
            gold.ids,
        )

    def nearest(self, score: float, n: int = N_NEAREST) -> tuple[Precedent, ...]:
        """The n genuine and the n impostor comparisons nearest to a score, nearest first."""
        idx = np.concatenate(
            [self._near(np.flatnonzero(self.genuine == same), score, n) for same in (True, False)]
        )
        return tuple(
            Precedent(
                score=float(self.score[i]),
                genuine=bool(self.genuine[i]),
                left=str(self.ids[self.left[i]]),
                right=str(self.ids[self.right[i]]),
            )
            for i in self._near(np.sort(idx), score, 2 * n)
        )

    def around(self, score: float, n: int = N_AROUND) -> Around | None:
        """What became of the n comparisons nearest to a score; None if too few score like it."""
        idx = self._near(np.arange(len(self.score)), score, n)
        distance = np.abs(self.score[idx] - score)
        idx = idx[distance <= REACH * self._span]
        if len(idx) < LEAST_AROUND:
            return None
        return Around(
            within=float(distance[len(idx) - 1]),
            n=len(idx),
            n_genuine=int(np.count_nonzero(self.genuine[idx])),
        )

    @cached_property
    def _span(self) -> float:
        """From where nearly all impostor scores begin to where nearly all genuine ones end."""
        parts = (self.score[self.genuine == same] for same in (False, True))
        ends = [np.quantile(p, q) for p, q in zip(parts, (0.05, 0.95), strict=True) if len(p)]
        return float(ends[1] - ends[0]) if len(ends) == 2 else 0.0

    def _near(self, among: Int64, score: float, n: int) -> Int64:
        """The n nearest to a score among ascending positions, nearest first."""
        at = int(np.searchsorted(self.score[among], score))
        window = among[max(0, at - n) : at + n]
        order = np.argsort(np.abs(self.score[window] - score), kind="stable")
        return window[order[:n]]
