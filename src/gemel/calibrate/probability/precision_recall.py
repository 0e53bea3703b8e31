"""Precision and recall at a stated prior, over all thresholds.

Precision depends on how rare genuine comparisons are. Labelled comparisons hold an artificial
share of them, so it is computed from FMR and FNMR at a prior that is said, never from raw counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gemel.calibrate.rates.operating_point import check_prior
from gemel.calibrate.scores.sweep import Sweep

BLOCK = 1 << 20


def precision_at(fmr: Any, fnmr: Any, prior: float) -> Any:
    """Precision that the two rates give at a prior; 1 where nothing matches.

    Example:
        >>> float(precision_at(0.001, 0.1, 0.001).round(4))
        0.4739
    """
    true = prior * (1 - fnmr)
    match = true + (1 - prior) * fmr
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(match > 0, np.divide(true, match), 1.0)[()]


def average_precision(curve: Sweep, prior: float) -> float:
    """Mean precision over the genuine comparisons, each at the threshold that just accepts it.

    Args:
        curve: the exact sweep.
        prior: share of genuine comparisons in use, in (0, 1).
    Source: Manning, Raghavan and Schütze 2008, chapter 8; without interpolation.
    """
    check_prior(prior)
    total = 0.0
    for start in range(1, len(curve.threshold), BLOCK):
        at = slice(start, start + BLOCK)
        true = curve.n_true_match[at]
        new = np.diff(true, prepend=curve.n_true_match[start - 1])
        fmr, fnmr = curve.n_false_match[at] / curve.n_impostor, 1 - true / curve.n_genuine
        total += float(new @ precision_at(fmr, fnmr, prior))
    return total / curve.n_genuine
