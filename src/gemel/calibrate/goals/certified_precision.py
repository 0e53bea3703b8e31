"""Thresholds that prove a precision: the share of genuine comparisons among matches, at a prior.

Precision need not rise with the threshold. The testing therefore goes from strict to loose and
stops at the first failure (fixed sequence), so that looking at many thresholds costs no
confidence. Each test is an exact binomial one on the effective number of matches, by identity, and
never on more than there are pairs of identities among them.
"""

from __future__ import annotations

import math

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.calibrate.goals.certificates import Certificate, smallest_fmr
from gemel.calibrate.goals.refusal import Refusal, refused
from gemel.calibrate.rates.intervals import effective_n, p_value, trials_needed, upper_bound
from gemel.calibrate.rates.operating_point import accepted, false_match_odds
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import between
from gemel.errors import TargetRefused

N_RANKS = 60
START = 2
"""A precision test starts where START times the trials that zero errors need are there."""


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
        TargetRefused: the data cannot prove it; says what is missing.
    Source: Angelopoulos et al. 2021, arXiv 2110.01052 (Learn then Test, fixed sequence).
    """
    false_share = (1 - target) / (1 - target + target * false_match_odds(scores, prior))
    n_needed = trials_needed(false_share, confidence)
    ranked = _highest(scores, math.ceil(scores.n_genuine / (1 - false_share)))
    values = scores.score[ranked]
    n_pairs = _n_pairs_seen(scores, ranked)
    last = None
    for rank in _ranks(scores, ranked, n_needed):
        errors, n_effective = _false_matches(scores, ranked[:rank])
        n_effective = min(n_effective, float(n_pairs[rank - 1]))
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


def _n_pairs_seen(scores: Scores, ranked: Int64) -> Int64:
    """Pairs of identities among the first k comparisons of a ranking, for every k: (n,) int64."""
    one, two = scores.units(ranked)
    pair = np.minimum(one, two).astype(np.int64) * scores.n_units + np.maximum(one, two)
    first = np.unique(pair, return_index=True)[1]
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
) -> TargetRefused:
    """What is missing for a precision target."""
    odds = false_match_odds(scores, prior)
    false_share = (1 - target) / (1 - target + target * odds)
    needed = START * trials_needed(false_share, confidence)
    best, n_pairs = 0.0, _n_pairs_seen(scores, ranked)
    for rank in np.unique(np.geomspace(1, len(ranked), N_RANKS).astype(int)).tolist():
        errors, n = _false_matches(scores, ranked[:rank])
        n = min(n, float(n_pairs[rank - 1]))
        bound = upper_bound(errors * n, n, confidence) if n > 0 else 1.0
        best = max(best, (1 - bound) / (1 - bound + odds * bound))
    n_identities = int(np.count_nonzero(scores.genuine_by_identity))
    missing = needed - n_identities if best < target else max(needed - n_identities, n_identities)
    return refused(
        Refusal(
            kind="precision",
            value=target,
            confidence=confidence,
            prior=prior,
            n_identities=n_identities,
            n_comparisons=scores.n_genuine,
            missing_identities=max(missing, 0),
            missing_comparisons=max(missing, 0),
            reach=min(best, target - 0.001),
            smallest_fmr=smallest_fmr(scores, confidence),
        )
    )
