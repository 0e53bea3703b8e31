"""How statistics of the two error rates vary with the identities that happened to be there.

Two variances, both with the identity (or unit of joined identities) as what is drawn: leaving one
out at a time (jackknife: too wide for FMR, since it counts twice what two identities share), and
the residuals of all pairs that share one (dyadic-robust: too short with few identities). Their
mean covered best in simulations. What the statistics are, and at which threshold, is not known
here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gemel.arrays import Bool, Float64, Int64
from gemel.calibrate.rates.intervals import (
    MEAN,
    Estimate,
    Sample,
    jackknife_variance,
    n_carrying,
    proportion,
)
from gemel.calibrate.scores.scores import Pairs, Scores


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
    """

    scores: Scores
    match: Bool

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
        shared = self.slope(statistic) ** 2 * self._pair_residual
        variance = mean_variance(self.left_out(statistic, part), self.residual(statistic), shared)
        return proportion(float(statistic(self.total)), variance, sample, confidence, MEAN)

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

    def residual(self, statistic: Statistic) -> Float64:
        """What the comparisons of each unit add to a statistic beyond its value: (n_units,)."""
        of_impostors, of_genuine = self._residuals(statistic)
        return of_impostors + of_genuine

    def _residuals(self, statistic: Statistic) -> tuple[Float64, Float64]:
        """What impostor and what genuine comparisons add: (n_units,) each."""
        total, unit = self.total, self.by_unit
        per_miss = _slope(statistic, total, "false_non_match")
        return (
            self.slope(statistic) * (unit.false_match - total.fmr() * unit.impostor),
            per_miss * (unit.false_non_match - total.fnmr() * unit.genuine),
        )

    def carrying(self, statistic: Statistic) -> float:
        """Units that carry a statistic, see `n_carrying`.

        Source: Welch 1947, for the sum of what both kinds of comparisons add to its variance.
        """
        weight, added = (self.by_unit.impostor, self.by_unit.genuine), self._residuals(statistic)
        variance = np.array([float(np.square(part).sum()) for part in added])
        carrying = np.array([n_carrying(w) for w in weight])
        if not variance.any():
            return float(carrying.min())
        some = variance > 0
        return float(variance.sum() ** 2 / (np.square(variance[some]) / carrying[some]).sum())

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


def mean_variance(left_out: Float64, residual: Float64, shared: float) -> float:
    """Mean of the jackknife and the dyadic variance of a statistic.

    The dyadic one, the sum over all pairs of comparisons that share a unit, can be negative with
    few units; it is then left out. So it is where no two units share a comparison (FNMR): both
    are then the same, but for what a unit with much of the weight adds to its own residual.

    Args:
        left_out: (n,) the statistic without each unit that has a part in it.
        residual: (n_units,) what the comparisons of each add to it beyond its value.
        shared: sum over pairs of units of their squared residuals, which two units count.
    Source: Aronow, Samii and Assenova 2015, Cluster-robust variance estimation for dyadic data;
        linearised for statistics of both rates.
    """
    jackknife = jackknife_variance(left_out)
    dyadic = float(np.square(residual).sum() - shared)
    return (jackknife + (dyadic if dyadic > 0 and shared else jackknife)) / 2


def _slope(statistic: Statistic, at: Counts, name: str) -> float:
    """Change of a statistic per error more."""
    ends = []
    for step in (-0.5, 0.5):
        moved = {**vars(at), name: getattr(at, name) + step}
        ends.append(float(statistic(Counts(**moved))))
    return ends[1] - ends[0]
