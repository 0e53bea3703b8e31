"""Fits the comparator of records of two kinds: what strangers of one kind look like to each other.

Only strangers count, so that it can be had where no two records of one kind belong together.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from gemel.arrays import Bool, Float32, Int64
from gemel.data.pairing import Pairing
from gemel.encode.comparators.kinds import Kinds, Scale
from gemel.train.arrays import Arrays, Views, embed

MOST = 1500
"""Records of a kind that are looked at."""
LEVELS = (0.5, 0.999)
"""Quantiles of strangers that are brought together."""
LEAST = 0.05


def fit(
    tower: nn.Module,
    arrays: Arrays,
    identities: Int64,
    views: Views,
    *,
    seed: int,
    pairing: Pairing,
) -> Kinds:
    """Scales under which strangers of one kind score as strangers of two kinds do."""
    rows = embed(tower, arrays)
    rng = np.random.default_rng(seed)
    sides = [
        np.sort(rng.permutation(np.flatnonzero(is_kind))[:MOST])
        for is_kind in (rows[:, 0] >= 0, rows[:, 0] < 0)
    ]
    plain = Kinds()
    across = _levels(plain, rows, identities, sides[0], sides[1])
    found = [_levels(plain, rows, identities, side, side) for side in sides]
    return Kinds(*(_scale(own, across) for own in found))


def _levels(
    plain: Kinds, rows: Float32, identities: Int64, left: Int64, right: Int64
) -> tuple[float, float] | None:
    """Quantiles of the scores of strangers; None if there are hardly any."""
    strangers: Bool = identities[left][:, None] != identities[right][None, :]
    scores = plain.matrix(rows[left], rows[right])[strangers]
    if len(scores) < 2:
        return None
    low, high = np.quantile(scores.astype(np.float64), LEVELS).tolist()
    return low, high


def _scale(own: tuple[float, float] | None, across: tuple[float, float] | None) -> Scale:
    if own is None or across is None or across[1] - across[0] < LEAST / 10:
        return Scale()
    scale = max(LEAST, (own[1] - own[0]) / (across[1] - across[0]))
    return Scale(own[1] - scale * across[1], scale)
