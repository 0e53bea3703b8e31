"""Identities that are harder than others, beyond what chance gives: Doddington's zoo.

Some identity always has the most errors. Here each is judged against the hypothesis that errors
fall on everybody alike, with a correction for how many are looked at. Comparisons are symmetric, so
who imitates (a wolf) cannot be told from who is imitated (a lamb). Who they are is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from gemel.arrays import Bool, Float64, Int64
from gemel.calibrate.scores.scores import Scores
from gemel.decide.bands import matches

ALPHA = 0.05
N_SHOWN = 8
N_DRAWS = 499
LEAST = 16
"""Identities with mates that corners are counted for."""
MAX_RECORDS = 5
CORNERS = (
    ("dove", True, False),
    ("chameleon", True, True),
    ("phantom", False, False),
    ("worm", False, True),
)
"""Name, whether genuine scores are among the highest quarter (else the lowest), impostor scores."""


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
        spread_p: chance that errors are spread so unevenly if they fall on everybody alike; None
            where no identity has two independent comparisons.
        worst: those with the smallest p, then the most errors.
    """

    n_identities: int
    n_beyond_chance: int
    spread_p: float | None
    worst: tuple[Animal, ...]


class Corner(msgspec.Struct, frozen=True, kw_only=True):
    """Identities in the outer quarter of both mean scores.

    Attributes:
        name: dove (high genuine, low impostor scores), chameleon (both high), phantom (both low),
            worm (low genuine, high impostor scores).
        n: identities.
        expected: if the two means had nothing to do with each other.
        p: chance of that many or more then, four times as large for four corners.
    """

    name: str
    n: int
    expected: float
    p: float


class Zoo(msgspec.Struct, frozen=True, kw_only=True):
    """Errors by identity at the threshold.

    Attributes:
        wolves: false matches; wolves and lambs in one.
        goats: genuine comparisons missed.
        corners: of mean scores; empty with too few identities that have mates.
    """

    wolves: Kind
    goats: Kind
    corners: tuple[Corner, ...]


Who = Callable[[int], tuple[str, tuple[str, ...]]]
"""Name and record ids of an identity code."""


def zoo(scores: Scores, threshold: float, who: Who, *, seed: int = 0) -> Zoo:
    """Who has more errors than chance gives.

    Args:
        scores: labelled comparisons of both classes.
        threshold: of these scores.
        who: name and record ids of an identity code.
        seed: of the simulated chance.
    Source: Doddington et al. 1998, Sheep, goats, lambs and wolves; corners: Yager and Dunstone
        2010, The biometric menagerie; correction: Holm 1979.
    """
    rng = np.random.default_rng(seed)
    match = matches(scores.score, threshold)
    wolves = _wolves(scores, np.flatnonzero(match & ~scores.genuine), who, rng)
    goats = _goats(scores, np.flatnonzero(~match & scores.genuine), who, rng)
    return Zoo(wolves=wolves, goats=goats, corners=_corners(scores))


def _wolves(scores: Scores, wrong: Int64, who: Who, rng: np.random.Generator) -> Kind:
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
    spread = _spread(errors[at], of, rate, rng)
    return _kind(at, errors[at], of.astype(np.int64), expected, p, spread, who)


def _goats(scores: Scores, wrong: Int64, who: Who, rng: np.random.Generator) -> Kind:
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
    spread = _spread(scaled, independent, rates, rng) if independent.max(initial=0) > 1 else None
    return _kind(at, errors, of, rate * of, p, spread, who)


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
    p[some] = betainc(errors[some], np.maximum(of - errors, 0)[some] + 1, rate[some])
    return p


def _spread(
    errors: NDArray[Any], of: Float64, rate: Float64, rng: np.random.Generator
) -> float | None:
    """Chance of so uneven a spread, by simulation; None without errors.

    Each draw is held against its own total, as the errors are.
    """
    known = (rate > 0) & (of > 0)
    expected = (of * rate)[known]
    if not expected.sum():
        return None
    drawn = rng.binomial(of[known].astype(np.int64), rate[known], (N_DRAWS, len(expected)))
    seen, *chance = (
        np.square(row - share * expected) @ (1 / expected) / share
        for row in (errors[known], *drawn)
        if (share := row.sum() / expected.sum()) > 0
    )
    return float((1 + sum(c >= seen - 1e-9 for c in chance)) / (1 + len(chance)))


def _kind(
    at: Int64,
    errors: Int64,
    of: Int64,
    expected: Float64,
    p: Float64,
    spread: float | None,
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
        spread_p=spread,
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


def _corners(scores: Scores) -> tuple[Corner, ...]:
    """The outer quarters of mean genuine and mean impostor score, against chance."""
    from scipy.stats import hypergeom

    mean = []
    for chosen in (scores.genuine, ~scores.genuine):
        total, count = np.zeros(scores.n_codes), np.zeros(scores.n_codes)
        for at in scores.blocks():
            for side in (scores.left, scores.right):
                codes = side[at][chosen[at]]
                total += np.bincount(codes, scores.score[at][chosen[at]], scores.n_codes)
                count += np.bincount(codes, minlength=scores.n_codes)
        mean.append(np.divide(total, count, where=count > 0, out=np.full(len(total), np.nan)))
    known = np.isfinite(mean[0]) & np.isfinite(mean[1])
    n = int(np.count_nonzero(known))
    if n < LEAST:
        return ()
    quarter = n // 4
    ranks = [np.argsort(np.argsort(m[known], kind="stable")) for m in mean]
    found = []
    for name, *high in CORNERS:
        sides = (r >= n - quarter if h else r < quarter for r, h in zip(ranks, high, strict=True))
        n_here = int(np.count_nonzero(np.logical_and(*sides)))
        p = min(1.0, 4 * float(hypergeom.sf(n_here - 1, n, quarter, quarter)))
        found.append(Corner(name=name, n=n_here, expected=quarter * quarter / n, p=p))
    return tuple(found)
