"""Pairs of rows that share keys, for sets of rows too large to compare all with all.

What survives in genuine pairs, as the release has seen it, and what rows typed again keep decide
which keys count; how many pairs of these very records share them decides which are used. Only
records that are proposed in some pair are encoded.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32, Int64
from gemel.calibrate.rates.intervals import wilson
from gemel.data.blocking.keys import Rows, parts
from gemel.data.blocking.passes import Costs, chosen, propose
from gemel.data.blocking.typed import survivors
from gemel.improve.records import Compared
from gemel.release import genuine
from gemel.release.release import Release
from gemel.tasks.pairs import Pairs, exact

KEYS = "keys"
SCORED = 1 << 17
"""Pairs of a part that is scored and kept."""
OF_EVAL = "genuine pairs of eval"
OF_GUESSED = "pairs of its own records that the release takes to belong together"
OF_TYPED = "rows of this set typed again with one error or several"
Z = 1.96


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What was proposed, and which share of genuine pairs such keys propose.

    Args:
        passes: keys that two records had to share, each all of its own.
        n_candidates: pairs that were proposed and scored.
        basis: which pairs the share is of.
        n_pairs: of these.
        n_found: those of them that share the keys of a pass.
        value: share.
        low: lower limit at 95 %.
    """

    passes: tuple[str, ...]
    n_candidates: int
    basis: str
    n_pairs: int
    n_found: int
    value: float
    low: float


@dataclass(frozen=True, eq=False)
class Candidates:
    """Proposed pairs of records.

    Attributes:
        pairs: (2, m) int32 positions, left below right.
        at: (t,) positions of the records in any of them, ascending.
        local: (2, m) int64, the same pairs by place in `at`.
    """

    pairs: NDArray[np.int32]
    at: Int64
    local: Int64

    @classmethod
    def of(cls, pairs: NDArray[np.int32], n: int) -> Candidates:
        """The candidates among n records."""
        proposed = np.zeros(n, np.bool_)
        proposed[pairs.ravel()] = True
        return cls(pairs, np.flatnonzero(proposed), (np.cumsum(proposed) - 1)[pairs])

    @property
    def n_parts(self) -> int:
        """Parts of `SCORED` pairs."""
        return -(-len(self.pairs[0]) // SCORED)

    def scored(self, release: Release, rows: Float32, part: int, floor: float) -> Pairs:
        """The pairs of a part that reach a floor.

        Args:
            release: whose comparator scores.
            rows: (t, d) float32, embeddings of the records.
            part: which `SCORED` pairs.
            floor: scores below it are of no interest.
        """
        here = slice(part * SCORED, (part + 1) * SCORED)
        left, right = self.local[:, here]
        score = exact(rows, release.comparator, left, right).score
        kept = score >= floor
        left, right = self.pairs[:, here][:, kept].astype(np.int64)
        return Pairs(left, right, score[kept])


def proposed(release: Release, compared: Compared) -> tuple[NDArray[np.int32], Reach]:
    """Pairs of records that keys propose, (2, m) int32, and what such keys reach."""
    fields = release.encoder.prepare.fields
    frame = genuine.values(compared.frame(), fields)
    rows, first = Rows(frame), compared.first_right
    seen = genuine.read(release)
    typed = survivors(frame, parts(fields) if seen is None else seen.train.parts)
    known = typed if seen is None else seen.train.with_pairs(typed)
    passes = chosen(known, Costs(rows, first))
    pairs = np.stack(propose(rows, passes, first))
    basis, told = OF_TYPED, typed
    if seen is not None:
        basis, told = OF_GUESSED if seen.guessed else OF_EVAL, seen.eval
    found = told.of(passes)
    n, hit = len(found), int(found.sum())
    reach = Reach(
        passes=tuple(map(str, passes)),
        n_candidates=pairs.shape[1],
        basis=basis,
        n_pairs=n,
        n_found=hit,
        value=hit / n if n else 1.0,
        low=wilson(hit / n, n, Z)[0] if n else 0.0,
    )
    return pairs, reach
