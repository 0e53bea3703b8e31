"""Likelihood ratios as functions of the score: three shapes, each rising, each bounded.

All of them give the natural log-likelihood ratio, ln of p(score | genuine) / p(score | impostor),
and from it the probability of a match at a prior. Data of T genuine and N impostor comparisons
cannot show a ratio beyond 1 / (T + 1) or N + 1, so nothing outside of that is ever said; in
particular no ratio is infinite. One call costs microseconds: it is made for every decision. How
they are fitted is not known here.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float64
from gemel.errors import ConfigError

MAX_LLR = 700.0
"""Bound of a ratio whose data are not known: exp of it is still a number."""

TINY = 1e-12
FALLING = "the likelihood must rise with the score"


class Logistic(msgspec.Struct, frozen=True, tag_field="kind", tag="logistic"):
    """A line.

    Args:
        slope: > 0.
        intercept: log-likelihood ratio of score 0.
        low: no ratio is said to be less.
        high: no ratio is said to be more.
    Raises:
        ConfigError: it does not rise, or a value is not finite.
    """

    slope: float
    intercept: float
    low: float = -MAX_LLR
    high: float = MAX_LLR

    def __post_init__(self) -> None:
        _require(0 < self.slope < math.inf and self.low < self.high)
        _require(math.isfinite(self.intercept + self.low + self.high))

    def llr(self, score: float) -> float:
        """Log-likelihood ratio of a score."""
        return min(max(self.slope * score + self.intercept, self.low), self.high)

    def llrs(self, score: NDArray[np.floating]) -> Float64:
        """Log-likelihood ratios of (n,) scores."""
        value: Float64 = self.slope * score.astype(np.float64) + self.intercept
        return np.clip(value, self.low, self.high, out=value)

    def probability(self, score: float, prior: float) -> float:
        """Probability of a match at a prior in (0, 1)."""
        return posterior(self.llr(score), prior)

    def score_at(self, probability: float, prior: float) -> float:
        """The least score with a probability of a match; inf if none has it, -inf if all have."""
        wanted = _llr_for(probability, prior)
        outside = _outside(wanted, self.low, self.high)
        return (wanted - self.intercept) / self.slope if outside is None else outside


class Beta(msgspec.Struct, frozen=True, tag_field="kind", tag="beta"):
    """`a ln x - b ln(1 - x) + c`, where x is the score's place between two ends.

    Args:
        a: >= 0; how fast the ratio falls towards the lower end.
        b: >= 0; how fast it rises towards the upper end.
        c: log-likelihood ratio in the middle, where a = b.
        start: score of the lower end, x = 0; scores below count as this one.
        end: score of the upper end, x = 1; scores above count as this one.
        low: no ratio is said to be less.
        high: no ratio is said to be more.
    Raises:
        ConfigError: it does not rise, or a value is not finite.
    Source: Kull, Silva Filho and Flach 2017, Beta calibration.
    """

    a: float
    b: float
    c: float
    start: float
    end: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _require(self.a >= 0 and self.b >= 0 and self.a + self.b > 0)
        _require(self.start < self.end and self.low < self.high)
        _require(math.isfinite(self.a + self.b + self.c + self.start + self.end))
        _require(math.isfinite(self.low + self.high))

    def llr(self, score: float) -> float:
        """Log-likelihood ratio of a score."""
        x = min(max((score - self.start) / (self.end - self.start), TINY), 1 - TINY)
        value = self.a * math.log(x) - self.b * math.log1p(-x) + self.c
        return min(max(value, self.low), self.high)

    def llrs(self, score: NDArray[np.floating]) -> Float64:
        """Log-likelihood ratios of (n,) scores."""
        x = (score.astype(np.float64) - self.start) / (self.end - self.start)
        np.clip(x, TINY, 1 - TINY, out=x)
        value: Float64 = self.a * np.log(x) - self.b * np.log1p(-x) + self.c
        return np.clip(value, self.low, self.high, out=value)

    def probability(self, score: float, prior: float) -> float:
        """Probability of a match at a prior in (0, 1)."""
        return posterior(self.llr(score), prior)

    def score_at(self, probability: float, prior: float) -> float:
        """The least score with a probability of a match; inf if none has it, -inf if all have."""
        wanted = _llr_for(probability, prior)
        outside = _outside(wanted, self.llr(self.start), self.llr(self.end))
        if outside is not None:
            return outside
        below, above = self.start, self.end
        while below < (middle := (below + above) / 2) < above:
            if self.llr(middle) >= wanted:
                above = middle
            else:
                below = middle
        return above


class Pav(msgspec.Struct, frozen=True, tag_field="kind", tag="pav"):
    """Straight pieces between knots; the first and the last value go on outside.

    Args:
        score: (k,) rising, k >= 2.
        value: (k,) log-likelihood ratios at these scores, not falling.
    Raises:
        ConfigError: it does not rise, or a value is not finite.
    Source: pool adjacent violators, one knot per pooled block: Oron and Flournoy 2017, Centered
        isotonic regression.
    """

    score: tuple[float, ...]
    value: tuple[float, ...]

    def __post_init__(self) -> None:
        _require(len(self.score) == len(self.value) >= 2 and self.value[0] < self.value[-1])
        _require(all(map(math.isfinite, (*self.score, *self.value))))
        _require(all(a < b for a, b in itertools.pairwise(self.score)))
        _require(all(a <= b for a, b in itertools.pairwise(self.value)))

    def llr(self, score: float) -> float:
        """Log-likelihood ratio of a score."""
        i = bisect_right(self.score, score)
        if i == 0:
            return self.value[0]
        if i == len(self.score):
            return self.value[-1]
        left, below = self.score[i - 1], self.value[i - 1]
        return below + (self.value[i] - below) * (score - left) / (self.score[i] - left)

    def llrs(self, score: NDArray[np.floating]) -> Float64:
        """Log-likelihood ratios of (n,) scores."""
        value: Float64 = np.interp(score, self.score, self.value)
        return value

    def probability(self, score: float, prior: float) -> float:
        """Probability of a match at a prior in (0, 1)."""
        return posterior(self.llr(score), prior)

    def score_at(self, probability: float, prior: float) -> float:
        """The least score with a probability of a match; inf if none has it, -inf if all have."""
        wanted = _llr_for(probability, prior)
        outside = _outside(wanted, self.value[0], self.value[-1])
        if outside is not None:
            return outside
        i = bisect_left(self.value, wanted)
        left, below = self.score[i - 1], self.value[i - 1]
        return left + (self.score[i] - left) * (wanted - below) / (self.value[i] - below)


Likelihood = Logistic | Beta | Pav


def posterior(llr: float, prior: float) -> float:
    """Probability of a match that a log-likelihood ratio gives at a prior in (0, 1).

    Example:
        >>> round(posterior(0.0, 0.1), 6)
        0.1
    """
    logit = llr + math.log(prior / (1.0 - prior))
    if logit >= 0.0:
        return 1.0 / (1.0 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1.0 + odds)


def bounds(n_genuine: int, n_impostor: int) -> tuple[float, float]:
    """Least and greatest log-likelihood ratio that so many comparisons can show.

    One more impostor that scores highest of all, or one more genuine comparison that scores least,
    could always have been there.

    Source: the rule of succession; stricter with a cost bound: Vergeer et al. 2016 (ELUB).
    """
    return -math.log(n_genuine + 1), math.log(n_impostor + 1)


def _llr_for(probability: float, prior: float) -> float:
    """The log-likelihood ratio that gives a probability, in (0, 1), at a prior."""
    return math.log(probability / (1 - probability) * (1 - prior) / prior)


def _outside(wanted: float, low: float, high: float) -> float | None:
    """Where a ratio is that is not between the bounds; None if it is."""
    if wanted > high:
        return math.inf
    return -math.inf if wanted <= low else None


def _require(sound: bool) -> None:
    if not sound:
        raise ConfigError(FALLING, where="policy.json", hint="and all its values must be finite")
