"""Thresholds that prove an error rate: target FMR and target precision with a stated confidence.

Each test is an exact binomial one on the effective number of comparisons, by identity. FMR falls
with the threshold, so the loosest candidate that passes is taken. Precision need not rise with it:
there the testing goes from strict to loose and stops at the first failure (fixed sequence), so that
looking at many thresholds costs no confidence. Data that cannot prove the target are refused with
what is missing; nothing is extrapolated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.calibrate.curves import between
from gemel.calibrate.intervals import (
    effective_n,
    errors_allowed,
    p_value,
    trials_needed,
    upper_bound,
)
from gemel.calibrate.operating import accepted, false_match_odds
from gemel.calibrate.scores import Scores
from gemel.errors import DataError

MIN_ERROR_IDENTITIES = 6
"""Identities that the false matches must be spread over, before their spread can be judged.

With fewer, the jackknife has three unlike pairs at most to learn from; in simulated worlds of
lookalike families the certificate then failed 12 % of the time instead of 8 % (nominal 5 %).
"""

N_RANKS = 60
START = 2
"""A precision test starts where START times the trials that zero errors need are there."""


@dataclass(frozen=True)
class Certificate:
    """A threshold with the proven bound of its error rate."""

    threshold: float
    bound: float
    n_effective: float


@dataclass(frozen=True)
class _Candidate:
    """A set of the highest impostor scores as the false matches of a threshold."""

    n_errors: int
    n_identities: int
    n_effective: float
    bound: float


def fmr_threshold(scores: Scores, limit: float, confidence: float) -> Certificate:
    """The loosest threshold proven to keep FMR at or below a limit.

    Args:
        scores: labelled comparisons of both classes.
        limit: the FMR, in (0, 1).
        confidence: probability that the promise holds, over the choice of identities.
    Raises:
        DataError: the data cannot prove it; the hint says what is missing.
    Source: Clopper and Pearson 1934 on the effective number of comparisons of Fogliato, Patil and
        Perona 2023, arXiv 2306.01198.
    """
    n = scores.n_impostor
    worst = _highest_impostors(scores, max(errors_allowed(n, limit, confidence), 0))
    values = scores.score[worst]
    passed = None
    for candidate in _candidates(scores, worst, confidence):
        if candidate.n_identities >= MIN_ERROR_IDENTITIES and candidate.bound <= limit:
            passed = candidate
    if passed is None:
        raise _fmr_refusal(scores, limit, confidence)
    rejected = values[passed.n_errors]
    above = scores.score[scores.score > rejected]
    return Certificate(between(rejected, above.min()), passed.bound, passed.n_effective)


def _highest_impostors(scores: Scores, n_errors: int) -> Int64:
    """Positions of the n_errors + 1 highest impostor scores and all ties, falling."""
    impostor = scores.score[~scores.genuine]
    rank = min(n_errors + 1, len(impostor))
    cut = np.partition(impostor, len(impostor) - rank)[len(impostor) - rank]
    at = np.flatnonzero((scores.score >= cut) & ~scores.genuine)
    return at[np.argsort(-scores.score[at], kind="stable")]


def _candidates(scores: Scores, worst: Int64, confidence: float) -> Iterator[_Candidate]:
    """Candidates from strict to loose, at ranks that split no tie.

    Args:
        scores: labelled comparisons.
        worst: positions of the highest impostor scores, falling.
        confidence: of each candidate's bound.
    """
    values, n = scores.score[worst], scores.n_impostor
    splits = np.flatnonzero(values[1:] < values[:-1]) + 1
    if not splits.size:
        return
    wanted = np.geomspace(1, splits[-1], 4 * N_RANKS)
    ranks = np.unique(splits[np.searchsorted(splits, wanted, side="right").clip(1) - 1])
    comparisons = scores.impostor_by_identity
    part = comparisons > 0
    errors = np.zeros_like(comparisons)
    before = 0
    for rank in ranks.tolist():
        errors += scores.by_identity(worst[before:rank])
        before = rank
        with np.errstate(invalid="ignore", divide="ignore"):
            left_out = np.true_divide(rank - errors[part], n - comparisons[part])
        n_effective = effective_n(rank / n, left_out, n)
        bound = 1.0
        if not math.isnan(n_effective):
            bound = upper_bound(rank / n * n_effective, n_effective, confidence)
        yield _Candidate(rank, int(np.count_nonzero(errors)), n_effective, bound)


def smallest_fmr(scores: Scores, confidence: float = 0.95) -> float:
    """The smallest FMR that these comparisons could prove at any threshold; 1 if none.

    Args:
        scores: labelled comparisons of both classes.
        confidence: of the proof.
    """
    scores.require_both()
    worst = _highest_impostors(scores, min(1000, scores.n_impostor))
    bounds = [
        c.bound
        for c in _candidates(scores, worst, confidence)
        if c.n_identities >= MIN_ERROR_IDENTITIES
    ]
    return min(bounds, default=1.0)


def _fmr_refusal(scores: Scores, limit: float, confidence: float) -> DataError:
    """What is missing for an FMR target."""
    least = smallest_fmr(scores, confidence)
    n_identities = int(np.count_nonzero(scores.impostor_by_identity))
    needed = max(
        trials_needed(limit, confidence), math.ceil(scores.n_impostor * min(least / limit, 1e9))
    )
    growth = math.sqrt(needed / scores.n_impostor)
    missing_identities = max(math.ceil(n_identities * (growth - 1)), 1)
    missing = max(needed - scores.n_impostor, 1)
    reach = f"the smallest FMR they can prove is {least:.2g}" if least < 1 else "they prove none"
    return DataError(
        f"{scores.n_impostor:,} impostor comparisons of {n_identities:,} identities cannot prove "
        f"FMR <= {limit:g} with {confidence:.0%} confidence",
        hint=f"about {missing_identities:,} more identities ({missing:,} more impostor "
        f"comparisons) are needed; {reach}",
    )


def precision_threshold(
    scores: Scores, target: float, confidence: float, prior: float
) -> Certificate:
    """The loosest tested threshold proven to reach a precision at a prior.

    The test asks about the matches at hand, for the precision here that means the target at the
    prior (see `false_match_odds`).

    Args:
        scores: labelled comparisons of both classes.
        target: the precision, in (0, 1).
        confidence: probability that the promise holds, over the choice of identities.
        prior: share of genuine comparisons in use.
    Raises:
        DataError: the data cannot prove it; the hint says what is missing.
    Source: Angelopoulos et al. 2021, arXiv 2110.01052 (Learn then Test, fixed sequence).
    """
    false_share = (1 - target) / (1 - target + target * false_match_odds(scores, prior))
    n_needed = trials_needed(false_share, confidence)
    ranked = _highest(scores, math.ceil(scores.n_genuine / (1 - false_share)))
    values = scores.score[ranked]
    last = None
    for rank in _ranks(scores, ranked, n_needed):
        errors, n_effective = _false_matches(scores, ranked[:rank])
        if not p_value(errors * n_effective, n_effective, false_share) <= 1 - confidence:
            break
        bound = upper_bound(errors * n_effective, n_effective, confidence)
        last = rank, bound, n_effective
    if last is None:
        raise _precision_refusal(scores, ranked, target, confidence, prior)
    rank, bound, n_effective = last
    below = scores.score[scores.score < values[rank - 1]]
    threshold = between(below.max(), values[rank - 1]) if below.size else float(values[rank - 1])
    odds = false_match_odds(scores, prior)
    return Certificate(threshold, (1 - bound) / (1 - bound + odds * bound), n_effective)


def _highest(scores: Scores, n: int) -> Int64:
    """Positions of the n highest scores and all ties, falling."""
    rank = min(n, len(scores))
    cut = np.partition(scores.score, len(scores) - rank)[len(scores) - rank]
    at = np.flatnonzero(scores.score >= cut)
    return at[np.argsort(-scores.score[at], kind="stable")]


def _ranks(scores: Scores, ranked: Int64, n_needed: int) -> list[int]:
    """Numbers of matches to test, from where the test has power; they split no tie."""
    values: Float32 = scores.score[ranked]
    ends = np.append(np.flatnonzero(values[1:] < values[:-1]) + 1, len(values))
    seen = _n_identities_seen(scores, ranked)
    if seen[-1] < n_needed:
        return []
    start = min(START * n_needed, max(n_needed, int(seen[-1]) // 2))
    first = int(np.searchsorted(seen, start)) + 1
    wanted = np.geomspace(first, len(values), N_RANKS)
    return [int(rank) for rank in np.unique(ends[np.searchsorted(ends, wanted - 0.5)])]


def _n_identities_seen(scores: Scores, ranked: Int64) -> Int64:
    """Identities among the first k comparisons of a ranking, for every k: (n,) int64."""
    both = np.column_stack(scores.units(ranked)).ravel()
    first = np.unique(both, return_index=True)[1] // 2
    return np.cumsum(np.bincount(first, minlength=len(ranked)))


def _false_matches(scores: Scores, match: Int64) -> tuple[float, float]:
    """Share of false matches and effective number of matches."""
    n, n_false, matches, false = accepted(scores, match)
    part = matches > 0
    if n_false in (0, n):
        n_identities = int(np.count_nonzero(part))
        return n_false / n, float(min(n, n_identities))
    with np.errstate(invalid="ignore", divide="ignore"):
        left_out = np.true_divide(n_false - false[part], n - matches[part])
    n_effective = effective_n(n_false / n, left_out, n)
    return n_false / n, 0.0 if math.isnan(n_effective) else n_effective


def _precision_refusal(
    scores: Scores, ranked: Int64, target: float, confidence: float, prior: float
) -> DataError:
    """What is missing for a precision target."""
    odds = false_match_odds(scores, prior)
    false_share = (1 - target) / (1 - target + target * odds)
    needed = START * trials_needed(false_share, confidence)
    best = 0.0
    for rank in np.unique(np.geomspace(1, len(ranked), N_RANKS).astype(int)).tolist():
        errors, n = _false_matches(scores, ranked[:rank])
        bound = upper_bound(errors * n, n, confidence) if n > 0 else 1.0
        best = max(best, (1 - bound) / (1 - bound + odds * bound))
    n_identities = int(np.count_nonzero(scores.genuine_by_identity))
    what = (
        f"{scores.n_genuine:,} genuine comparisons of {n_identities:,} identities cannot prove "
        f"precision >= {target:g} at prior {prior:.3g} with {confidence:.0%} confidence"
    )
    reach = f"the best precision they can prove is about {min(best, target - 0.001):.3f}"
    missing = needed - n_identities if best < target else max(needed - n_identities, n_identities)
    if missing > 0:
        more = f"about {missing:,} more identities with two records or more are needed"
        return DataError(what, hint=f"{more} (as many genuine comparisons); {reach}")
    return DataError(
        what,
        hint=f"{reach}; more data alone will not do: improve the encoder, lower the target or "
        "the confidence",
    )
