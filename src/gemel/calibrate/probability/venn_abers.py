"""An interval for the probability of a match: what it would be if this pair were the next label.

A score gets two probabilities: that of an isotonic fit in which it counts as an impostor, and that
of one in which it counts as genuine. One of the two is calibrated whatever the distribution of
scores, if comparisons are exchangeable. They lie far apart where few comparisons scored like this
one: a reason to ask a person. Both are steps of the score, so a lookup is a bisection.
"""

from __future__ import annotations

import numpy as np

from gemel.arrays import Float64, Int64
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import Sweep, hull_blocks, sweep
from gemel.decide.venn_abers import VennAbers

MAX_BINS = 1024
"""Bins of scores that are fitted; with fewer distinct scores the interval is exact."""

MAX_STEPS = 512


def fit(scores: Scores) -> VennAbers:
    """The inductive Venn-Abers interval of the scores, in at most 512 steps.

    More steps than that are joined so that the interval only widens.

    Args:
        scores: labelled comparisons of both classes, of identities that trained nothing.
    Raises:
        DataError: a class is missing.
    Source: Vovk, Petej and Fedorova 2015, Large-scale probabilistic predictors with and without
        guarantees of validity.
    """
    scores.require_both()
    curve = sweep(scores)
    ends = _ends(curve)[::-1]  # rising scores from here on
    true = -np.diff(curve.n_true_match[ends]).astype(np.float64)
    false = -np.diff(curve.n_false_match[ends]).astype(np.float64)
    low, high = _both(true, true + false)
    least = curve.threshold[ends[:-1]].astype(np.float64)
    most = np.nextafter(curve.threshold[ends[1:] + 1].astype(np.float64), np.inf)
    score = np.column_stack([least, most]).ravel()
    first = _steps(low, high)
    return VennAbers(
        tuple(score[first[1:] - 1].tolist()),
        tuple(np.minimum.reduceat(low, first).tolist()),
        tuple(np.maximum.reduceat(high, first).tolist()),
        scores.n_genuine / len(scores),
    )


def _ends(curve: Sweep) -> Int64:
    """Positions in the sweep between which scores make one bin, from the strictest on."""
    n = len(curve.threshold)
    if n - 1 <= MAX_BINS:
        return np.arange(n)
    mass = curve.n_true_match / curve.n_genuine + curve.n_false_match / curve.n_impostor
    even = np.searchsorted(mass, np.linspace(0, mass[-1], MAX_BINS // 2))
    hull = hull_blocks(curve)[0]
    kept = hull[np.unique(np.linspace(0, len(hull) - 1, MAX_BINS // 2).astype(int))]
    return np.unique(np.concatenate([[0, n - 1], even, kept]))


def _both(true: Float64, weight: Float64) -> tuple[Float64, Float64]:
    """Both probabilities below all bins, at the first, behind it, at the second...: (2 k + 1,)."""
    from scipy.optimize import isotonic_regression

    n = len(true)
    found = np.empty((2, 2 * n + 1))
    for i in range(2 * n + 1):
        at = i // 2
        for label in (0, 1):
            if i % 2:
                more_true, more = true.copy(), weight.copy()
                more_true[at] += label
                more[at] += 1
            else:
                more_true, more = np.insert(true, at, label), np.insert(weight, at, 1.0)
            found[label, i] = isotonic_regression(more_true / more, weights=more).x[at]
    low, high = np.maximum.accumulate(found, axis=1)  # both rise, but for the last bit
    return low, high


def _steps(low: Float64, high: Float64) -> Int64:
    """First place of each step: where a probability changes, or enough of it has changed."""
    change = np.abs(np.diff(low)) + np.abs(np.diff(high))
    first = np.append(0, np.flatnonzero(change > 0) + 1)
    if len(first) <= MAX_STEPS:
        return first
    moved = np.cumsum(change)
    wanted = np.searchsorted(moved, np.linspace(0, moved[-1], MAX_STEPS)[1:-1])
    return np.unique(np.append(0, wanted + 1))
