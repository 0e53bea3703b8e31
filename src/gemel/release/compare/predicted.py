"""How many decisions two releases take differently, as their gold sets say; no records needed."""

from __future__ import annotations

import numpy as np

from gemel.arrays import Bool
from gemel.decide.bands import NO_MATCH
from gemel.release.precedents import Precedents
from gemel.release.release import GOLD, Release


def predicted_flips(before: Release, after: Release) -> float | None:
    """Of the comparisons where one of two releases finds something, the share that they flip.

    At the share of genuine comparisons that the policy of the first one states.

    Args:
        before: the one that is live.
        after: the one that would be.
    Returns:
        None where the gold sets do not hold the same records, or decisions go by category.
    """
    both = (before, after)
    if any(GOLD not in r.manifest.files or r.policy.categories for r in both):
        return None
    gold = [r.gold for r in both]
    if not all(
        np.array_equal(getattr(gold[0], part), getattr(gold[1], part))
        for part in ("ids", "identities")
    ):
        return None
    decided, genuine = [], np.zeros(0, bool)
    for release, kept in zip(both, gold, strict=True):
        known = Precedents.of(kept, release.comparator)
        order = np.lexsort((known.right, known.left))
        decided.append(release.policy.verify.outcomes(known.score[order]))
        genuine = known.genuine[order]
    found = (decided[0] != NO_MATCH) | (decided[1] != NO_MATCH)
    weight = np.where(genuine, *_weights(before.policy.prior, genuine))
    n_found = float(weight[found].sum())
    return float(weight[decided[0] != decided[1]].sum()) / n_found if n_found else None


def _weights(prior: float, genuine: Bool) -> tuple[float, float]:
    """What a genuine and what an impostor comparison stand for."""
    n = int(genuine.sum())
    return prior / max(1, n), (1 - prior) / max(1, len(genuine) - n)
