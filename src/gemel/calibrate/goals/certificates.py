"""Thresholds that prove an error rate: at most so many false matches, or false non-matches.

Each test is an exact binomial one on the effective number of comparisons, by identity, and never
on more than there are pairs of identities: however many comparisons two identities have, a pair
that was not seen may err in all of them. FMR falls with the threshold and FNMR rises, so of the
candidates that pass the one with the fewest errors of the other kind is taken. Data that cannot
prove the target are refused with what is missing; nothing is extrapolated here. Precision, which
is no such rate, has `precision.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gemel.arrays import Int64
from gemel.calibrate.goals.extrapolation import extrapolated
from gemel.calibrate.goals.refusal import Refusal, refused
from gemel.calibrate.rates.intervals import (
    MIN_IMPOSTOR_IDENTITIES,
    effective_n,
    errors_allowed,
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

N_RANKS = 240


@dataclass(frozen=True)
class Certificate:
    """A threshold with the proven bound of its error rate."""

    threshold: float
    bound: float
    n_effective: float


@dataclass(frozen=True)
class _Candidate:
    """A number of worst comparisons as the errors of a threshold, and what that would prove."""

    n_errors: int
    n_effective: float
    bound: float


def fmr_threshold(scores: Scores, limit: float, confidence: float) -> Certificate:
    """The loosest threshold proven to keep FMR at or below a limit.

    Args:
        scores: labelled comparisons of both classes.
        limit: the FMR, in (0, 1).
        confidence: probability that the promise holds, over the choice of identities.
    Raises:
        TargetRefused: the data cannot prove it; says what is missing.
    Source: Clopper and Pearson 1934 on the effective number of comparisons of Fogliato, Patil and
        Perona 2023, arXiv 2306.01198; taking the last that passes: Bates et al. 2021 (RCPS),
        arXiv 2101.02703.
    """
    (found,) = fmr_thresholds(scores, [limit], confidence)
    if found is None:
        raise _refused(scores, limit, confidence, genuine=False)
    return found


def fmr_thresholds(
    scores: Scores, limits: Sequence[float], confidence: float
) -> list[Certificate | None]:
    """`fmr_threshold` for each of several limits; None where the data cannot prove it."""
    found: list[Certificate | None] = []
    for most in _most_errors(scores, limits, confidence, genuine=False):
        if most is None:
            found.append(None)
            continue
        passed, rejected = most
        above = scores.score[scores.score > rejected]
        threshold = between(rejected, above.min() if above.size else np.float32(np.inf))
        found.append(Certificate(threshold, passed.bound, passed.n_effective))
    return found


def fnmr_threshold(scores: Scores, limit: float, confidence: float) -> Certificate:
    """The strictest threshold proven to keep FNMR at or below a limit; see `fmr_threshold`.

    Raises:
        TargetRefused: the data cannot prove it; says what is missing.
    """
    (found,) = _most_errors(scores, [limit], confidence, genuine=True)
    if found is None:
        raise _refused(scores, limit, confidence, genuine=True)
    passed, kept = found
    below = scores.score[scores.score < kept]
    threshold = between(below.max(), kept) if below.size else float(kept)
    return Certificate(threshold, passed.bound, passed.n_effective)


def smallest_fmr(scores: Scores, confidence: float = 0.95) -> float:
    """The smallest FMR that these comparisons can prove at any threshold.

    Args:
        scores: labelled comparisons of both classes.
        confidence: of the proof.
    """
    scores.require_both()
    return _smallest(scores, confidence, genuine=False)


def _most_errors(
    scores: Scores, limits: Sequence[float], confidence: float, *, genuine: bool
) -> list[tuple[_Candidate, np.float32] | None]:
    """For each limit the passing candidate with most errors, and the worst score that is none."""
    n = scores.n_genuine if genuine else scores.n_impostor
    worst = _worst(scores, max(errors_allowed(n, max(limits), confidence), 0), genuine)
    passed: list[tuple[_Candidate, np.float32] | None] = [None] * len(limits)
    for candidate in _candidates(scores, worst, confidence, genuine):
        for i, limit in enumerate(limits):
            if candidate.bound <= limit:
                passed[i] = candidate, scores.score[worst[candidate.n_errors]]
    return passed


def _smallest(scores: Scores, confidence: float, *, genuine: bool) -> float:
    """The smallest rate that can be proven."""
    n = scores.n_genuine if genuine else scores.n_impostor
    worst = _worst(scores, min(1000, n), genuine)
    return min(c.bound for c in _candidates(scores, worst, confidence, genuine))


def _worst(scores: Scores, n_errors: int, genuine: bool) -> Int64:
    """Positions of the n_errors + 1 worst comparisons of a class and all ties, worst first.

    The worst are the highest impostors and the lowest genuine scores.
    """
    at = np.flatnonzero(scores.genuine == genuine)
    badness = scores.score[at] if not genuine else -scores.score[at]
    rank = min(n_errors + 1, len(badness))
    cut = np.partition(badness, len(badness) - rank)[len(badness) - rank]
    kept = np.flatnonzero(badness >= cut)
    return at[kept[np.argsort(-badness[kept], kind="stable")]]


def _candidates(
    scores: Scores, worst: Int64, confidence: float, genuine: bool
) -> Iterator[_Candidate]:
    """Candidates from the fewest errors to the most, at ranks that split no tie.

    Without an error nothing tells how alike the comparisons of an identity are: then comparisons
    that share no identity count, of which there are as many as identities (genuine) or half of
    them (impostor).

    Args:
        scores: labelled comparisons.
        worst: positions of the worst comparisons of a class, see `_worst`.
        confidence: of each candidate's bound.
        genuine: the class.
    """
    comparisons = scores.genuine_by_identity if genuine else scores.impostor_by_identity
    least = MIN_GENUINE_IDENTITIES if genuine else MIN_IMPOSTOR_IDENTITIES
    part = comparisons > 0
    n_identities = int(np.count_nonzero(part))
    n_independent = n_identities // (1 if genuine else 2)
    most = n_identities if genuine else n_identities * (n_identities - 1) // 2
    yield _Candidate(0, float(n_independent), upper_bound(0, n_independent, confidence))
    values, n = scores.score[worst], scores.n_genuine if genuine else scores.n_impostor
    splits = np.flatnonzero(values[1:] != values[:-1]) + 1
    if not splits.size:
        return
    wanted = np.geomspace(1, splits[-1], N_RANKS)
    ranks = np.unique(splits[np.searchsorted(splits, wanted, side="right").clip(1) - 1])
    errors = np.zeros_like(comparisons)
    before = 0
    for rank in ranks.tolist():
        errors += scores.by_identity(worst[before:rank])
        before = rank
        if np.count_nonzero(errors) < least:
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            left_out = np.true_divide(rank - errors[part], n - comparisons[part])
        n_effective = effective_n(rank / n, left_out, n)
        if not math.isnan(n_effective):
            n_effective = min(n_effective, most)
            bound = upper_bound(rank / n * n_effective, n_effective, confidence)
            yield _Candidate(rank, n_effective, bound)


def _refused(scores: Scores, limit: float, confidence: float, *, genuine: bool) -> TargetRefused:
    """What is missing for a target, if the data go on as they are."""
    n = scores.n_genuine if genuine else scores.n_impostor
    comparisons = scores.genuine_by_identity if genuine else scores.impostor_by_identity
    n_identities = int(np.count_nonzero(comparisons))
    reach = _smallest(scores, confidence, genuine=genuine)
    needed = max(trials_needed(limit, confidence), math.ceil(n * min(reach / limit, 1e9)))
    growth = needed / n if genuine else math.sqrt(needed / n)  # impostors pair up, genuine do not
    return refused(
        Refusal(
            kind="fnmr" if genuine else "fmr",
            value=limit,
            confidence=confidence,
            n_identities=n_identities,
            n_comparisons=n,
            missing_identities=max(math.ceil(n_identities * (growth - 1)), 1),
            missing_comparisons=max(needed - n, 1),
            reach=reach,
            smallest_fmr=smallest_fmr(scores, confidence),
            estimate=None if genuine else extrapolated(scores, limit, confidence),
        )
    )
