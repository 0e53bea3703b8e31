"""How many more identities a proof takes, if they are like those at hand.

A plan, not a proof: a test simulates data of the named size and counts how often they do
(bench/bench_worlds.py). What the data at hand prove is not known here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gemel.calibrate.proofs.bounds import single_errors_borne
from gemel.calibrate.rates.intervals import upper_bound

RATES = (0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
"""Rates at which the threshold may come to lie, as shares of the limit."""

MOST = 1e4
MARGIN = 1.25
"""Data of the very size that should do are too few half of the time."""

OF_FEW = 1.5
"""Deviations to be ready for, where few identities carry the errors: so many of a kind may be more.

With one wolf in 40 identities the number that 1.25 alone names was enough in 6 of 14 worlds, in 12
with this.
"""


@dataclass(frozen=True, kw_only=True)
class Grown:
    """Data at hand, as far as their growth matters.

    Args:
        n_comparisons: of the class.
        n_clusters: of these that may err as one.
        spread: squared relative deviation of the rate by the choice of identities.
        power: comparisons grow with this power of the identities: of so many each is one, and so
            often the jackknife counts it.
        n_errors: at least, that a proof is made from.
        n_carrying: identities that carry the errors; of few it is uncertain how they spread.
        worse: share by which one more identity, worse than the worst, raises the rate; the more
            identities there are, the less it does.
    """

    n_comparisons: float
    n_clusters: float
    spread: float
    power: int
    n_errors: int
    n_carrying: float = math.inf
    worse: float = 0.0

    def proves(self, rate: float, limit: float, confidence: float, growth: float) -> bool:
        """Whether so many times as many identities prove a limit, at a threshold of some rate."""
        n, clusters = (k * growth**self.power for k in (self.n_comparisons, self.n_clusters))
        if rate * n < self.n_errors:
            return False
        worse = self.worse / growth
        raised = rate * (1 + worse)
        spread = self.spread / growth + worse**2 + self.power / (rate * n)
        n_effective = min(n, 1 / spread / raised)
        if upper_bound(raised * n_effective, n_effective, confidence) > limit:
            return False
        if upper_bound(rate * clusters, clusters, confidence) <= limit:
            return True
        size = np.array([max(n / clusters, 1.0)])
        return rate * n <= single_errors_borne(size, clusters, limit, confidence)

    def growth(self, limit: float, confidence: float) -> float:
        """How many times as many identities it takes; infinite if `MOST` do not do."""
        return min(self.growth_at(share * limit, limit, confidence) for share in RATES)

    def growth_at(self, rate: float, limit: float, confidence: float) -> float:
        """The same, at a threshold of some rate."""
        low, high = 1.0, MOST
        if not self.proves(rate, limit, confidence, high):
            return math.inf
        while high > 1.002 * low:
            middle = math.sqrt(low * high)
            if self.proves(rate, limit, confidence, middle):
                high = middle
            else:
                low = middle
        return high * max(MARGIN, 1 + OF_FEW / math.sqrt(self.n_carrying))
