"""Two similarities on the same comparisons: differences, with intervals by identity.

What both find easy or hard cancels out, so a difference is known better than either value. Its
interval joins the intervals of both values by their correlation, which is found by unit like their
variances. What the two are, and which comparisons are worth making, is not known here.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool, Float64, Int64
from gemel.calibrate.rates.by_identity import Spread, Statistic, mean_variance
from gemel.calibrate.rates.intervals import (
    Estimate,
    Sample,
    jackknife_variance,
    n_carrying,
    proportion,
    upper_bound,
)
from gemel.calibrate.scores.scores import Scores
from gemel.errors import DataError

JOINED = "both intervals, joined by the correlation by identity"
UNMOVED = "no comparison differs: exact bound on independent identities"

Direction = Literal["better", "worse", "no difference shown"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A measure of two similarities, and the second minus the first.

    Attributes:
        measure: what is compared, such as `FNMR`.
        higher_is_better: of the measure.
        before: of the first.
        after: of the second.
        value: after minus before.
        low: lower limit of the difference.
        high: upper limit.
        method: how the limits were found.
        seen: what the interval shows; a difference only if zero lies outside.
    """

    measure: str
    higher_is_better: bool
    before: float
    after: float
    value: float
    low: float
    high: float
    method: str
    seen: Direction

    def not_worse(self, margin: float) -> bool:
        """Whether the interval rules out that the second is worse by the margin or more."""
        return self.low > -margin if self.higher_is_better else self.high < margin


def difference(
    measure: str, ends: tuple[float, float], limits: tuple[float, float], method: str, higher: bool
) -> Difference:
    """A difference and what it shows.

    Args:
        measure: what is compared.
        ends: of the first and the second.
        limits: of the second minus the first.
        method: how they were found.
        higher: higher is better.
    """
    low, high = limits
    seen: Direction = "no difference shown"
    if low > 0 or high < 0:
        seen = "better" if (low > 0) == higher else "worse"
    return Difference(
        measure=measure,
        higher_is_better=higher,
        before=ends[0],
        after=ends[1],
        value=ends[1] - ends[0],
        low=low,
        high=high,
        method=method,
        seen=seen,
    )


def require_same(before: Scores, after: Scores) -> None:
    """Raise unless both score the same comparisons in the same order.

    Raises:
        DataError: they do not.
    """
    if len(before) != len(after) or not (
        np.array_equal(before.left, after.left) and np.array_equal(before.right, after.right)
    ):
        raise DataError("the two score different comparisons")


def joined(
    before: Estimate,
    after: Estimate,
    variances: tuple[float, float, float],
    n_independent: int,
    confidence: float,
) -> tuple[tuple[float, float], str]:
    """Limits of a difference from the limits of both values and their correlation; how.

    Args:
        before: with its interval.
        after: with its interval.
        variances: of the first, the second and their difference.
        n_independent: comparisons that share no identity; bounds what was never seen to differ.
        confidence: level of the intervals.
    Source: Zou and Donner 2008, Construction of confidence limits about effect measures (MOVER);
        with Wilson limits: Newcombe 1998, method 10 for paired proportions.
    """
    value = after.value - before.value
    down = (after.value - after.low, before.high - before.value)
    up = (after.high - after.value, before.value - before.low)
    first, second, between = variances
    if between == 0:
        bound = upper_bound(0, max(n_independent, 1), confidence)
        return (value - min(bound, sum(down)), value + min(bound, sum(up))), UNMOVED
    both = first * second
    shared = (first + second - between) / (2 * math.sqrt(both)) if both > 0 else 0.0
    shared = min(1.0, max(-1.0, shared))
    low, high = (math.sqrt(max(a * a - 2 * shared * a * b + b * b, 0.0)) for a, b in (down, up))
    return (max(-1.0, value - low), min(1.0, value + high)), JOINED


def of_counts(
    measure: str,
    statistic: Statistic,
    spreads: tuple[Spread, Spread],
    estimates: tuple[Estimate, Estimate],
    units: Bool,
    confidence: float,
    *,
    higher: bool,
) -> Difference:
    """The difference of a statistic of the counts of errors.

    Args:
        measure: its name.
        statistic: from counts.
        spreads: of the first and the second, over the same comparisons.
        estimates: of the statistic in both.
        units: (n_units,) that have a part in it.
        confidence: level of the intervals.
        higher: higher is better.
    """
    variances = variances_of(spreads, statistic, units)
    limits, how = joined(*estimates, variances, int(np.count_nonzero(units)) // 2, confidence)
    return difference(measure, values(estimates), limits, how, higher)


def variances_of(
    spreads: tuple[Spread, Spread], statistic: Statistic, units: Bool
) -> tuple[float, float, float]:
    """Variances of a statistic of the first, of the second, and of their difference.

    Args:
        spreads: of the first and the second, over the same comparisons.
        statistic: from counts.
        units: (n_units,) that have a part in it.
    """
    one, two = spreads
    left_out = [s.left_out(statistic, units) for s in spreads]
    residual = [s.residual(statistic) for s in spreads]
    slope = [s.slope(statistic) for s in spreads]
    shared = one.pair_residual(two) * slope[0] * slope[1]
    own = [a * a * s.pair_residual(s) for a, s in zip(slope, spreads, strict=True)]
    between = 0.0
    if not np.array_equal(one.match, two.match):
        apart = left_out[1] - left_out[0], residual[1] - residual[0]
        between = mean_variance(*apart, sum(own) - 2 * shared)
    return (
        mean_variance(left_out[0], residual[0], own[0]),
        mean_variance(left_out[1], residual[1], own[1]),
        between,
    )


def of_items(
    measure: str,
    before: Float64,
    after: Float64,
    unit: Int64,
    confidence: float,
    *,
    higher: bool = True,
) -> Difference:
    """The difference of two means over items, such as the searches of two encoders.

    Args:
        measure: its name.
        before: (n,) of each item, in [0, 1].
        after: (n,) of the same items.
        unit: (n,) int64 >= 0, whose the item is.
        confidence: level of the interval.
        higher: higher is better.
    """
    code = np.unique(unit, return_inverse=True)[1]
    size = np.bincount(code).astype(np.float64)
    sample = Sample(len(code), n_carrying(size), len(size))
    left_out = [_without(np.bincount(code, values), size) for values in (before, after)]
    variances = (
        jackknife_variance(left_out[0]),
        jackknife_variance(left_out[1]),
        0.0 if np.array_equal(before, after) else jackknife_variance(left_out[1] - left_out[0]),
    )
    one = proportion(float(before.mean()), variances[0], sample, confidence)
    two = proportion(float(after.mean()), variances[1], sample, confidence)
    limits, how = joined(one, two, variances, len(size), confidence)
    return difference(measure, values((one, two)), limits, how, higher)


def _without(total: NDArray[Any], size: Float64) -> Float64:
    """Means of all items without those of each unit."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Float64 = (total.sum() - total) / (size.sum() - size)
    return found


def values(estimates: tuple[Estimate, Estimate]) -> tuple[float, float]:
    """Of the first and the second."""
    return estimates[0].value, estimates[1].value
