"""How far an error rate can be trusted, with the identity as the unit of chance.

Comparisons share identities: an interval that counts comparisons is far too short (a nominal 95 %
covered 56 to 86 % in simulations). Here the variance over the choice of identities is turned into
the number of independent comparisons that would have it, and that number goes into the textbook
formulas. Which rates exist is not known here, and how they vary is found in by_identity.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import scipy  # which imports its parts when they are used
from numpy.typing import NDArray

from gemel.arrays import Bool, Float64, Int64
from gemel.figures import plain

JACKKNIFE = "identity jackknife, Wilson on effective comparisons"
MEAN = "mean of jackknife and dyadic variance by identity, Wilson on effective comparisons"
NO_ERRORS = "nothing observed: exact bound on independent identities"
NOT_ABOVE = "nothing observed: not above the interval at a looser threshold"
UNKNOWN = "too few identities for an interval"


MIN_IMPOSTOR_IDENTITIES = 6
"""Identities that the false matches must be spread over, before their spread can be judged.

With fewer, the jackknife has three unlike pairs at most to learn from; in simulated worlds of
lookalike families the certificate then failed 12 % of the time instead of 8 % (nominal 5 %).
"""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A proportion and its interval.

    Args:
        value: what was measured, in [0, 1].
        low: lower limit.
        high: upper limit.
        n_effective: independent comparisons that would be as informative.
        method: how the limits were found.
        optimistic: where nothing was observed (value 0 or 1), the inner limit if all comparisons
            were independent; the truth is between it and the limit by identities.
    """

    value: float
    low: float
    high: float
    n_effective: float
    method: str
    optimistic: float | None = None

    def span(self, digits: int = 3) -> str:
        """The value with its interval, if one is known.

        Example:
            >>> Estimate(value=0.5, low=0.4, high=0.61234, n_effective=9, method="").span()
            '0.5 [0.4, 0.612]'
        """
        low, value, high = (plain(x, digits) for x in (self.low, self.value, self.high))
        return f"{value} [{'too few identities' if self.method == UNKNOWN else f'{low}, {high}'}]"


def wilson(value: float, n: float, z: float) -> tuple[float, float]:
    """Lower and upper limit of a proportion.

    Args:
        value: the proportion, in [0, 1].
        n: number of independent trials, not necessarily whole.
        z: quantile of the limits, 1.96 for 95 %.
    Source: Wilson 1927.
    Example:
        >>> [round(limit, 6) for limit in wilson(3 / 1000, 1000, 1.959964)]
        [0.001021, 0.008783]
    """
    centre = value + z * z / (2 * n)
    half = z * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def upper_bound(errors: float, n: float, confidence: float) -> float:
    """One-sided exact upper bound of a proportion.

    Args:
        errors: errors among the trials, not necessarily whole.
        n: independent trials, not necessarily whole.
        confidence: probability that the bound holds, at least.
    Source: Clopper and Pearson 1934; with no errors the "rule of 3": about 3 / n at 95 %.
    Example:
        >>> round(upper_bound(0, 300, 0.95), 5)
        0.00994
    """
    if errors >= n:
        return 1.0
    return float(scipy.special.betaincinv(errors + 1, n - errors, confidence))


def p_value(errors: float, n: float, limit: float) -> float:
    """Probability of so few errors or fewer if the error rate were `limit`: P[Bin(n, limit) <= e].

    Args:
        errors: errors among the trials, not necessarily whole.
        n: independent trials, not necessarily whole.
        limit: the error rate to be ruled out.
    """
    if errors >= n:
        return 1.0
    return float(scipy.special.betainc(n - errors, errors + 1, 1 - limit))


def errors_allowed(n: int, limit: float, confidence: float) -> int:
    """Most errors among n independent trials that still show an error rate below the limit.

    Returns:
        The largest e with P[Bin(n, limit) <= e] <= 1 - confidence; -1 if even e = 0 does not do.
    Example:
        >>> errors_allowed(20_000, 1e-3, 0.9)
        13
    """
    low, high = -1, int(n * limit) + 1
    while low < high:
        middle = (low + high + 1) // 2
        if p_value(middle, n, limit) <= 1 - confidence:
            low = middle
        else:
            high = middle - 1
    return low


def trials_needed(limit: float, confidence: float) -> int:
    """Independent trials, all without error, that show an error rate below the limit.

    Source: the rule of 3, exactly: ln(1 - confidence) / ln(1 - limit).
    Example:
        >>> [trials_needed(limit, 0.95) for limit in (1e-2, 1e-3)]
        [299, 2995]
    """
    return math.ceil(math.log(1 - confidence) / math.log1p(-limit))


def jackknife_variance(left_out: Float64) -> float:
    """Variance of a statistic from its values with each unit left out in turn; NaN if unknown.

    Args:
        left_out: (n,) the statistic without unit i.
    Source: Efron and Stein 1981.
    """
    n = len(left_out)
    if n < 2 or not np.isfinite(left_out).all():
        return math.nan
    return float((n - 1) / n * np.square(left_out - left_out.mean()).sum())


def effective_n(value: float, left_out: Float64, n_comparisons: float) -> float:
    """Independent comparisons with the jackknife variance of a proportion; NaN if unknown.

    Never more than there are comparisons.

    Source: Fogliato, Patil and Perona 2023, arXiv 2306.01198.
    """
    return effective_of(value, jackknife_variance(left_out), n_comparisons)


def effective_of(value: float, variance: float, n_comparisons: float) -> float:
    """Independent comparisons that give a proportion this variance; NaN if it is unknown."""
    if math.isnan(variance):
        return math.nan
    spread = value * (1 - value)
    return min(float(n_comparisons), spread / variance) if variance > 0 else float(n_comparisons)


def n_carrying(weight: NDArray[Any]) -> float:
    """Units of equal weight whose spread would say as much as that of these unequal ones.

    One of a hundred identities may have half of all comparisons: then the spread of the others
    says little about how far the whole can be off. Student's t with all units covered 85 % (nominal
    95 %) where sizes were Zipf from 2 to 200, with these 92 to 98 %.

    Args:
        weight: (n,) comparisons of each unit; the variance of each goes with its square.
    Source: Satterthwaite 1946, for a sum of squares with these weights.
    Example:
        >>> round(n_carrying(np.ones(100)), 6), round(n_carrying(np.append(np.ones(99), 99)), 1)
        (100.0, 2.0)
    """
    squared = np.square(np.asarray(weight, np.float64))
    n = max(int(np.count_nonzero(squared)), 1)
    of_squares = float(np.square(squared).sum())
    if not of_squares:
        return 0.0
    return 1 + float(squared.sum()) ** 2 / of_squares * (n - 1) / n


def disjoint(by_unit: Int64, n_comparisons: int) -> int:
    """Comparisons that share no unit: half as many as units, where each is one of two units.

    Args:
        by_unit: (n,) comparisons of each unit; one within a unit counts once for it.
        n_comparisons: of these.
    """
    n_units = int(np.count_nonzero(by_unit))
    return n_units * n_comparisons // max(int(by_unit.sum()), 1)


@dataclass(frozen=True)
class Sample:
    """What a proportion was taken over.

    Args:
        n_comparisons: that it is a share of.
        n_units: identities that take part, joined where they depend on each other: as many as
            carry the weight, where few of them have most of the comparisons (`n_carrying`).
        n_independent: comparisons that share no identity; used when nothing was observed, since
            then nothing tells how alike the comparisons of one identity are.
    """

    n_comparisons: int
    n_units: float
    n_independent: int


def proportion(
    value: float, variance: float, sample: Sample, confidence: float, method: str = JACKKNIFE
) -> Estimate:
    """A proportion with its two-sided interval by identity.

    Args:
        value: the proportion over all comparisons.
        variance: of it, over the choice of identities; NaN if unknown.
        sample: what it was taken over.
        confidence: level of the interval.
        method: how the variance was found.
    Source: Wilson 1927 on the effective number, with Student's t for the identities that carry
        the weight; nothing observed: rule of 3 with disjoint comparisons.
    """
    if sample.n_independent < 1 or sample.n_units < 2 or math.isnan(variance):
        return Estimate(value=value, low=0.0, high=1.0, n_effective=0.0, method=UNKNOWN)
    if value in (0.0, 1.0):
        return _nothing_observed(value, sample, confidence)
    n = effective_of(value, variance, sample.n_comparisons)
    z = float(scipy.special.stdtrit(sample.n_units - 1, (1 + confidence) / 2))
    low, high = wilson(value, n, z)
    return Estimate(value=value, low=low, high=high, n_effective=n, method=method)


def _nothing_observed(value: float, sample: Sample, confidence: float) -> Estimate:
    """The interval of a proportion of 0 or 1."""
    strict = upper_bound(0, max(sample.n_independent, 1), confidence)
    loose = upper_bound(0, sample.n_comparisons, confidence)
    return Estimate(
        value=value,
        low=1 - strict if value else 0.0,
        high=1.0 if value else strict,
        n_effective=float(sample.n_independent),
        method=NO_ERRORS,
        optimistic=1 - loose if value else loose,
    )


def mean_by_unit(values: Bool | Float64, units: NDArray[Any], confidence: float) -> Estimate:
    """The mean of values in [0, 1] with its interval by leaving out each unit in turn.

    Args:
        values: (n,) of items or comparisons: whether something happened, or the chance of it.
        units: (n,) what each is of.
        confidence: level of the interval.
    """
    code = np.unique(units, return_inverse=True)[1]
    n, total = np.bincount(code).astype(np.float64), np.bincount(code, values)
    with np.errstate(invalid="ignore"):
        left_out = (total.sum() - total) / (n.sum() - n)
    value = float(np.clip(total.sum() / max(n.sum(), 1), 0, 1))
    sample = Sample(len(code), n_carrying(n), len(n))
    return proportion(value, jackknife_variance(left_out), sample, confidence)
