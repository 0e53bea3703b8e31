"""Thresholds that prove a precision: the share of genuine comparisons among matches, at a prior.

Precision need not rise with the threshold. The testing therefore goes from strict to loose, from
several starts that share what may go wrong, and what is left of it is handed on as long as the
tests pass (the fallback procedure): looking at many thresholds costs no confidence. What each
threshold proves is `proofs/bounds.py`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.calibrate.goals.certificates import Certificate, smallest_fmr
from gemel.calibrate.goals.refusal import Refusal, n_joined, refused
from gemel.calibrate.proofs.bounds import Clusters, Counted
from gemel.calibrate.proofs.growth import MARGIN, Grown
from gemel.calibrate.rates.intervals import trials_needed, upper_bound
from gemel.calibrate.rates.operating_point import accepted, false_match_odds
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import between
from gemel.errors import TargetRefused

N_RANKS = 60
START = 2
"""A precision test starts where START times the trials that zero errors need are there."""

MOST_STARTS = 4
"""One for each doubling of the identities: a few wrong labels at the top do not end all testing."""

FIRST_SHARE = 0.4
"""Of what may go wrong, for the first of several starts; it bears as many errors as with all."""

STEP = 0.001
"""Of the precisions that a refusal looks at for the best that can be proven."""

FEW = 0.2
"""Share of false ones among the highest matches up to which their labels may be what is wrong."""

LEAST_JUDGED = 20
"""Matches from which on it is said that their share of false ones cannot be mended by more data."""


@dataclass(frozen=True, eq=False)
class _Matches:
    """The comparisons above a threshold, and what they prove of the false ones among them.

    Args:
        n: matches.
        share: of false ones.
        n_effective: independent matches.
        confidence: of what they prove.
        bound: of the share, over the choice of identities.
        clusters: matches of each two identities, which may be wrong as one.
        errors: (k,) false matches of the clusters that have some.
        of: (k,) matches of these.
    """

    n: int
    share: float
    n_effective: float
    confidence: float
    bound: float
    clusters: Clusters
    errors: Int64
    of: Int64

    def proves(self, limit: float) -> bool:
        """Whether the share of false ones is at most a limit."""
        if self.bound > limit:
            return False
        return self.clusters.rule_out(self.errors, self.of, self.share, limit, self.confidence)

    def proven(self) -> float:
        """The smallest limit that they prove."""
        return self.clusters.bound(self.errors, self.of, self.share, self.confidence, self.bound)


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
    Source: Angelopoulos et al. 2021, arXiv 2110.01052 (Learn then Test).
    """
    odds = false_match_odds(scores, prior)
    limit = (1 - target) / (1 - target + target * odds)
    ranked = _highest(scores, math.ceil(scores.n_genuine / (1 - limit)))
    passed = list(_passed(scores, ranked, limit, confidence))
    if not passed:
        raise _precision_refusal(scores, ranked, target, confidence, prior)
    last = passed[-1]
    lowest = scores.score[ranked[last.n - 1]]
    below = scores.score[scores.score < lowest]
    threshold = between(below.max(), lowest) if below.size else float(lowest)
    bound = min(last.proven(), limit)
    return Certificate(threshold, (1 - bound) / (1 - bound + odds * bound), last.n_effective)


def _passed(scores: Scores, ranked: Int64, limit: float, confidence: float) -> Iterator[_Matches]:
    """The tested matches that prove a share of false ones, from strict to loose.

    Each start adds its part of what may go wrong to what the test before it handed on; a test that
    fails hands nothing on. The ranks and the starts are chosen without a look at the labels.

    Source: Wiens and Dmitrienko 2005, The fallback procedure for evaluating a single family of
        hypotheses: any dependence between the tests is allowed for.
    """
    level = 0.0
    for rank, share in _ranks(scores, ranked, trials_needed(limit, confidence)):
        level += share * (1 - confidence)
        if not level:
            continue
        found = _matches(scores, ranked[:rank], 1 - level)
        if found.proves(limit):
            yield found
        else:
            level = 0.0


def _highest(scores: Scores, n: int) -> Int64:
    """Positions of the n highest scores and all ties, falling."""
    rank = min(n, len(scores))
    cut = np.partition(scores.score, len(scores) - rank)[len(scores) - rank]
    at = np.flatnonzero(scores.score >= cut)
    return at[np.argsort(-scores.score[at], kind="stable")]


def _ranks(scores: Scores, ranked: Int64, n_needed: int) -> list[tuple[int, float]]:
    """Numbers of matches to test, and the part of what may go wrong that is added at each.

    They begin where a test has power, and split no tie.
    """
    values: Float32 = scores.score[ranked]
    ends = np.append(np.flatnonzero(values[1:] < values[:-1]) + 1, len(values))
    seen = _n_identities_seen(scores, ranked)
    if seen[-1] < n_needed:
        return []
    start = min(START * n_needed, max(n_needed, int(seen[-1]) // 2))
    first = int(np.searchsorted(seen, start)) + 1
    wanted = np.geomspace(first, len(values), N_RANKS)
    ranks = np.unique(ends[np.searchsorted(ends, wanted - 0.5)])
    n_starts = 1 + min(int(math.log2(max(seen[-1] / (START * n_needed), 1))), MOST_STARTS - 1)
    starts = np.searchsorted(ranks, np.geomspace(first, len(values), 2 * n_starts)[::2])
    share = np.full(n_starts, (1 - FIRST_SHARE) / max(n_starts - 1, 1))
    share[0] = FIRST_SHARE if n_starts > 1 else 1.0
    added = np.bincount(starts, share, len(ranks))
    return list(zip(ranks.tolist(), added.tolist(), strict=True))


def _n_identities_seen(scores: Scores, ranked: Int64) -> Int64:
    """Identities among the first k comparisons of a ranking, for every k: (n,) int64."""
    both = np.column_stack(scores.units(ranked)).ravel()
    first = np.unique(both, return_index=True)[1] // 2
    return np.cumsum(np.bincount(first, minlength=len(ranked)))


def _matches(scores: Scores, match: Int64, confidence: float) -> _Matches:
    """What the matches at these positions prove."""
    n, n_false, matches, false = accepted(scores, match)
    part, share = matches > 0, n_false / n
    left, right = scores.left[match].astype(np.int64), scores.right[match]
    pair = np.minimum(left, right) * scores.n_codes + np.maximum(left, right)
    _, cluster, of = np.unique(pair, return_inverse=True, return_counts=True)
    errors = np.bincount(cluster[~scores.genuine[match]], minlength=len(of))
    some = errors > 0
    if n_false in (0, n):
        n_effective = float(min(n, int(np.count_nonzero(part))))
        bound = upper_bound(share * n_effective, n_effective, confidence)
    else:
        chances = scores.impostor_by_identity[part].astype(np.float64)
        of_each = false[part].astype(np.float64), matches[part].astype(np.float64)
        seen = Counted(
            *of_each, n_false, n, meets=True, chances=chances, n_chances=scores.n_impostor
        )
        n_effective, bound = seen.effective()[1], seen.bound(confidence)
    which = Clusters(of), errors[some], of[some]
    return _Matches(n, share, n_effective, confidence, bound, *which)


def _precision_refusal(
    scores: Scores, ranked: Int64, target: float, confidence: float, prior: float
) -> TargetRefused:
    """What is missing for a precision target: matches, if the share of false ones stays."""
    odds = false_match_odds(scores, prior)
    limit = (1 - target) / (1 - target + target * odds)
    n_identities = int(np.count_nonzero(scores.genuine_by_identity))
    growth, hopeless = math.inf, len(ranked) >= LEAST_JUDGED
    for rank in np.unique(np.geomspace(1, len(ranked), N_RANKS).astype(int)).tolist():
        found = _matches(scores, ranked[:rank], confidence)
        if found.n >= LEAST_JUDGED:
            at_least = 1 - upper_bound(found.n * (1 - found.share), found.n, confidence)
            hopeless = hopeless and at_least > limit
        if 0 < found.share < limit and found.n_effective:
            growth = min(growth, _grown(found).growth_at(found.share, limit, confidence))
    if not math.isfinite(growth):
        growth = 1.0  # nothing but the number of matches is missing
    growth = max(growth, START * MARGIN * trials_needed(limit, confidence) / max(n_identities, 1))
    (n_highest, _), *_ = _ranks(scores, ranked, trials_needed(limit, confidence)) or [(0, 0.0)]
    n_false = int(np.count_nonzero(~scores.genuine[ranked[:n_highest]]))
    missing = 0 if hopeless else max(math.ceil(n_identities * (growth - 1)), n_identities // 4, 1)
    return refused(
        Refusal(
            kind="precision",
            value=target,
            confidence=confidence,
            prior=prior,
            n_identities=n_identities,
            n_comparisons=scores.n_genuine,
            missing_identities=missing,
            missing_comparisons=missing,
            reach=_reach(scores, target, confidence, odds),
            smallest_fmr=smallest_fmr(scores, confidence),
            n_units=n_joined(scores, scores.genuine_by_identity),
            share=scores.share,
            n_highest=n_highest if n_false <= FEW * n_highest else 0,
            n_false_highest=n_false if n_false <= FEW * n_highest else 0,
        )
    )


def _reach(scores: Scores, target: float, confidence: float, odds: float) -> float:
    """The highest precision below a refused one, in steps, that `precision_threshold` proves."""

    def proven(value: float) -> bool:
        limit = (1 - value) / (1 - value + value * odds)
        ranked = _highest(scores, math.ceil(scores.n_genuine / (1 - limit)))
        return next(_passed(scores, ranked, limit, confidence), None) is not None

    low, high = 0, math.ceil(target / STEP)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if proven(middle * STEP) else (low, middle)
    return round(low * STEP, 3)


def _grown(found: _Matches) -> Grown:
    return Grown(
        n_comparisons=found.n,
        n_clusters=len(found.clusters.n_comparisons),
        spread=max(1 / found.n_effective - 1 / found.n, 0.0) / found.share,
        power=1,
        n_errors=0,
    )
