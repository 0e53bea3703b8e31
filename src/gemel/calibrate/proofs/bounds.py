"""What counted errors prove of an error rate in use: two tests, and both have to be passed.

The first asks how far identities (or units of joined ones) can carry the rate, if there is one more
of them than was seen, worse than the worst. The second asks what was not seen at all: two
identities may err in all of their comparisons, and of such pairs there may be a few. Which errors
are counted, and at which thresholds, is not known here.

Simulations in docs/explanation/thresholds.md; they are run by bench/bench_worlds.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gemel.arrays import Float64, Int64
from gemel.calibrate.rates.intervals import effective_n, upper_bound

STAKES = np.geomspace(0.005, 0.99, 60)
"""Shares of what one has that may be put on a cluster without errors."""

HOPES = 0.8, 0.2
"""Weights of two ways to bet: errors fall on single comparisons, or on whole clusters."""


@dataclass(frozen=True, eq=False)
class Counted:
    """Errors by unit of chance, each array over the units that have comparisons.

    Args:
        errors: (n,) of each unit.
        comparisons: (n,) of each unit, of which the errors are a share.
        n_errors: in all; where units err with each other, each error is one of two units.
        n_comparisons: in all.
        meets: units err with each other, so that one more unit also meets the worst.
        chances: (n,) comparisons of each unit that could have been errors, where `comparisons` are
            matches and the errors are the false ones of them; None: `comparisons`.
        n_chances: in all.
    """

    errors: Float64
    comparisons: Float64
    n_errors: float
    n_comparisons: float
    meets: bool
    chances: Float64 | None = None
    n_chances: float = 0.0

    @property
    def rate(self) -> float:
        """Share of the comparisons that are errors."""
        return self.n_errors / self.n_comparisons

    def with_one_more(self) -> Counted:
        """The same with another unit that is worse than the worst.

        It has as many comparisons as the worst, and is worse than that by the factor by which that
        is worse than the second: the highest of unequal values is passed by about its distance to
        the next. Where two units that err often meet, their rates multiply.
        """
        of, n = self.comparisons, self.n_comparisons
        if self.chances is not None:
            of, n = self.chances, self.n_chances
        rate, mean = self.errors / np.maximum(of, 1), self.n_errors / n
        second, worst = np.argsort(self.errors - mean * of, kind="stable")[-2:].tolist()
        worse = min(1.0, rate[worst] * max(1.0, rate[worst] / max(rate[second], 1e-12)))
        added = float(of[worst])
        met = added / (len(rate) - 1) if self.meets else 0.0
        own, common = worse * added, met * min(1.0, rate[worst] * worse / mean)
        if self.chances is not None:
            added, met = self.comparisons[worst] - self.errors[worst] + own, common
        errors = np.append(self.errors, own + common)
        comparisons = np.append(self.comparisons, added + met)
        errors[worst] += common
        comparisons[worst] += met
        n_errors, n = self.n_errors + own + common, self.n_comparisons + added + met
        return Counted(errors, comparisons, n_errors, n, self.meets)

    def effective(self) -> tuple[float, float]:
        """The rate, and independent comparisons that would be as informative; 0 if unknown."""
        with np.errstate(invalid="ignore", divide="ignore"):
            left_out = np.true_divide(
                self.n_errors - self.errors, self.n_comparisons - self.comparisons
            )
        n = effective_n(self.rate, left_out, self.n_comparisons)
        return self.rate, 0.0 if math.isnan(n) else n

    def bound(self, confidence: float) -> float:
        """Upper bound of the rate over the choice of units, with one more than was seen.

        Source: Clopper and Pearson 1934 on the effective number of comparisons of Fogliato, Patil
            and Perona 2023, arXiv 2306.01198.
        """
        if len(self.errors) < 2 or not self.n_errors:
            return 1.0
        rate, n = self.with_one_more().effective()
        return upper_bound(rate * n, n, confidence) if n else 1.0


@dataclass(frozen=True, eq=False)
class Clusters:
    """Comparisons that may err as one: of two identities with each other, or genuine of one.

    Args:
        n_comparisons: (c,) int64 of each cluster.
    """

    n_comparisons: Int64

    @cached_property
    def sizes(self) -> tuple[Int64, Int64]:
        """Different sizes, rising, and how many clusters have each."""
        return np.unique(self.n_comparisons, return_counts=True)

    def rule_out(
        self, errors: Int64, of: Int64, rate: float, limit: float, confidence: float
    ) -> bool:
        """Whether clusters that were not seen leave a rate of `limit` or more too unlikely.

        Args:
            errors: (k,) of the clusters that have some.
            of: (k,) comparisons of these.
            rate: of all comparisons.
            limit: the rate to be ruled out.
            confidence: of the test.
        Source: clusters that err wholly or not at all: Clopper and Pearson 1934; otherwise a bet
            on each cluster's share of errors: Waudby-Smith and Ramdas 2024, arXiv 2010.09686.
        """
        n = len(self.n_comparisons)
        if upper_bound(rate * n, n, confidence) <= limit:
            return True
        sizes, _ = self.sizes
        at, share = np.searchsorted(sizes, of), errors / of
        won: list[float] = []
        for weight, stake, all_right in zip(HOPES, *self._bets(limit, confidence), strict=True):
            lost = np.log1p(stake[at] * (limit - share)) - np.log1p(stake[at] * limit)
            won.append(math.log(weight) + all_right + float(lost.sum()))
        return float(np.logaddexp.reduce(won)) >= -math.log(1 - confidence)

    def bound(
        self, errors: Int64, of: Int64, rate: float, confidence: float, floor: float = 0.0
    ) -> float:
        """The smallest limit that is ruled out, to a hundredth, not below a floor."""
        low, high = max(rate, floor, 1e-12), 1.0
        if self.rule_out(errors, of, rate, low, confidence):
            return low
        while high > 1.01 * low:
            middle = math.sqrt(low * high)
            if self.rule_out(errors, of, rate, middle, confidence):
                high = middle
            else:
                low = middle
        return high

    def _bets(self, limit: float, confidence: float) -> tuple[list[Float64], list[float]]:
        """Stake on each size of cluster, and gain if no cluster has an error, of each hope.

        A stake on single errors bears most of them before the bet is lost; one on whole clusters
        grows fastest if half as many err as the limit says (Kelly 1956).
        """
        sizes, count = self.sizes
        single = STAKES[np.argmax(_borne(sizes, count.sum(), limit, confidence), axis=0)]
        growth = (1 - limit / 2) * np.log1p(STAKES * limit)
        growth += limit / 2 * np.log1p(STAKES * (limit - 1))
        whole = np.full(len(sizes), STAKES[np.argmax(growth)])
        return [single, whole], [float(np.log1p(s * limit) @ count) for s in (single, whole)]


def single_errors_borne(sizes: Float64, n: float, limit: float, confidence: float) -> float:
    """Single errors that n clusters of one size bear and still rule out a limit."""
    return float(_borne(sizes, n, limit, 1 - HOPES[0] * (1 - confidence)).max())


def _borne(sizes: Any, n: float, limit: float, confidence: float) -> Float64:
    """Single errors that each stake bears on n clusters of each size: (stakes, sizes)."""
    stake = STAKES[:, None]
    gain, loss = np.log1p(stake * limit), np.log1p(stake * (limit - 1 / sizes))
    borne: Float64 = (gain * n + math.log(1 - confidence)) / (gain - loss)
    return borne
