"""How statistics of the two error rates vary with the identities that happened to be there.

Three ways to find it, all with the identity (or unit of joined identities) as what is drawn:
leaving one out at a time (jackknife: too wide for FMR, since it counts twice what two identities
share), the residuals of all pairs that share one (dyadic-robust: too short with few identities),
and drawing them again (bootstrap: no formula, wide for small FMR). The default is the mean of the
first two variances, which covered best in simulations. What the statistics are, and at
which threshold, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.calibrate.rates.intervals import (
    DYADIC,
    MEAN,
    Estimate,
    Sample,
    jackknife_variance,
    percentile,
    proportion,
)
from gemel.calibrate.scores.scores import Pairs, Scores

Method = Literal["mean", "jackknife", "dyadic", "bootstrap"]

N_RESAMPLES = 400
DENSE = 0.05
"""Share of pairs of identities that were compared from which on a plain matrix is faster."""
MAX_DENSE = 1 << 26


@dataclass(frozen=True, eq=False)
class Counts:
    """Errors and comparisons: numbers, or arrays with one for each unit or resample."""

    false_match: Any
    impostor: Any
    false_non_match: Any
    genuine: Any

    def fmr(self) -> Any:
        """False match rate; NaN without impostors."""
        return _ratio(self.false_match, self.impostor)

    def fnmr(self) -> Any:
        """False non-match rate; NaN without genuine comparisons."""
        return _ratio(self.false_non_match, self.genuine)

    def match(self) -> Any:
        """Comparisons that match."""
        return self.genuine - self.false_non_match + self.false_match

    def precision(self) -> Any:
        """Genuine among the matches at hand, whatever the prior; NaN without a match."""
        return _ratio(self.genuine - self.false_non_match, self.match())


Statistic = Callable[[Counts], Any]


def _ratio(part: Any, whole: Any) -> Any:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.true_divide(part, whole)


@dataclass(frozen=True, eq=False)
class Spread:
    """The errors at one threshold, by unit.

    Args:
        scores: labelled comparisons of both classes.
        match: (n,) bool, which of them match.
        method: how the variation is found.
    """

    scores: Scores
    match: Bool
    method: Method = "mean"

    @cached_property
    def false_match_at(self) -> Int64:
        """Positions of the false matches."""
        return np.flatnonzero(self.match & ~self.scores.genuine)

    @cached_property
    def total(self) -> Counts:
        """Counts over all comparisons."""
        missed = int(self.by_unit.false_non_match.sum())
        s = self.scores
        return Counts(len(self.false_match_at), s.n_impostor, missed, s.n_genuine)

    @cached_property
    def by_unit(self) -> Counts:
        """Counts of the comparisons that each unit takes part in: (n_units,) each."""
        s = self.scores
        return Counts(
            s.by_identity(self.false_match_at),
            s.impostor_by_identity,
            s.by_identity(s.genuine & ~self.match),
            s.genuine_by_identity,
        )

    def estimate(
        self, statistic: Statistic, part: Bool, sample: Sample, confidence: float
    ) -> Estimate:
        """A statistic of the counts, with its interval.

        Args:
            statistic: a proportion, from counts.
            part: (n_units,) units that have a part in it.
            sample: what it is taken over.
            confidence: level of the interval.
        """
        value = float(statistic(self.total))
        if self.method == "bootstrap":
            return percentile(value, statistic(self._resampled), sample, confidence)
        if self.method == "mean":
            variance = (self._jackknife(statistic, part) + self._dyadic(statistic, part)) / 2
            return proportion(value, variance, sample, confidence, MEAN)
        if self.method == "dyadic":
            return proportion(value, self._dyadic(statistic, part), sample, confidence, DYADIC)
        return proportion(value, self._jackknife(statistic, part), sample, confidence)

    def _jackknife(self, statistic: Statistic, part: Bool) -> float:
        return jackknife_variance(self.left_out(statistic, part))

    def left_out(self, statistic: Statistic, part: Bool) -> Float64:
        """A statistic with each of these units left out in turn: (n,) float64."""
        total, unit = self.total, self.by_unit
        without = Counts(
            total.false_match - unit.false_match[part],
            total.impostor - unit.impostor[part],
            total.false_non_match - unit.false_non_match[part],
            total.genuine - unit.genuine[part],
        )
        values: Float64 = statistic(without)
        return values

    def _dyadic(self, statistic: Statistic, part: Bool) -> float:
        """Variance from the residuals of all pairs of comparisons that share a unit.

        The jackknife's where it is not positive, which can happen with few units.

        Source: Aronow, Samii and Assenova 2015, Cluster-robust variance estimation for dyadic
            data; linearised for statistics of both rates.
        """
        residual = self.residual(statistic)
        shared = self.slope(statistic) ** 2 * self._pair_residual
        variance = float(np.square(residual).sum() - shared)
        return variance if variance > 0 else self._jackknife(statistic, part)

    def residual(self, statistic: Statistic) -> Float64:
        """What the comparisons of each unit add to a statistic beyond its value: (n_units,)."""
        total, unit = self.total, self.by_unit
        residual = self.slope(statistic) * (unit.false_match - total.fmr() * unit.impostor)
        per_miss = _slope(statistic, total, "false_non_match")
        found: Float64 = residual + per_miss * (unit.false_non_match - total.fnmr() * unit.genuine)
        return found

    def slope(self, statistic: Statistic) -> float:
        """Change of a statistic per false match more."""
        return _slope(statistic, self.total, "false_match")

    @cached_property
    def _pair_residual(self) -> float:
        """Sum of squared residuals of the pairs of units: each pair shares two of them."""
        return self.pair_residual(self)

    def pair_residual(self, other: Spread) -> float:
        """Sum over pairs of units of both residuals multiplied, in false matches.

        Args:
            other: of the same comparisons in the same order, scored otherwise.
        """
        pairs, (f, g) = self.scores.impostor_pairs, (self.total.fmr(), other.total.fmr())
        (one, n_one), (two, n_two) = self._errors, other._errors
        _, at, there = np.intersect1d(one.key, two.key, assume_unique=True, return_indices=True)
        among = one.count[at] @ two.count[there]
        among = among - g * (one.count @ n_one) - f * (two.count @ n_two)
        return float(among + f * g * np.square(pairs.count, dtype=np.float64).sum())

    @cached_property
    def _errors(self) -> tuple[Pairs, Int64]:
        """False matches by pair of units, and how often those were compared."""
        pairs, errors = self.scores.impostor_pairs, self.scores.pairs_of(self.false_match_at)
        return errors, pairs.count[np.searchsorted(pairs.key, errors.key)]

    @cached_property
    def _resampled(self) -> Counts:
        """Counts in each resample: a pair of units counts as often as both were drawn together.

        Comparisons within a unit count as often as it was drawn.
        """
        s, unit = self.scores, self.by_unit
        part = np.flatnonzero(unit.impostor + unit.genuine)
        drawn = np.random.default_rng(0).integers(0, len(part), (N_RESAMPLES, len(part)))
        weight = np.zeros((s.n_units, N_RESAMPLES), np.float32)
        for b, units in enumerate(drawn):
            weight[part, b] = np.bincount(units, minlength=len(part))
        return Counts(
            _weighted(s.pairs_of(self.false_match_at), unit.false_match, weight),
            _weighted(s.impostor_pairs, unit.impostor, weight),
            unit.false_non_match @ weight,
            unit.genuine @ weight,
        )


def _weighted(pairs: Pairs, touched: Int64, weight: Float32) -> Float64:
    """Comparisons in each resample: of a pair of units times the weights of both.

    Args:
        pairs: of different units.
        touched: (u,) comparisons that each unit takes part in, those within it too.
        weight: (u, b) how often each resample drew each unit.
    """
    from scipy.sparse import coo_array

    n = len(weight)
    at, count = np.divmod(pairs.key, n), pairs.count.astype(np.float32)
    within = touched - np.bincount(at[0], count, n) - np.bincount(at[1], count, n)
    table: Any
    if n * n <= MAX_DENSE and len(count) > DENSE * n * n:
        table = np.zeros((n, n), np.float32)
        table[at] = count
    else:
        table = coo_array((count, at), shape=(n, n)).tocsr()
    across = np.einsum("ub,ub->b", weight, table @ weight, dtype=np.float64)
    total: Float64 = across + within @ weight
    return total


def _slope(statistic: Statistic, at: Counts, name: str) -> float:
    """Change of a statistic per error more."""
    ends = []
    for step in (-0.5, 0.5):
        moved = {**vars(at), name: getattr(at, name) + step}
        ends.append(float(statistic(Counts(**moved))))
    return ends[1] - ends[0]
