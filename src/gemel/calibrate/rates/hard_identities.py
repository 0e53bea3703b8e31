"""Identities that are harder than others, beyond what chance gives: Doddington's zoo.

Some identity always has the most errors. Here each is judged against the hypothesis that errors
fall on everybody alike, with a correction for how many are looked at. Comparisons are symmetric, so
who imitates (a wolf) cannot be told from who is imitated (a lamb). Who they are is not known here.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import scipy  # which imports its parts when they are used

from gemel.arrays import Bool, Float64, Int64
from gemel.calibrate.scores.scores import Scores
from gemel.decide.bands import matches

ALPHA = 0.05
N_SHOWN = 8
MAX_RECORDS = 5


class Animal(msgspec.Struct, frozen=True, kw_only=True):
    """An identity with many errors.

    Attributes:
        identity: its name.
        records: ids of some of its records.
        n: errors: other identities that it is falsely matched with, or genuine comparisons missed.
        of: what could have been an error.
        expected: errors if they fell on everybody alike.
        p: chance of that many or more then, after Holm's correction.
    """

    identity: str
    records: tuple[str, ...]
    n: int
    of: int
    expected: float
    p: float


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of error, by identity.

    Attributes:
        n_identities: that could have it.
        n_beyond_chance: of these, with p below 0.05 after correction.
        worst: those with the smallest p, then the most errors.
    """

    n_identities: int
    n_beyond_chance: int
    worst: tuple[Animal, ...]


class Zoo(msgspec.Struct, frozen=True, kw_only=True):
    """Errors by identity at the threshold.

    Attributes:
        wolves: false matches; wolves and lambs in one.
        goats: genuine comparisons missed.
    """

    wolves: Kind
    goats: Kind


Who = Callable[[int], tuple[str, tuple[str, ...]]]
"""Name and record ids of an identity code."""


def zoo(scores: Scores, threshold: float, who: Who) -> Zoo:
    """Who has more errors than chance gives.

    Args:
        scores: labelled comparisons of both classes.
        threshold: of these scores.
        who: name and record ids of an identity code.
    Source: Doddington et al. 1998, Sheep, goats, lambs and wolves; correction: Holm 1979.
    """
    match = matches(scores.score, threshold)
    wolves = _wolves(scores, np.flatnonzero(match & ~scores.genuine), who)
    goats = _goats(scores, np.flatnonzero(~match & scores.genuine), who)
    return Zoo(wolves=wolves, goats=goats)


def _wolves(scores: Scores, wrong: Int64, who: Who) -> Kind:
    """Other identities that each is falsely matched with: of n - 1, if all do so alike."""
    n = scores.n_codes
    left, right = scores.left[wrong].astype(np.int64), scores.right[wrong].astype(np.int64)
    pairs = np.unique(np.minimum(left, right) * n + np.maximum(left, right))
    errors = np.bincount(pairs // n, minlength=n) + np.bincount(pairs % n, minlength=n)
    weight = _touched(scores, ~scores.genuine)
    at = np.flatnonzero(weight)
    of = np.full(len(at), len(at) - 1, np.float64)
    expected = errors.sum() * weight[at] / max(weight.sum(), 1)
    rate = np.minimum(expected / np.maximum(of, 1), 1.0)
    p = _tail(errors[at].astype(np.float64), of, rate)
    return _kind(at, errors[at], of.astype(np.int64), expected, p, who)


def _goats(scores: Scores, wrong: Int64, who: Who) -> Kind:
    """Genuine comparisons of each that are missed; k records make k // 2 independent ones."""
    n = scores.n_codes
    genuine = np.bincount(scores.left[scores.genuine], minlength=n)
    missed = np.bincount(scores.left[wrong], minlength=n)
    at = np.flatnonzero(genuine)
    of, errors = genuine[at], missed[at]
    rate = errors.sum() / max(of.sum(), 1)
    k = np.floor((1 + np.sqrt(1 + 8 * of.astype(np.float64))) / 2)
    independent = np.maximum(k // 2, 1)
    scaled, rates = errors * independent / of, np.full(len(at), rate)
    p = _tail(scaled, independent, rates)
    return _kind(at, errors, of, rate * of, p, who)


def _touched(scores: Scores, chosen: Bool) -> Int64:
    """Chosen comparisons of each identity."""
    total = np.zeros(scores.n_codes, np.int64)
    for at in scores.blocks():
        for side in (scores.left, scores.right):
            total += np.bincount(side[at][chosen[at]], minlength=scores.n_codes)
    return total


def _tail(errors: Float64, of: Float64, rate: Float64) -> Float64:
    """Chance of so many errors or more: binomial, for numbers that need not be whole."""
    some = errors > 0
    p = np.ones(len(errors))
    p[some] = scipy.special.betainc(errors[some], np.maximum(of - errors, 0)[some] + 1, rate[some])
    return p


def _kind(
    at: Int64,
    errors: Int64,
    of: Int64,
    expected: Float64,
    p: Float64,
    who: Who,
) -> Kind:
    corrected = holm(p)
    order = np.lexsort((-errors, corrected))
    worst = []
    for i in order[:N_SHOWN].tolist():
        if errors[i] == 0:
            break
        name, records = who(int(at[i]))
        worst.append(
            Animal(
                identity=name,
                records=records[:MAX_RECORDS],
                n=int(errors[i]),
                of=int(of[i]),
                expected=float(expected[i]),
                p=float(corrected[i]),
            )
        )
    return Kind(
        n_identities=len(at),
        n_beyond_chance=int(np.count_nonzero(corrected < ALPHA)),
        worst=tuple(worst),
    )


def holm(p: Float64) -> Float64:
    """P values that hold however many are looked at, and however they depend on each other.

    Source: Holm 1979.
    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    rising = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(rising)
    corrected[order] = np.minimum(rising, 1.0)
    return corrected
