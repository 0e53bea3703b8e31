"""How many decisions two releases take differently, as their gold sets say; no records needed."""

from __future__ import annotations

import numpy as np

from gemel.arrays import Bool
from gemel.decide.bands import NO_MATCH
from gemel.release.precedents import Gold, Precedents
from gemel.release.release import GOLD, Release

LEAST_GENUINE = 30
"""Comparisons of gold records that both have, below which nothing is predicted."""


def predicted_flips(before: Release, after: Release) -> float | None:
    """Of the comparisons where one of two releases finds something, the share that they flip.

    On the gold records of both, at the share of genuine comparisons that the policy of the first
    one states.

    Args:
        before: the one that is live.
        after: the one that would be.
    Returns:
        None where decisions go by category, or the gold sets have too few records in common.
    """
    both = (before, after)
    if any(GOLD not in r.manifest.files or r.policy.categories for r in both):
        return None
    gold = _common(before.gold, after.gold)
    if gold is None:
        return None
    decided, genuine = [], np.zeros(0, bool)
    for release, kept in zip(both, gold, strict=True):
        known = Precedents.of(kept, release.comparator)
        order = np.lexsort((known.right, known.left))
        decided.append(release.policy.verify.outcomes(known.score[order]))
        genuine = known.genuine[order]
    if np.count_nonzero(genuine) < LEAST_GENUINE:
        return None
    found = (decided[0] != NO_MATCH) | (decided[1] != NO_MATCH)
    weight = np.where(genuine, *_weights(before.policy.prior, genuine))
    n_found = float(weight[found].sum())
    return float(weight[decided[0] != decided[1]].sum()) / n_found if n_found else None


def _common(one: Gold, other: Gold) -> tuple[Gold, Gold] | None:
    """The records that both hold, in one order; None where ids do not mean the same in both."""
    ids, mine, theirs = np.intersect1d(one.ids, other.ids, return_indices=True)
    groups = [np.unique(g.identities[at], return_inverse=True)[1] for g, at in
              ((one, mine), (other, theirs))]  # fmt: skip
    n_identities = len(set(groups[0].tolist()))
    if len(set(zip(*(g.tolist() for g in groups), strict=True))) != n_identities:
        return None  # who belongs together differs: rows were counted, not named
    if len(set(groups[1].tolist())) != n_identities:
        return None
    codes = groups[0].astype(np.int64)
    return Gold(one.embeddings[mine], codes, ids), Gold(other.embeddings[theirs], codes, ids)


def _weights(prior: float, genuine: Bool) -> tuple[float, float]:
    """What a genuine and what an impostor comparison stand for."""
    n = int(genuine.sum())
    return prior / max(1, n), (1 - prior) / max(1, len(genuine) - n)
