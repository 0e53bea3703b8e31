"""Thresholds that prove an error rate: at most so many false matches, or false non-matches.

What counted errors prove is `proofs/bounds.py`'s. FMR falls with the threshold and FNMR rises, so
of the candidates that pass the one with the fewest errors of the other kind is taken. Data that
cannot prove the target are refused with what is missing; nothing is extrapolated here. Precision,
which is no such rate, has `certified_precision.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gemel.arrays import Int64
from gemel.calibrate.goals.extrapolation import extrapolated
from gemel.calibrate.goals.refusal import Refusal, n_joined, refused
from gemel.calibrate.proofs.bounds import Clusters, Counted
from gemel.calibrate.proofs.growth import Grown
from gemel.calibrate.rates.intervals import (
    MIN_IMPOSTOR_IDENTITIES,
    disjoint,
    errors_allowed,
    n_carrying,
    trials_needed,
    upper_bound,
)
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import between
from gemel.errors import TargetRefused

MIN_GENUINE_IDENTITIES = 10
"""Identities that false non-matches must be spread over.

With 6 the certificate failed 6 % of the time, with 10 1 % (nominal 5 %).
"""

N_RANKS = 120


@dataclass(frozen=True)
class Certificate:
    """A threshold with the proven bound of its error rate."""

    threshold: float
    bound: float
    n_effective: float


@dataclass(frozen=True, eq=False)
class _Class:
    """The comparisons of one class, by what may err as one.

    Clusters are of identities also where these are joined into units: what is common to a unit
    shows in the spread of the units, and that all comparisons of two units err is no more likely
    than that all comparisons of two of their identities do.
    """

    scores: Scores
    genuine: bool

    @property
    def n(self) -> int:
        """Comparisons."""
        return self.scores.n_genuine if self.genuine else self.scores.n_impostor

    @cached_property
    def by_unit(self) -> Int64:
        """Comparisons of each unit."""
        s = self.scores
        return s.genuine_by_identity if self.genuine else s.impostor_by_identity

    @cached_property
    def apart(self) -> Scores:
        """The same, every identity for itself."""
        return self.scores if self.scores.unit_of is None else replace(self.scores, unit_of=None)

    @cached_property
    def clusters(self) -> Clusters:
        """Genuine comparisons of each identity, or those of each two identities."""
        if not self.genuine:
            return Clusters(self.apart.impostor_pairs.count)
        of_each = self.apart.genuine_by_identity
        return Clusters(of_each[of_each > 0])

    def cluster_of(self, at: Int64) -> tuple[Int64, Int64]:
        """Cluster of the comparisons at these positions, and comparisons of each cluster."""
        n_codes = self.scores.n_codes
        left, right = self.scores.left[at].astype(np.int64), self.scores.right[at]
        key = np.minimum(left, right) * n_codes + np.maximum(left, right)
        key, cluster = np.unique(key, return_inverse=True)
        if self.genuine:
            return cluster, self.apart.genuine_by_identity[key % n_codes]
        pairs = self.apart.impostor_pairs
        return cluster, pairs.count[np.searchsorted(pairs.key, key)]


@dataclass(frozen=True, eq=False)
class _Candidate:
    """The worst comparisons of a class as the errors of a threshold, and what they prove.

    Args:
        n_errors: errors.
        rate: their share.
        n_effective: independent comparisons.
        bound: of the rate, over the choice of identities.
        n_carrying: units that carry the errors.
        worse: share by which one more identity, worse than the worst, raises the rate.
        errors: (k,) of the clusters that have some.
        of: (k,) comparisons of these.
    """

    n_errors: int
    rate: float
    n_effective: float
    bound: float
    n_carrying: float
    worse: float
    errors: Int64
    of: Int64

    def spread(self, alone: float) -> float:
        """Squared relative deviation of the rate by the choice of identities.

        Args:
            alone: one over the comparisons that would be as informative if that were none.
        """
        return max((1 / self.n_effective - alone) / self.rate, 0.0) if self.n_errors else 0.0

    def proves(self, limit: float, clusters: Clusters, confidence: float) -> bool:
        """Whether the rate is at most a limit."""
        if self.bound > limit or not self.n_errors:
            return self.bound <= limit
        return clusters.rule_out(self.errors, self.of, self.rate, limit, confidence)

    def proven(self, clusters: Clusters, confidence: float) -> float:
        """The smallest limit that it proves."""
        if not self.n_errors:
            return self.bound
        return clusters.bound(self.errors, self.of, self.rate, confidence, self.bound)


def fmr_threshold(scores: Scores, limit: float, confidence: float) -> Certificate:
    """The loosest threshold proven to keep FMR at or below a limit.

    Args:
        scores: labelled comparisons of both classes.
        limit: the FMR, in (0, 1).
        confidence: probability that the promise holds, over the choice of identities.
    Raises:
        TargetRefused: the data cannot prove it; says what is missing.
    Source: taking the last that passes: Bates et al. 2021 (RCPS), arXiv 2101.02703.
    """
    (found,) = fmr_thresholds(scores, [limit], confidence)
    if found is None:
        raise _refused(scores, limit, confidence, genuine=False)
    return found


def fmr_thresholds(
    scores: Scores, limits: Sequence[float], confidence: float
) -> list[Certificate | None]:
    """`fmr_threshold` for each of several limits; None where the data cannot prove it."""
    return _certificates(_Class(scores, False), limits, confidence)


def fnmr_threshold(scores: Scores, limit: float, confidence: float) -> Certificate:
    """The strictest threshold proven to keep FNMR at or below a limit; see `fmr_threshold`.

    Raises:
        TargetRefused: the data cannot prove it; says what is missing.
    """
    (found,) = _certificates(_Class(scores, True), [limit], confidence)
    if found is None:
        raise _refused(scores, limit, confidence, genuine=True)
    return found


def smallest_fmr(scores: Scores, confidence: float = 0.95) -> float:
    """The smallest FMR that these comparisons can prove at any threshold.

    Args:
        scores: labelled comparisons of both classes.
        confidence: of the proof.
    """
    scores.require_both()
    of = _Class(scores, False)
    candidates = _candidates(of, _worst(of, min(1000, of.n)), confidence)
    return _smallest(of, candidates, confidence)


def _certificates(
    of: _Class, limits: Sequence[float], confidence: float
) -> list[Certificate | None]:
    """For each limit the threshold with most errors of those that pass."""
    worst = _worst(of, max(errors_allowed(of.n, max(limits), confidence), 0))
    passed: list[_Candidate | None] = [None] * len(limits)
    for candidate in _candidates(of, worst, confidence):
        for i, limit in enumerate(limits):
            if candidate.proves(limit, of.clusters, confidence):
                passed[i] = candidate
    found: list[Certificate | None] = []
    for last, limit in zip(passed, limits, strict=True):
        if last is None:
            found.append(None)
            continue
        kept = of.scores.score[worst[last.n_errors]]
        bound = min(last.proven(of.clusters, confidence), limit)
        found.append(Certificate(_beside(of, kept), bound, last.n_effective))
    return found


def _beside(of: _Class, kept: np.float32) -> float:
    """The threshold at which this score of the class is the first that is no error."""
    score = of.scores.score
    if of.genuine:
        below = score[score < kept]
        return between(below.max(), kept) if below.size else float(kept)
    above = score[score > kept]
    return between(kept, above.min() if above.size else np.float32(np.inf))


def _smallest(of: _Class, candidates: Iterable[_Candidate], confidence: float) -> float:
    """The smallest rate that can be proven."""
    best = 1.0
    for candidate in candidates:
        if candidate.proves(best, of.clusters, confidence):
            best = candidate.proven(of.clusters, confidence)
    return best


def _worst(of: _Class, n_errors: int) -> Int64:
    """Positions of the n_errors + 1 worst comparisons of a class and all ties, worst first.

    The worst are the highest impostors and the lowest genuine scores.
    """
    at = np.flatnonzero(of.scores.genuine == of.genuine)
    badness = -of.scores.score[at] if of.genuine else of.scores.score[at]
    rank = min(n_errors + 1, len(badness))
    cut = np.partition(badness, len(badness) - rank)[len(badness) - rank]
    kept = np.flatnonzero(badness >= cut)
    return at[kept[np.argsort(-badness[kept], kind="stable")]]


def _candidates(of: _Class, worst: Int64, confidence: float) -> Iterator[_Candidate]:
    """Candidates from the fewest errors to the most, at ranks that split no tie.

    Without an error nothing tells how alike the comparisons of an identity are: then comparisons
    that share no unit count.

    Args:
        of: the class.
        worst: positions of its worst comparisons, see `_worst`.
        confidence: of each candidate's bound.
    """
    scores, part = of.scores, of.by_unit > 0
    least = MIN_GENUINE_IDENTITIES if of.genuine else MIN_IMPOSTOR_IDENTITIES
    n_independent, none = disjoint(of.by_unit, of.n), np.zeros(0, np.int64)
    zero = upper_bound(0, n_independent, confidence)
    yield _Candidate(0, 0.0, float(n_independent), zero, math.inf, 0.0, none, none)
    values = scores.score[worst]
    splits = np.flatnonzero(values[1:] != values[:-1]) + 1
    if not splits.size:
        return
    wanted = np.geomspace(1, splits[-1], N_RANKS)
    ranks = np.unique(splits[np.searchsorted(splits, wanted, side="right").clip(1) - 1])
    cluster, size = of.cluster_of(worst)
    comparisons = of.by_unit[part].astype(np.float64)
    errors, by_cluster, before = np.zeros_like(of.by_unit), np.zeros_like(size), 0
    for rank in ranks.tolist():
        errors += scores.by_identity(worst[before:rank])
        by_cluster += np.bincount(cluster[before:rank], minlength=len(size))
        before = rank
        if np.count_nonzero(errors) < least:
            continue
        of_each = errors[part].astype(np.float64)
        seen = Counted(of_each, comparisons, rank, of.n, meets=not of.genuine)
        rate, n_effective = seen.effective()
        bound, some = seen.bound(confidence), by_cluster > 0
        carrying, worse = n_carrying(of_each), seen.with_one_more().rate / rate - 1
        of_clusters = by_cluster[some], size[some]
        yield _Candidate(rank, rate, n_effective, bound, carrying, worse, *of_clusters)


def _refused(scores: Scores, limit: float, confidence: float, *, genuine: bool) -> TargetRefused:
    """What is missing for a target, if the data go on as they are."""
    of = _Class(scores, genuine)
    candidates = list(_candidates(of, _worst(of, min(1000, of.n)), confidence))
    reach = _smallest(of, candidates, confidence)
    power = round(of.by_unit.sum() / of.n)  # impostors pair up, genuine comparisons do not
    seen = max(candidates, key=lambda c: c.bound / c.rate if c.n_errors else 0.0)
    n_identities = int(np.count_nonzero(of.apart.by_identity(scores.genuine == genuine)))
    grown = Grown(
        n_comparisons=of.n,
        n_clusters=len(of.clusters.n_comparisons),
        spread=seen.spread(power / of.n),
        power=power,
        n_errors=MIN_GENUINE_IDENTITIES if genuine else MIN_IMPOSTOR_IDENTITIES,
        n_carrying=seen.n_carrying,
        worse=seen.worse,
    )
    without_errors = trials_needed(limit, confidence) / max(disjoint(of.by_unit, of.n), 1)
    growth = min(grown.growth(limit, confidence), max(without_errors, 1.0))
    more = math.isfinite(growth)
    return refused(
        Refusal(
            kind="fnmr" if genuine else "fmr",
            value=limit,
            confidence=confidence,
            n_identities=n_identities,
            n_comparisons=of.n,
            missing_identities=max(math.ceil(n_identities * (growth - 1)), 1) if more else 0,
            missing_comparisons=max(math.ceil(of.n * (growth**power - 1)), 1) if more else 0,
            reach=reach,
            n_units=n_joined(scores, of.by_unit),
            share=scores.share,
            smallest_fmr=reach if not genuine else smallest_fmr(scores, confidence),
            estimate=None if genuine else extrapolated(scores, limit, confidence),
        )
    )
