"""Thresholds of their own for categories of records, such as countries or kinds of camera.

Impostors of one category may score higher, or vary more, than those of another. What a score of a
category would be in the average category is its *levelled* score: shifted and scaled so that the
impostors of all categories look alike. One threshold on levelled scores, chosen and certified like
any other, is a threshold of its own for each category, with about one FMR for all. Shift and scale
of a category come from its impostors alone and are shrunk towards all categories, the more the
fewer identities it has. Which goal a threshold has is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from gemel.arrays import Float32, Float64, Int64
from gemel.calibrate.intervals import jackknife_variance
from gemel.calibrate.scores import Int16, Int32, Scores
from gemel.errors import ConfigError, DataError

PRIOR_DF = 8.0
"""Identities that the common variance is worth when the variance of one category is judged."""


class Line(msgspec.Struct, frozen=True):
    """From the levelled scores of a category to its scores: score = shift + scale * levelled."""

    shift: float
    scale: float


Pair = tuple[str | None, str | None]
"""Categories of the left and the right record; None = unknown."""


class Categories(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How scores of each category are levelled.

    A comparison between two categories has the lower of both levelled scores, hence the higher of
    both thresholds. Where a category is unknown, that of all categories counts: not to know can
    only make a decision stricter.

    Args:
        column: of the records, that says the category.
        lines: by category, at least one.
    Raises:
        ConfigError: a scale is not positive, or there is no category.
    Example:
        >>> two = {"a": Line(0.0, 1.0), "b": Line(0.2, 1.0)}
        >>> categories = Categories(column="country", lines=two)
        >>> [categories.threshold(0.5, pair) for pair in (("a", "a"), ("a", "b"), ("a", "x"))]
        [0.5, 0.7, 0.7]
    """

    column: str
    lines: dict[str, Line]

    def __post_init__(self) -> None:
        if not self.lines:
            raise ConfigError("no category", where="categories")
        for name, line in self.lines.items():
            if not (np.isfinite(line.shift) and 0 < line.scale < np.inf):
                raise ConfigError(f"{line} makes no sense", where=f"categories.{name}")

    def known(self, pair: Pair) -> Pair:
        """The pair with None for each name that is no category here."""
        left, right = pair
        return (left if left in self.lines else None, right if right in self.lines else None)

    def threshold(self, levelled: float, pair: Pair) -> float:
        """The score that a levelled threshold means for a comparison."""
        return max(line.shift + line.scale * levelled for line in self._lines(pair))

    def levelled(self, score: float, pair: Pair) -> float:
        """The levelled score of a comparison."""
        return min((score - line.shift) / line.scale for line in self._lines(pair))

    def _lines(self, pair: Pair) -> list[Line]:
        left, right = (self.lines.get(name) if name is not None else None for name in pair)
        if left is None or right is None:
            return list(self.lines.values())
        return [left] if left is right else [left, right]

    def level(self, scores: Scores) -> Scores:
        """The same comparisons with levelled scores.

        Args:
            scores: with categories, by any names.
        Raises:
            DataError: they have no categories.
        """
        left, right = sides(scores)
        code = self.codes(scores.category_names)
        levelled = np.empty_like(scores.score)
        for at in scores.blocks():
            levelled[at] = self.level_block(scores.score[at], code[left[at]], code[right[at]])
        return replace(scores, score=levelled)

    def codes(self, names: Sequence[str]) -> Int16:
        """Place of each name among the lines, -1 if it is none; and -1 at the end, for code -1."""
        place = {name: i for i, name in enumerate(self.lines)}
        return np.array([*(place.get(name, -1) for name in names), -1], np.int16)

    def level_block(self, score: Float32, left: Int16, right: Int16) -> Float32:
        """Levelled scores: (n,) float32.

        Args:
            score: (n,) float32.
            left: (n,) int16 places of the left categories (see `codes`), or one for all.
            right: (n,) int16, like left.
        """
        shift = np.array([line.shift for line in self.lines.values()])
        scale = np.array([line.scale for line in self.lines.values()])
        s = score.astype(np.float64)
        sides = ((s - shift[side]) / scale[side] for side in (left, right))
        levelled: Float32 = np.minimum(*sides).astype(np.float32)
        unknown = np.flatnonzero((left < 0) | (right < 0))
        if unknown.size:
            levelled[unknown] = _lowest(s[unknown], shift, scale)
        return levelled


def fit(scores: Scores, column: str) -> Categories:
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
    moments = {code: _moments(part) for code, part in within(scores)}
    found = {code: m for code, m in moments.items() if m is not None}
    if not any(np.isfinite(m.log_sd_variance) for m in found.values()):
        raise DataError(
            "no category has impostor comparisons of three identities",
            where=column,
            hint="a category groups many identities: name a coarser column",
        )
    codes = list(found)
    n = np.array([found[c].n_identities for c in codes], np.float64)
    log_sd, log_sd_all = shrink(
        np.array([found[c].log_sd for c in codes]),
        moderated(np.array([found[c].log_sd_variance for c in codes]), n),
    )
    sd = np.exp(log_sd)
    relative = np.array([found[c].mean_variance for c in codes]) / np.square(sd)
    mean, mean_all = shrink(
        np.array([found[c].mean for c in codes]), moderated(relative, n) * np.square(sd)
    )
    scale = np.exp(log_sd - log_sd_all)
    shift = mean - mean_all * scale
    lines = {
        scores.category_names[c]: Line(float(shift[i]), float(scale[i]))
        for i, c in enumerate(codes)
    }
    return Categories(column=column, lines=lines)


def within(scores: Scores) -> Iterator[tuple[int, Scores]]:
    """Code and comparisons of each category: those of two of its records.

    Raises:
        DataError: the scores have no categories.
    """
    left, right = sides(scores)
    key = np.where(left == right, left, np.int16(-1))
    order = np.argsort(key, kind="stable")
    ends = np.searchsorted(key[order], np.arange(len(scores.category_names) + 1))
    for code in range(len(scores.category_names)):
        at = order[ends[code] : ends[code + 1]]
        if at.size:
            yield code, scores.take(at)


def between(scores: Scores) -> Scores:
    """Comparisons of records of two categories, or of an unknown one.

    Raises:
        DataError: the scores have no categories.
    """
    left, right = sides(scores)
    return scores.take(np.flatnonzero((left != right) | (left < 0)))


def sides(scores: Scores) -> tuple[Int16, Int16]:
    """Category codes of both sides.

    Raises:
        DataError: there are none.
    """
    if scores.left_category is None or scores.right_category is None:
        raise DataError("the comparisons have no categories", hint="name data.category")
    return scores.left_category, scores.right_category


def shrink(value: Float64, variance: Float64) -> tuple[Float64, float]:
    """Values drawn towards their common mean, and that mean.

    Args:
        value: (g,) estimates.
        variance: (g,) of each estimate, > 0; inf = says nothing.
    Source: DerSimonian and Laird 1986.
    Example:
        >>> shrink(np.array([0.0, 1.0]), np.array([1e-9, 1e-9]))[0].round(3).tolist()
        [0.0, 1.0]
    """
    weight = 1 / variance
    total = weight.sum()
    spread = float(weight @ np.square(value - weight @ value / total))
    degrees = np.count_nonzero(weight) - 1
    room = total - weight @ weight / total
    between = max(0.0, (spread - degrees) / room) if degrees else 0.0
    weight = 1 / (variance + between)
    mean = float(weight @ value / weight.sum())
    kept = between * weight
    return np.where(np.isinf(variance), mean, mean + kept * (value - mean)), mean


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
    """Mean and log standard deviation of impostor scores, with variances by identity."""

    n_identities: int
    mean: float
    mean_variance: float
    log_sd: float
    log_sd_variance: float


def _moments(part: Scores) -> _Moments | None:
    """Moments of the impostors of one category; None if there is no spread to speak of."""
    at = np.flatnonzero(~part.genuine)
    if at.size < 2:
        return None
    score = part.score[at].astype(np.float64)
    mean, sd = float(score.mean()), float(score.std())
    if not sd > 0:
        return None
    z = (score - mean) / sd
    code, n_identities = _dense(part.left[at], part.right[at])
    n, first, second = (
        sum(np.bincount(side, w, minlength=n_identities) for side in code.reshape(2, -1))
        for w in (None, z, np.square(z))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        left_out = len(z) - n
        means = (z.sum() - first) / left_out
        spread = (np.square(z).sum() - second) / left_out - np.square(means)
        log_sds = 0.5 * np.log(spread)
    return _Moments(
        n_identities,
        mean,
        jackknife_variance(means) * sd**2,
        float(np.log(sd)),
        jackknife_variance(log_sds),
    )


def _dense(left: Int32, right: Int32) -> tuple[Int64, int]:
    """Codes 0, 1, ... of the identities on both sides, one side after the other, and how many."""
    both = np.concatenate([left, right])
    names, code = np.unique(both, return_inverse=True)
    return code, len(names)


def _lowest(score: Float64, shift: Float64, scale: Float64) -> Float64:
    """Lowest levelled score over all categories: (n,) float64.

    Only lines that no other one undercuts at both ends of the scores can be lowest in between.
    """
    low, high = ((end - shift) / scale for end in (score.min(), score.max()))
    order = np.lexsort((high, low))
    least = np.minimum.accumulate(high[order])
    kept = order[np.append(True, high[order][1:] < least[:-1])]
    lowest = np.full(len(score), np.inf)
    for i in kept.tolist():
        np.minimum(lowest, (score - shift[i]) / scale[i], out=lowest)
    return lowest
