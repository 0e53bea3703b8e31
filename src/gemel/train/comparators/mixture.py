"""Which candidate pairs belong together, told without labels: a mixture of two kinds of pairs.

Each field of a pair agrees to some level. Pairs that belong together agree more often than others;
how often either kind reaches each level, and how many of either there are, is what explains best
what was seen. Fields are taken as independent within a kind, but for how many differ at once among
what belongs together. To share a rare value says more than to share a common one; a value that one
side lacks says nothing. Two values that changed places are compared where they went, at the price
of how rarely that happens, which is told as well.

Source: Fellegi and Sunter 1969; Winkler 1988 for the estimate by expectation maximization, and 2000
for values by their frequency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.encode.comparators.blocks import Side
from gemel.train.comparators.differing import Differing
from gemel.train.comparators.pairs import Candidates

CUTS = (0.2, 0.4, 0.6, 0.8, 0.95, 0.999)
"""Cosines at which a field reaches the next level; at the last one values are the same."""
N_LEVELS = len(CUTS) + 1
START = (0.02, 0.02, 0.02, 0.04, 0.05, 0.05, 0.8)
"""Shares of the levels among pairs that belong together, before anything was seen."""
PSEUDO = 0.5
"""Pairs added to each level of those that belong together."""
LEAST_U = 1e-9
MAX_STEPS = 300
TOLERANCE = 1e-4
MAX_LOG_ODDS = 50.0
ALIKE, UNLIKE = 0.8, 0.4
"""Cosines from which values that changed places are alike, and below which they were not before."""
CHANGED_PLACES = 0.02
"""Share of the pairs that belong together in which two given fields changed places, before anything
was seen."""
PSEUDO_PLACES = 10.0
"""Pairs that belong together that this first share counts for."""


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


@dataclass(frozen=True, eq=False)
class Mixture:
    """What explains the patterns best.

    Attributes:
        posterior: (n,) probability that a pair belongs together.
        share: of pairs that belong together among all that the weights stand for.
    """

    posterior: Float64
    share: float


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


def fit(seen: Patterns, weight: Float32, n_records: int) -> Mixture:
    """The mixture that explains the patterns.

    Args:
        seen: of n pairs.
        weight: (n,) how many pairs each stands for.
        n_records: that the pairs are of; one mate each is the first guess.
    """
    weights, n_fields = weight.astype(np.float64), seen.level.shape[1]
    together = np.tile(np.array(START), (n_fields, 1))
    apart = _levels(seen, weights, LEAST_U * weights.sum())
    share, moved, posterior = 1 / n_records, CHANGED_PLACES, np.zeros(len(weights))
    same = seen.level == N_LEVELS - 1
    by_chance = np.log(np.maximum(seen.chance, 1 / n_records))
    differing, at_once = Differing.among(seen.level >= 0, same), np.zeros(len(weights))
    for _ in range(MAX_STEPS):
        odds = np.log(share / (1 - share)) + np.log(moved) * seen.changed + at_once
        for field in range(n_fields):
            # One more level, for a value that is missing.
            says = np.append(np.log(together[field] / apart[field]), 0.0)[seen.level[:, field]]
            rare = np.log(together[field, -1]) - by_chance[:, field]
            odds += np.where(same[:, field], rare, says)
        posterior = 1 / (1 + np.exp(-np.clip(odds, -MAX_LOG_ODDS, MAX_LOG_ODDS)))
        before, share = share, float(weights @ posterior / weights.sum())
        genuine = weights * posterior
        moved = CHANGED_PLACES * PSEUDO_PLACES + float(genuine @ seen.changed)
        moved /= PSEUDO_PLACES + float(genuine.sum())
        together = _levels(seen, genuine, PSEUDO)
        at_once = differing.log_ratio(genuine, 1 - together[:, -1])
        apart = _levels(seen, weights * (1 - posterior), LEAST_U * weights.sum())
        if abs(share - before) <= TOLERANCE * before:
            break
    return Mixture(posterior, share)


def _levels(seen: Patterns, weight: Float64, pseudo: float) -> Float64:
    """Share of each level among pairs with a value on both sides: (F, levels)."""
    found = np.empty((seen.level.shape[1], N_LEVELS))
    for field, level in enumerate(seen.level.T):
        there = level >= 0
        found[field] = np.bincount(level[there], weight[there], N_LEVELS) + pseudo
    return np.asarray(found / found.sum(1, keepdims=True))
