"""E-processes: evidence that may be looked at after every event, and acted on at any time.

Under its null hypothesis an e-process reaches 1 / alpha with probability alpha at most, whenever
one stops. Those of different streams are multiplied, so logarithms are added. Pure: events in,
logarithms out.
"""

from __future__ import annotations

import math

import scipy  # which imports its parts when they are used
from msgspec import Struct

REACH = 0.5
"""Largest bet of `Share` against "no more", as a part of what could be lost."""
REACH_BELOW = 0.75


def ln_one_sided(ours: int, theirs: int, share: float) -> float:
    """Logarithm of the e-value against "an event falls on us with probability `share` at most".

    The mixture of all larger probabilities, each as likely.

    Args:
        ours: events that fell on us.
        theirs: events that fell on the others.
        share: probability under the null hypothesis, in (0, 1).
    Source: Robbins 1970, Statistical methods related to the law of the iterated logarithm.
    Example:
        >>> round(ln_one_sided(30, 14, 0.5), 6)
        1.909067
    """
    above = float(scipy.special.betaincc(ours + 1, theirs + 1, share))
    if above <= 0.0:
        return -math.inf
    mixed = float(scipy.special.betaln(ours + 1, theirs + 1)) + math.log(above) - math.log1p(-share)
    return mixed - ours * math.log(share) - theirs * math.log1p(-share)


class Falls(Struct):
    """Of events, such as errors: do they fall on the candidate more often than its share?

    Counts of a step of the rollout, in which the share stays as it is; steps are multiplied.

    Attributes:
        share: of the subjects that the candidate has, in (0, 1).
        ours: events that fell on the candidate.
        theirs: events that fell on stable.
    """

    share: float
    ours: int = 0
    theirs: int = 0

    @property
    def ln_more(self) -> float:
        """Against "no more often than its share"."""
        return ln_one_sided(self.ours, self.theirs, self.share)

    def ln_above(self, ratio: float) -> float:
        """Against "at most `ratio` times as often per subject as on stable"."""
        rest = (1 - self.share) / (ratio * self.share + 1 - self.share)
        return ln_one_sided(self.ours, self.theirs, 1 - rest)

    def ln_less(self, ratio: float) -> float:
        """Against "at least `ratio` times as often per subject as on stable"."""
        rest = (1 - self.share) / (ratio * self.share + 1 - self.share)
        return ln_one_sided(self.theirs, self.ours, rest)


class Share(Struct):
    """Of values in [0, 1], such as whether a decision flipped: is their mean above a limit?

    Attributes:
        limit: that the mean may have, in (0, 1).
        alpha: that the bets are sized for.
        n: values so far.
        total: their sum.
        squares: sum of squared distances from the mean as it was.
        ln_more: against "the mean is the limit at most".
        ln_less: against "the mean is the limit at least".
    """

    limit: float
    alpha: float
    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    ln_more: float = 0.0
    ln_less: float = 0.0

    def add(self, value: float) -> None:
        """Take a value into account; the bet on it was made before it was seen.

        Source: Waudby-Smith and Ramdas 2024, Estimating means of bounded random variables by
        betting, section 4.
        """
        t = self.n + 1
        variance = (0.25 + self.squares) / t
        bet = math.sqrt(2 * math.log(1 / self.alpha) / (variance * t * math.log(1 + t)))
        self.ln_more += math.log1p(min(bet, REACH / self.limit) * (value - self.limit))
        below = min(bet, REACH_BELOW / (1 - self.limit))
        self.ln_less += math.log1p(below * (self.limit - value))
        self.total += value
        self.n = t
        self.squares += (value - (0.5 + self.total) / (t + 1)) ** 2

    @property
    def mean(self) -> float | None:
        """Of the values so far; None before the first."""
        return self.total / self.n if self.n else None


def interval(ones: int, n: int, alpha: float) -> tuple[float, float]:
    """Where the mean of zeros and ones lies, with probability 1 - alpha at all times together.

    The shares against which the mixture of all shares, each as likely, has not reached 1 / alpha.

    Args:
        ones: so far.
        n: zeros and ones so far.
        alpha: probability of leaving it out, ever.
    Source: Robbins 1970, Statistical methods related to the law of the iterated logarithm.
    Example:
        >>> low, high = interval(30, 44, 0.05)
        >>> round(low, 3), round(high, 3)
        (0.451, 0.863)
    """
    if not n:
        return 0.0, 1.0
    mixed = float(scipy.special.betaln(ones + 1, n - ones + 1)) + math.log(alpha)

    def left(share: float) -> float:
        """Below 0 outside of the interval."""
        said = float(scipy.special.xlogy(ones, share) + scipy.special.xlog1py(n - ones, -share))
        return said - mixed

    mean = ones / n
    low = scipy.optimize.brentq(left, 0.0, mean) if left(0.0) < 0 else 0.0
    high = scipy.optimize.brentq(left, mean, 1.0) if left(1.0) < 0 else 1.0
    return float(low), float(high)


def more(ln_e: float, n: int, ln_needed: float) -> int | None:
    """About how many events are missing, if they go on as they did; None if there is no telling.

    Args:
        ln_e: logarithm of the e-value so far.
        n: events so far.
        ln_needed: logarithm that it has to reach.
    """
    if ln_e >= ln_needed:
        return 0
    return math.ceil(n * (ln_needed / ln_e - 1)) if ln_e > 0 else None
