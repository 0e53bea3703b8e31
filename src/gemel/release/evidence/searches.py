"""What searches do on eval, by the size of the gallery.

Galleries are thought of, not drawn: see calibrate/rates/searches.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from gemel.calibrate.rates.searches import Searches, SearchPoint, measure_search, searches
from gemel.decide.policy import Policy
from gemel.release.evidence.mistakes import whole_identities
from gemel.release.evidence.part import Part

SEARCHED_RECORDS = 4000


def ladder(eval: Part, policy: Policy, confidence: float, seed: int) -> tuple[SearchPoint, ...]:
    """Searches at the sizes that a policy has thresholds for; none if it has no sizes."""
    steps = [(step.gallery_size, step.band.threshold) for step in policy.sizes]
    return _measured(eval, steps, confidence, seed)


def galleries(eval: Part, policy: Policy, confidence: float, seed: int) -> tuple[SearchPoint, ...]:
    """Searches in galleries of 10, 100, 1,000, ... records and of half the identities of eval.

    Of larger ones eval has too few independent samples for an interval.

    None where each category has a threshold of its own, since a search is then not one threshold.
    """
    if policy.categories is not None:
        return ()
    lowest = min([policy.search.threshold, *(s.band.threshold for s in policy.sizes)])
    of = _searches(eval, lowest, seed)
    largest = min(of.largest_gallery, (int(of.code.max()) + 1) // 2)
    sizes = [10**i for i in range(1, 7) if 10**i < largest]
    steps = [(size, _threshold(policy, size)) for size in [*sizes, largest] if size > 1]
    return tuple(measure_search(of, steps, confidence))


def _threshold(policy: Policy, size: int) -> float:
    """Of a candidate in a gallery of that size; of the largest certified size beyond it."""
    bands = [step.band for step in policy.sizes if step.gallery_size >= size]
    return (bands[0] if bands else policy.search).threshold


def _measured(
    eval: Part, steps: Sequence[tuple[int, float]], confidence: float, seed: int
) -> tuple[SearchPoint, ...]:
    if not steps:
        return ()
    of = _searches(eval, min(threshold for _, threshold in steps), seed)
    return tuple(measure_search(of, steps, confidence))


def _searches(eval: Part, floor: float, seed: int) -> Searches:
    kept = whole_identities(eval.identities, SEARCHED_RECORDS, seed)
    return searches(eval.embeddings[kept], eval.identities[kept], eval.comparator, floor)
