"""What answers about pairs prove that were drawn at random from strata of the score.

Each stratum is asked about in a random order that was fixed before, so that those that were asked
are a random sample of it whatever the others said, and count for as many pairs as it has for each.
How questions are put, and where answers are kept, is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import scipy  # which imports its parts when they are used

from gemel.arrays import Bool, Float64, Int64
from gemel.calibrate.rates.intervals import Estimate

METHOD = "stratified sample, exact binomial on effective answers"
NOBODY = Estimate(value=0.0, low=0.0, high=1.0, n_effective=0.0, method="nobody answered")
FIRST_LOOK = 40
BETWEEN_LOOKS = 1.5
"""A proof is looked for after 40, 60, 90, ... answers: each look is another chance to be wrong."""
OF_LOOK = 0.4
"""Share of the allowed error that a look may take; simulated, all looks together keep it."""
OF_PRESENT = 0.75
"""Share of that for the present threshold and lower ones; the rest for higher ones."""
MOST_NEEDED = 10_000
"""Answers beyond which nobody is told how many are needed."""


class Stratum(msgspec.Struct, frozen=True):
    """Pairs whose score is below that of the stratum before.

    Attributes:
        low: lowest score.
        n: how many pairs.
    """

    low: float
    n: int


@dataclass(frozen=True, eq=False)
class Drawn:
    """Answers about pairs of strata.

    Attributes:
        strata: by falling score; every one begins where another threshold could be.
        present: how many strata match at the present threshold.
        stratum: (n,) of each answer.
        genuine: (n,) what was said.
        may_lower: whether a lower threshold than the present one may be proven: not where pairs
            below it were left out for another reason than their score.
    """

    strata: tuple[Stratum, ...]
    present: int
    stratum: Int64
    genuine: Bool
    may_lower: bool = True

    @property
    def _counts(self) -> tuple[Float64, Float64, Float64]:
        """Pairs, answers and genuine ones of each stratum."""
        k = len(self.strata)
        size = np.array([s.n for s in self.strata], np.float64)
        n = np.bincount(self.stratum, minlength=k).astype(np.float64)
        return size, n, np.bincount(self.stratum, self.genuine, k).astype(np.float64)

    def precision(self, first: int, confidence: float = 0.95) -> Estimate:
        """Share of genuine pairs in the first strata, with a two-sided interval."""
        size, n, true = (part[:first] for part in self._counts)
        if (n[size > 0] == 0).any() or not size.sum():
            return NOBODY
        weight, some = size / size.sum(), size > 0
        rate, likely, spread = _moments(size[some], n[some], true[some])
        value = float(weight[some] @ rate)
        center = float(weight[some] @ likely)
        variance = float(weight[some] ** 2 @ spread)
        return _estimate(value, center, variance, confidence)

    def recall(self, first: int, confidence: float = 0.95) -> Estimate:
        """Share of genuine pairs that are in the first strata, of those in all."""
        size, n, true = self._counts
        some = size > 0
        if (n[some] == 0).any():
            return NOBODY
        rate, likely, spread = _moments(size[some], n[some], true[some])
        above = np.flatnonzero(some) < first
        found, expected = size[some] * rate, size[some] * likely
        if not found.sum():
            return NOBODY
        value = float(found[above].sum() / found.sum())
        center = float(expected[above].sum() / expected.sum())
        slope = np.where(above, 1 - center, -center)
        variance = float((slope * size[some]) ** 2 @ spread / expected.sum() ** 2)
        return _estimate(value, center, variance, confidence)

    def expected(self) -> Float64:
        """Genuine pairs in each stratum, as far as answers say; NaN where nobody answered."""
        size, n, true = self._counts
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(size > 0, size * true / n, 0.0))

    def proven(self, goal: float, confidence: float) -> int:
        """How many strata surely hold at least this precision; 0 if none do.

        The present threshold first, then lower ones while they hold; higher ones where it fails.

        Args:
            goal: share of genuine pairs.
            confidence: of the proof, over all looks together.
        """
        error = (1 - confidence) * OF_LOOK
        held = 0
        lowest = len(self.strata) if self.may_lower else self.present
        for first in range(self.present, lowest + 1):
            if self.precision(first, 1 - 2 * error * OF_PRESENT).low < goal:
                break
            held = first
        higher = range(self.present - 1, 0, -1)
        for first in higher if not held else ():
            part = error * (1 - OF_PRESENT) / len(higher)
            if self.precision(first, 1 - 2 * part).low >= goal:
                return first
        return held

    def reach(self, confidence: float) -> float | None:
        """The highest precision that is proven, in whole per cent above half; None if none is."""
        if not is_due(len(self.stratum), 0):
            return None
        goals = (per_cent / 100 for per_cent in range(99, 50, -1))
        return next((goal for goal in goals if self.proven(goal, confidence)), None)

    def missing(self, goal: float, confidence: float) -> int | None:
        """About how many more answers prove this precision at the present threshold.

        Returns:
            None where answers say that it is not reached, or nothing yet.
        """
        error = _of_present(confidence)
        now = self.precision(self.present, 1 - 2 * error)
        if now is NOBODY or now.value < goal or not now.n_effective:
            return None
        wrong, n = 1 - now.value, now.n_effective
        while n < 1e6 and _limit(wrong * n, n, error) > 1 - goal:
            n *= 1.02
        if n >= 1e6:
            return None
        asked = float(len(self.stratum))
        return math.ceil(asked * (n / now.n_effective - 1))


def needed(
    strata: Sequence[Stratum],
    present: int,
    shares: Sequence[float],
    rate: float,
    goal: float,
    confidence: float,
) -> int | None:
    """About how many questions prove a precision at the present threshold, before any is put.

    Args:
        strata: by falling score.
        present: how many of them match.
        shares: of the questions, of each stratum; questions that do not count are in none.
        rate: share of genuine pairs that is expected among those that match, in each stratum.
        goal: the precision.
        confidence: of the proof.
    Returns:
        None where fewer are expected to be right, or nobody would answer so many.
    """
    error, n = _of_present(confidence), FIRST_LOOK
    while rate >= goal and n <= MOST_NEEDED:
        asked = [min(round(n * share), s.n) for s, share in zip(strata, shares, strict=True)]
        genuine = [np.arange(a) < round(rate * a) for a in asked]
        stratum = np.repeat(np.arange(len(asked)), asked)
        drawn = Drawn(tuple(strata), present, stratum, np.concatenate(genuine))
        if drawn.precision(present, 1 - 2 * error).low >= goal:
            return n
        n = math.ceil(1.1 * n)
    return None


def is_due(n: int, looked: int) -> bool:
    """Whether a proof is looked for after n answers, if it last was after `looked`.

    Example:
        >>> [n for n in range(140) if is_due(n, n - 1)]
        [40, 60, 90, 135]
    """
    at = float(FIRST_LOOK)
    while math.ceil(at) <= looked:
        at *= BETWEEN_LOOKS
    return n >= math.ceil(at)


def _of_present(confidence: float) -> float:
    """The error that one look may take at the present threshold."""
    return (1 - confidence) * OF_LOOK * OF_PRESENT


def _moments(size: Float64, n: Float64, true: Float64) -> tuple[Float64, Float64, Float64]:
    """Rate, a rate that is never 0 or 1, and the variance of the former, of each stratum."""
    likely = (true + 0.5) / (n + 1)
    left = np.maximum(1 - n / size, 0.0)  # a stratum that was asked about in full is known
    return true / n, likely, left * likely * (1 - likely) / n


def _estimate(value: float, center: float, variance: float, confidence: float) -> Estimate:
    n = center * (1 - center) / max(variance, 1e-12)
    tail = (1 - confidence) / 2
    low, high = 1 - _limit((1 - value) * n, n, tail), _limit(value * n, n, tail)
    return Estimate(value=value, low=low, high=high, n_effective=n, method=METHOD)


def _limit(errors: float, n: float, error: float) -> float:
    """Exact one-sided upper bound of a share, for numbers that need not be whole."""
    if errors >= n:
        return 1.0
    return float(scipy.special.betaincinv(errors + 1, n - errors, 1 - error))
