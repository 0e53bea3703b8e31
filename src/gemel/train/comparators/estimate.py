"""What the scores of records without labels are expected to hold, by the probabilities of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32, Float64
from gemel.data.pairing import Pairing
from gemel.release.run import By, Estimate

N_POINTS = 200
"""Points of the curve by each of the two kinds of pairs."""


def n_pairs(n: int, pairing: Pairing) -> int:
    """Pairs of n records that are compared."""
    if pairing.files is None:
        return n * (n - 1) // 2
    n_right = int(pairing.files.sum())
    return (n - n_right) * n_right


def estimate(
    score: Float32, probability: NDArray[Any], count: Float64, n_records: int, *, by: By
) -> Estimate:
    """Pairs expected to belong together, and not to, that reach each of some scores.

    Args:
        score: (m,) of pairs.
        probability: (m,) that each belongs together.
        count: (m,) pairs that each stands for.
        n_records: whose pairs these are.
        by: what told it.
    """
    order = np.argsort(-score, kind="stable")
    weight, value = count[order], score[order]
    genuine = probability[order].astype(np.float64)
    right, wrong = np.cumsum(weight * genuine), np.cumsum(weight * (1 - genuine))
    by_right = np.searchsorted(right, np.linspace(0, right[-1], N_POINTS))
    by_wrong = np.searchsorted(wrong, np.geomspace(min(0.01, wrong[-1]), wrong[-1], N_POINTS))
    last = np.append(np.flatnonzero(np.diff(value)), len(value) - 1)
    at = np.minimum(np.concatenate([by_right, by_wrong]), len(value) - 1)
    at = last[np.unique(np.searchsorted(last, at))]
    return Estimate(
        n_records=n_records,
        share=float(right[-1] / (right[-1] + wrong[-1])),
        threshold=tuple(value[at].tolist()),
        right=tuple(right[at].tolist()),
        wrong=tuple(wrong[at].tolist()),
        by=by,
    )
