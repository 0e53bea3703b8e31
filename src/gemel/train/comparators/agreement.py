"""How two records agree: the level that each of their fields reaches.

Two values that changed places are compared where they went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool, Float64, Int64
from gemel.encode.comparators.blocks import Side
from gemel.train.comparators.pairs import Candidates

CUTS = (0.2, 0.4, 0.6, 0.8, 0.95, 0.999)
"""Cosines at which a field reaches the next level; at the last one values are the same."""
N_LEVELS = len(CUTS) + 1
ALIKE, UNLIKE = 0.8, 0.4
"""Cosines from which values that changed places are alike, and below which they were not before."""


@dataclass(frozen=True, eq=False)
class Patterns:
    """How pairs agree.

    Attributes:
        level: (n, F) int64 of each field, `N_LEVELS` - 1 for the same value; -1: one side has none.
        chance: (n, F) share of records with the value of the left record, where both have the same.
        changed: (n,) whether values are compared where they went.
    """

    level: Int64
    chance: Float64
    changed: Bool


def patterns(
    side: Side,
    fields: Sequence[Sequence[int]],
    share: Float64,
    pairs: Candidates,
    swaps: Sequence[tuple[int, int]] = (),
) -> Patterns:
    """How candidate pairs agree in each field.

    Args:
        side: embeddings of n records, taken apart.
        fields: blocks of each of F fields; what a field's blocks say counts alike.
        share: (n, F) of the records that have the value of each record.
        pairs: of them.
        swaps: pairs of blocks, each a field of its own, that may have changed places.
    """
    level, chance, alike = [], [], []
    for blocks, of_value in zip(fields, share.T, strict=True):
        cosine = np.zeros(len(pairs.query), np.float32)
        there = np.ones(len(pairs.query), np.bool_)
        for block in blocks:
            unit, mass = side.unit[block], side.mass[:, block] > 0
            cosine += np.einsum("ij,ij->i", unit[pairs.query], unit[pairs.candidate])
            there &= mass[pairs.query] & mass[pairs.candidate]
        alike.append(cosine / len(blocks))
        level.append(np.where(there, _reached(alike[-1]), -1))
        chance.append(of_value[pairs.query])
    found = Patterns(
        np.stack(level, 1).astype(np.int64),
        np.stack(chance, 1),
        np.zeros(len(pairs.query), np.bool_),
    )
    place = {blocks[0]: field for field, blocks in enumerate(fields) if len(blocks) == 1}
    for i, j in swaps:
        crossed = [
            np.einsum("ij,ij->i", side.unit[a][pairs.query], side.unit[b][pairs.candidate])
            for a, b in ((j, i), (i, j))
        ]
        at = [place[i], place[j]]
        moved = (np.minimum(*crossed) >= ALIKE) & (np.maximum(*(alike[f] for f in at)) < UNLIKE)
        for field, cosine in zip(at, crossed, strict=True):
            found.level[moved, field] = _reached(cosine[moved])
            found.chance[moved, field] = share[pairs.candidate[moved], field]
        found.changed[moved] = True
    return found


def _reached(cosine: NDArray[np.floating]) -> NDArray[np.intp]:
    """The level of each cosine."""
    return np.searchsorted(np.array(CUTS, np.float32), cosine, side="right")


def shares(level: Int64, weight: Float64, pseudo: float) -> Float64:
    """Share of each level among pairs with a value on both sides: (F, levels).

    Args:
        level: (n, F) of each field; -1 where one side has no value.
        weight: (n,) how many pairs each stands for.
        pseudo: pairs added to each level.
    """
    found = np.empty((level.shape[1], N_LEVELS))
    for field, reached in enumerate(level.T):
        there = reached >= 0
        found[field] = np.bincount(reached[there], weight[there], N_LEVELS) + pseudo
    return np.asarray(found / found.sum(1, keepdims=True))
