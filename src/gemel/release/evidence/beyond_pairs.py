"""What single comparisons of eval do not show: searches, several views of a thing, and rules.

What a rule costs is counted on the genuine comparisons that match without it, since a rule can do
no other harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gemel.arrays import Int64
from gemel.calibrate.rates.intervals import mean_by_unit
from gemel.calibrate.rates.searches import Searches, SearchPoint, measure_search, searches
from gemel.calibrate.rates.several_views import Views, two_views
from gemel.calibrate.scores.all_pairs import genuine_blocks
from gemel.data.dataset import UNKNOWN
from gemel.decide.bands import matches
from gemel.decide.policy import Policy
from gemel.release.evidence.part import Part, whole_identities
from gemel.release.evidence.schema import Direction, RuleCost

SEARCHED_RECORDS = 4000
VIEWED_RECORDS = 2000
VIEWED_OF_EACH = 20
MAX_CHECKED = 20_000


def searches_by_size(eval: Part, policy: Policy, confidence: float) -> tuple[SearchPoint, ...]:
    """Searches at the sizes that a policy has thresholds for; none if it has no sizes."""
    steps = [(step.gallery_size, step.band.threshold) for step in policy.sizes]
    if not steps:
        return ()
    of = _searches(eval, min(threshold for _, threshold in steps))
    return tuple(measure_search(of, steps, confidence))


def galleries(eval: Part, policy: Policy, confidence: float) -> tuple[SearchPoint, ...]:
    """Searches in galleries of 10, 100, 1,000, ... records and of half the identities of eval.

    Of larger ones eval has too few independent samples for an interval.

    None where each category has a threshold of its own, since a search is then not one threshold.
    """
    if policy.categories is not None:
        return ()
    return _by_size(_searches(eval, _lowest(policy)), policy, confidence)


def directions(eval: Part, policy: Policy, confidence: float) -> tuple[Direction, ...]:
    """Searches by the records of each kind among those of the other; none of one kind only."""
    if not eval.kinds or policy.categories is not None:
        return ()
    return tuple(
        Direction(
            query=eval.kinds[kind],
            found=eval.kinds[1 - kind],
            points=_by_size(_searches(eval, _lowest(policy), kind), policy, confidence),
        )
        for kind in (1, 0)
    )


def _by_size(of: Searches, policy: Policy, confidence: float) -> tuple[SearchPoint, ...]:
    largest = min(of.largest_gallery, len(of.records) // 2)
    sizes = [10**i for i in range(1, 7) if 10**i < largest]
    steps = [(size, _threshold(policy, size)) for size in [*sizes, largest] if size > 1]
    return tuple(measure_search(of, steps, confidence))


def _lowest(policy: Policy) -> float:
    return min([policy.search.threshold, *(s.band.threshold for s in policy.sizes)])


def _threshold(policy: Policy, size: int) -> float:
    """Of a candidate in a gallery of that size; of the largest certified size beyond it."""
    bands = [step.band for step in policy.sizes if step.gallery_size >= size]
    return (bands[0] if bands else policy.search).threshold


def _searches(eval: Part, floor: float, kind: int = 1) -> Searches:
    """Searches of all records, or by those of a kind where there are two."""
    kept = eval.some(SEARCHED_RECORDS)
    rows, identities = eval.embeddings[kept], eval.identities[kept]
    files, among = eval.pairing.take(kept).files, None
    if eval.kinds and files is not None:
        among = np.flatnonzero(files == kind), np.flatnonzero(files != kind)
    return searches(rows, identities, eval.comparator, floor, among)


def views(eval: Part, threshold: float, confidence: float) -> Views | None:
    """What asking for two views of one thing does on eval.

    Args:
        eval: encoded and compared; of an identity with many records, and of many identities, some
            are drawn.
        threshold: of the policy, for one comparison.
        confidence: level of the intervals.
    """
    if eval.kinds:
        return None  # a view is another record of one kind
    seed = eval.sampling.seed
    some = _some_of_each(eval.identities, seed)
    kept = some[whole_identities(eval.identities[some], VIEWED_RECORDS, seed)]
    level = eval.leveller()
    return two_views(
        eval.embeddings[kept],
        eval.identities[kept],
        eval.comparator,
        threshold,
        confidence=confidence,
        level=level and (lambda score, i, j: level(score, kept[i], kept[j])),
    )


def _some_of_each(identities: Int64, seed: int) -> Int64:
    """Ascending positions of at most VIEWED_OF_EACH records of each identity, drawn at random."""
    order = np.random.default_rng(seed).permutation(len(identities))
    order = order[np.argsort(identities[order], kind="stable")]
    first = np.searchsorted(identities[order], identities[order])
    return np.sort(order[np.arange(len(order)) - first < VIEWED_OF_EACH]).astype(np.int64)


def rule_costs(
    policy: Policy,
    eval: Part,
    payloads: Callable[[Int64], Sequence[Any]],
    confidence: float,
) -> tuple[RuleCost, ...]:
    """What each rule takes away from the genuine comparisons that match.

    Args:
        policy: its rules, and its threshold for one comparison.
        eval: encoded and compared.
        payloads: rows of eval by their positions.
        confidence: level of the intervals.
    """
    if not policy.rules:
        return ()
    left, right = _matching(eval, policy.verify.threshold)
    rows = [payloads(side) for side in (left, right)]
    fired = [
        np.array([rule.fires(a, b) for a, b in zip(*rows, strict=True)], bool)
        for rule in policy.rules
    ]
    return tuple(
        RuleCost(
            rule=str(rule),
            n_checked=len(left),
            lost=mean_by_unit(lost, eval.identities[left], confidence),
        )
        for rule, lost in zip(policy.rules, fired, strict=True)
    )


def _matching(eval: Part, threshold: float) -> tuple[Int64, Int64]:
    """Positions of both records of the genuine comparisons that match, MAX_CHECKED at most."""
    known = np.flatnonzero(eval.identities != UNKNOWN)
    order = known[np.argsort(eval.identities[known], kind="stable")]
    rows, identities = eval.embeddings[order], eval.identities[order]
    level = eval.leveller()
    lefts, rights, n = [], [], 0
    for score, i, j in genuine_blocks(rows, identities, eval.comparator):
        left, right = order[i], order[j]
        seen = score if level is None else level(score, left, right)
        match = matches(seen, threshold)
        lefts.append(left[match])
        rights.append(right[match])
        n += int(np.count_nonzero(match))
        if n >= MAX_CHECKED:
            break
    nothing = np.zeros(0, np.int64)
    left, right = (np.concatenate([nothing, *side])[:MAX_CHECKED] for side in (lefts, rights))
    return left, right
