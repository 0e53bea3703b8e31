"""How the scores of each category have to be shifted and scaled for impostors to look alike.

Mean and spread of a category come from its impostors alone and are drawn towards those of all
categories, the more the fewer identities it has. The scores that they are learned from are levelled
by what the other identities say: levelled by themselves, few impostors look tamer than they are,
and an FMR that they prove does not hold (above the limit in 21 % of simulated worlds with 60
categories and few identities, instead of 2 %; `bench/results/categories.json`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float64
from gemel.calibrate.rates.intervals import jackknife_variance
from gemel.calibrate.scores.categories import sides, within
from gemel.calibrate.scores.scores import Scores
from gemel.decide.categories import Categories, Line
from gemel.errors import DataError

PRIOR_DF = 8.0
"""Identities that the common variance is worth when the variance of one category is judged."""

N_FOLDS = 16
"""Groups of identities; a comparison is levelled without those of its two."""


@dataclass(frozen=True)
class Levelled:
    """What was learned about categories, and the scores it was learned from.

    Attributes:
        categories: for all other scores.
        scores: each levelled by the identities that take no part in it.
    """

    categories: Categories
    scores: Scores


def fit(scores: Scores, column: str) -> Levelled:
    """The levelling that makes the impostors of all categories look alike.

    Args:
        scores: with categories (of dev); only impostor comparisons within a category count. A
            category without any is as good as unknown.
        column: where the categories came from.
    Raises:
        DataError: there are no categories, or none has enough identities to say anything.
    Source: empirical Bayes on mean and log standard deviation, each as in DerSimonian and Laird
        1986, with variances by identity (jackknife) moderated as in Smyth 2004.
    """
    fold = np.random.default_rng(0).permutation(scores.n_units) % N_FOLDS
    found = {code: m for code, part in within(scores) if (m := _moments(part, fold)) is not None}
    if not any(np.isfinite(m.log_sd_variance) for m in found.values()):
        raise DataError(
            "no category has impostor comparisons of three identities",
            where=column,
            hint="a category groups many identities: name a coarser column",
        )
    each = list(found.values())
    n = np.array([m.n_identities for m in each], np.float64)
    log_sd = shrink(
        np.array([m.log_sd for m in each]),
        moderated(np.array([m.log_sd_variance for m in each]), n),
    )
    variance = np.square(np.exp(log_sd.of(np.array([m.log_sd for m in each]))))
    relative = np.array([m.mean_variance for m in each]) / variance
    mean = shrink(np.array([m.mean for m in each]), moderated(relative, n) * variance)
    lines = _lines(mean, log_sd, np.array([(m.mean, m.log_sd) for m in each]))
    names = [scores.category_names[code] for code in found]
    categories = Categories(
        column=column,
        lines={name: Line(*line) for name, line in zip(names, lines.tolist(), strict=True)},
    )
    without = _lines(mean, log_sd, np.array([m.without for m in each]))
    return Levelled(categories, _without_own(scores, categories, without, fold))


@dataclass(frozen=True)
class Shrinkage:
    """How values are drawn towards their common mean.

    Attributes:
        mean: of all.
        kept: (g,) share of the distance from the mean that each value keeps.
    """

    mean: float
    kept: Float64

    def of(self, value: Float64) -> Float64:
        """The values, (g,) or (g, ...), drawn; the mean where one is NaN."""
        kept = self.kept.reshape(-1, *[1] * (value.ndim - 1))
        return self.mean + np.nan_to_num(kept * (value - self.mean), nan=0.0)


def shrink(value: Float64, variance: Float64) -> Shrinkage:
    """How to draw values towards their common mean.

    Args:
        value: (g,) estimates.
        variance: (g,) of each estimate, > 0.
    Source: DerSimonian and Laird 1986.
    Example:
        >>> shrink(np.array([0.0, 1.0]), np.array([1e-9, 1e-9])).kept.round(3).tolist()
        [1.0, 1.0]
    """
    weight = 1 / variance
    total = weight.sum()
    spread = float(weight @ np.square(value - weight @ value / total))
    room = total - weight @ weight / total
    between = max(0.0, (spread - (len(value) - 1)) / room) if len(value) > 1 else 0.0
    weight = 1 / (variance + between)
    return Shrinkage(float(weight @ value / weight.sum()), between * weight)


def moderated(variance: Float64, n_identities: Float64) -> Float64:
    """Variances drawn towards what the number of identities alone would say.

    The variance of a mean over few identities is itself hardly known; where it came out far too
    small by chance, its category would not be shrunk at all.

    Args:
        variance: (g,) by jackknife; NaN where it is not known.
        n_identities: (g,) that each was taken over.
    Source: Smyth 2004, Linear models and empirical Bayes methods.
    """
    known = np.isfinite(variance)
    degrees = np.where(known, n_identities - 1, 0)
    own = np.where(known, variance, 0.0)
    common = float(degrees @ (own * n_identities) / degrees.sum()) / n_identities
    drawn: Float64 = (PRIOR_DF * common + degrees * own) / (PRIOR_DF + degrees)
    return np.maximum(drawn, np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class _Moments:
    """Mean and log standard deviation of impostor scores.

    Attributes:
        n_identities: that they are taken over.
        mean: of the scores.
        mean_variance: by identity; NaN if unknown.
        log_sd: of the scores.
        log_sd_variance: by identity; NaN if unknown.
        without: (2, k, k) mean and log_sd without two groups of identities; NaN if none are left.
    """

    n_identities: int
    mean: float
    mean_variance: float
    log_sd: float
    log_sd_variance: float
    without: Float64


def _moments(part: Scores, fold: NDArray[np.int64]) -> _Moments | None:
    """Moments of the impostors of one category; None if there is no spread to speak of.

    Args:
        part: comparisons within the category.
        fold: (n_units,) group of each unit.
    """
    impostor = part.score[~part.genuine]
    if impostor.size < 2:
        return None
    mean, sd = (float(f(impostor, dtype=np.float64)) for f in (np.mean, np.std))
    if not sd > 0:
        return None
    k = N_FOLDS
    own, cell = np.zeros((3, part.n_units)), np.zeros((3, k * k))
    for block in part.blocks():
        at = block.start + np.flatnonzero(~part.genuine[block])
        z = (part.score[at].astype(np.float64) - mean) / sd
        powers = (np.ones_like(z), z, np.square(z))
        left, right = part.units(at)
        own += _added(left, powers, part.n_units)
        apart = left != right
        others = tuple(power[apart] for power in powers)
        own += _added(right[apart], others, part.n_units)
        cell += _added(fold[left] * k + fold[right], powers, k * k)
    own = own[:, own[0] > 0]
    means, log_sds = _mean_and_log_sd(cell.sum(1, keepdims=True) - own)
    fold_means, fold_log_sds = _mean_and_log_sd(_without_two(cell.reshape(3, k, k)))
    return _Moments(
        own.shape[1],
        mean,
        jackknife_variance(means) * sd**2,
        float(np.log(sd)),
        jackknife_variance(log_sds),
        np.stack([mean + sd * fold_means, np.log(sd) + fold_log_sds]),
    )


def _added(code: NDArray[Any], powers: Sequence[Float64], n: int) -> Float64:
    """Sums of each power by code: (3, n)."""
    return np.stack([np.bincount(code, power, minlength=n) for power in powers])


def _without_two(cell: Float64) -> Float64:
    """Sums of the comparisons that touch neither of two groups: (3, k, k) by left and right group.

    Args:
        cell: (3, k, k) sums of the comparisons between a left and a right group.
    """
    total = cell.sum((1, 2))
    either = cell + cell.transpose(0, 2, 1)
    touched = either.sum(2) - np.einsum("iaa->ia", cell)
    rest: Float64 = total[:, None, None] - touched[:, :, None] - touched[:, None, :] + either
    np.einsum("iaa->ia", rest)[:] = total[:, None] - touched
    return rest


def _mean_and_log_sd(sums: Float64) -> tuple[Float64, Float64]:
    """From count, sum and sum of squares (first axis); NaN where fewer than two are left."""
    n, first, second = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = first / n
        variance = second / n - np.square(mean)
        few = (n < 1.5) | ~(variance > 1e-9)
        return np.where(few, np.nan, mean), np.where(few, np.nan, 0.5 * np.log(variance))


def _lines(mean: Shrinkage, log_sd: Shrinkage, found: Float64) -> Float64:
    """Shift and scale of each category: (g, 2, ...) moments -> (g, 2, ...)."""
    scale = np.exp(log_sd.of(found[:, 1]) - log_sd.mean)
    return np.stack([mean.of(found[:, 0]) - mean.mean * scale, scale], axis=1)


def _without_own(
    scores: Scores, categories: Categories, lines: Float64, fold: NDArray[np.int64]
) -> Scores:
    """Scores levelled without the identities that take part in each, where both are known.

    Args:
        scores: with categories.
        categories: learned from all of them; for comparisons of unknown category.
        lines: (g, 2, k, k) shift and scale without two groups of identities.
        fold: (n_units,) group of each unit.
    """
    code = categories.codes(scores.category_names)
    left_category, right_category = sides(scores)
    levelled = np.empty_like(scores.score)
    for at in scores.blocks():
        left, right = code[left_category[at]], code[right_category[at]]
        block = categories.level_block(scores.score[at], left, right)
        known = np.flatnonzero((left >= 0) & (right >= 0))
        left, right = left[known], right[known]
        a, b = (fold[unit[known]] for unit in scores.units(at))
        same = left == right
        score = scores.score[at][known].astype(np.float64)
        shift, scale = lines[left, :, a, np.where(same, b, a)].T
        other_shift, other_scale = lines[right, :, np.where(same, a, b), b].T
        block[known] = np.minimum((score - shift) / scale, (score - other_shift) / other_scale)
        levelled[at] = block
    return replace(scores, score=levelled)
