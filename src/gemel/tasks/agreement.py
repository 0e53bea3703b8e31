"""How well clusters agree with known identities: pairwise, B-cubed, adjusted Rand, exact clusters.

All measures come from one sparse table of how many records each cluster and identity share, so
nothing is as large as the number of pairs. Records of unknown identity count nowhere.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from gemel.arrays import Float64, Int64
from gemel.errors import DataError


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """Precision, recall and their harmonic mean."""

    precision: float
    recall: float
    f1: float


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Clusters against identities; plain JSON values.

    Args:
        n_records: of known identity.
        n_identities: among them.
        n_false_pairs: pairs in one cluster whose identities differ.
        n_missed_pairs: pairs of one identity in different clusters.
        pairwise: over pairs of records.
        b_cubed: mean over records of the shares of their cluster and of their identity.
        exact: over clusters and identities of two records or more: those that are equal.
        adjusted_rand: 1 for equal partitions, 0 expected by chance.
    """

    n_records: int
    n_identities: int
    n_false_pairs: int
    n_missed_pairs: int
    pairwise: Quality
    b_cubed: Quality
    exact: Quality
    adjusted_rand: float


def agreement(labels: Int64, identities: Int64) -> Agreement:
    """How well clusters agree with identities.

    Args:
        labels: (n,) int64, the cluster of each record.
        identities: (n,) int64 codes; -1 = unknown.
    Raises:
        DataError: lengths differ, or no identity is known.
    Source: B-cubed: Bagga and Baldwin 1998; adjusted Rand index: Hubert and Arabie 1985.
    """
    if labels.shape != identities.shape:
        raise DataError(f"{labels.shape} clusters do not fit {identities.shape} identities")
    known = identities >= 0
    if not known.any():
        raise DataError("no identity is known", hint="name the identity column")
    of_cluster = np.unique(labels[known], return_inverse=True)[1]
    identity, of_identity = np.unique(identities[known], return_inverse=True)
    cell, shared = np.unique(of_cluster * len(identity) + of_identity, return_counts=True)
    clusters: Float64 = np.bincount(of_cluster).astype(np.float64)
    members: Float64 = np.bincount(of_identity).astype(np.float64)
    in_cluster, in_identity = clusters[cell // len(identity)], members[cell % len(identity)]
    n, both = len(of_cluster), shared.astype(np.float64)
    right, claimed, genuine = _pairs(both), _pairs(clusters), _pairs(members)
    many = both > 1
    equal = int(np.count_nonzero(many & (both == in_cluster) & (both == in_identity)))
    return Agreement(
        n_records=n,
        n_identities=len(identity),
        n_false_pairs=int(claimed - right),
        n_missed_pairs=int(genuine - right),
        pairwise=_quality(_share(right, claimed), _share(right, genuine)),
        b_cubed=_quality(
            math.fsum(both * both / in_cluster) / n, math.fsum(both * both / in_identity) / n
        ),
        exact=_quality(
            _share(equal, int(np.count_nonzero(clusters > 1))),
            _share(equal, int(np.count_nonzero(members > 1))),
        ),
        adjusted_rand=_adjusted_rand(right, claimed, genuine, n),
    )


def _pairs(counts: Float64) -> float:
    """Pairs within groups of these sizes."""
    return float((counts * (counts - 1) / 2).sum())


def _share(part: float, whole: float) -> float:
    """A share; of nothing, all of it."""
    return part / whole if whole else 1.0


def _quality(precision: float, recall: float) -> Quality:
    both = precision + recall
    f1 = 2 * precision * recall / both if both else 0.0
    return Quality(precision=float(precision), recall=float(recall), f1=float(f1))


def _adjusted_rand(right: float, claimed: float, genuine: float, n: int) -> float:
    by_chance = claimed * genuine / max(n * (n - 1) / 2, 1)
    most = (claimed + genuine) / 2
    return 1.0 if most == by_chance else (right - by_chance) / (most - by_chance)
