"""Paired differences of what is read off curves: AUROC, EER, FNMR at a stated FMR.

No threshold of a release is involved. The area is a mean, so its variance has a formula; the other
readings jump from score to score, so identities are drawn again, the same for both similarities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gemel.arrays import Float32, Float64
from gemel.calibrate.goals.stability import MAX_GENUINE, near, resampled
from gemel.calibrate.rates.difference import UNMOVED, Difference, difference, joined, values
from gemel.calibrate.rates.intervals import Sample, n_carrying, proportion, upper_bound
from gemel.calibrate.scores import curve_measures, sweep
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import Sweep

N_DRAWS = 400
RESAMPLED = f"percentiles of {N_DRAWS} resamplings of the identities"


def of_auroc(before: Scores, after: Scores, confidence: float) -> Difference:
    """The difference of the areas under both ROC curves.

    Args:
        before: labelled comparisons of both classes.
        after: the same, scored otherwise.
        confidence: level of the interval.
    Source: placements: DeLong et al. 1988; summed by identity: Obuchowski 1997.
    """
    areas, residuals = [], []
    for scores in (before, after):
        area, residual = _placements(scores)
        areas.append(area)
        residuals.append(residual)
    n = before.n_units
    part = (before.genuine_by_identity + before.impostor_by_identity) > 0
    n_units = int(np.count_nonzero(part))
    carrying = min(n_carrying(before.genuine_by_identity), n_carrying(before.impostor_by_identity))
    sample = Sample(len(before), carrying, n_units // 2)
    scale = n_units / max(n_units - 1, 1)
    apart = residuals[1] - residuals[0]
    variances = (
        scale * float(np.square(residuals[0]).sum()),
        scale * float(np.square(residuals[1]).sum()),
        scale * float(np.square(apart).sum()) if np.abs(apart).max(initial=0) * n > 1e-12 else 0.0,
    )
    one = proportion(areas[0], variances[0], sample, confidence)
    two = proportion(areas[1], variances[1], sample, confidence)
    limits, how = joined(one, two, variances, n_units // 2, confidence)
    return difference("AUROC", values((one, two)), limits, how, higher=True)


def _placements(scores: Scores) -> tuple[float, Float64]:
    """The area under the ROC curve, and what each unit adds to it beyond its value: (n_units,)."""
    genuine = np.sort(scores.score[scores.genuine])
    impostor = np.sort(scores.score[~scores.genuine])
    area = curve_measures.auroc(sweep.sweep(scores))
    residual = np.zeros(scores.n_units)
    for at in scores.blocks():
        is_genuine, score = scores.genuine[at], scores.score[at]
        share = np.empty(len(score))
        share[is_genuine] = _below(impostor, score[is_genuine]) - area
        share[~is_genuine] = 1 - _below(genuine, score[~is_genuine]) - area
        share /= np.where(is_genuine, len(genuine), len(impostor))
        left, right = scores.units(at)
        residual += np.bincount(left, share, scores.n_units)
        apart = left != right
        residual += np.bincount(right[apart], share[apart], scores.n_units)
    return area, residual


def _below(rising: Float32, score: Float32) -> Float64:
    """Share of values below each score; ties count half."""
    low = np.searchsorted(rising, score, "left")
    found: Float64 = (low + np.searchsorted(rising, score, "right")) / (2.0 * len(rising))
    return found


Reading = Callable[[Sweep], float]


def of_curves(
    readings: Sequence[tuple[str, Reading]],
    before: Scores,
    after: Scores,
    confidence: float,
    *,
    n_false_match: tuple[int, int],
    seed: int = 0,
) -> list[Difference]:
    """Differences of what is read off both curves, lower being better.

    Args:
        readings: name and function of a sweep.
        before: labelled comparisons of both classes.
        after: the same, scored otherwise.
        confidence: level of the intervals.
        n_false_match: most false matches at which the first and the second are read.
        seed: of the resampling, the same for both.
    Source: Owen 2007, The pigeonhole bootstrap; both are resampled together.
    """
    sides = (before, after)
    step = -(-before.n_genuine // MAX_GENUINE)
    kept = [near(s, n, step) for s, n in zip(sides, n_false_match, strict=True)]
    whole = [sweep.sweep(s) for s in sides]
    rng, n = np.random.default_rng(seed), before.n_units
    part = np.flatnonzero(before.genuine_by_identity + before.impostor_by_identity)
    n_genuine = int(np.count_nonzero(before.genuine_by_identity))
    drawn: list[list[float]] = []
    for _ in range(N_DRAWS):
        weight = np.zeros(n, np.int64)
        weight[part] = rng.multinomial(len(part), np.full(len(part), 1 / len(part)))
        pair = [resampled(s, at, weight, step) for s, at in zip(sides, kept, strict=True)]
        one, two = pair
        if one is not None and two is not None:
            drawn.append([read(two) - read(one) for _, read in readings])
    edges = [(1 - confidence) / 2, (1 + confidence) / 2]
    limits = np.quantile(drawn, edges, axis=0) if drawn else np.tile([[-1.0], [1.0]], len(readings))
    found = []
    for (name, read), low, high in zip(readings, *limits.tolist(), strict=True):
        ends = read(whole[0]), read(whole[1])
        value = ends[1] - ends[0]
        bounds, how = (min(low, value), max(high, value)), RESAMPLED
        if low == high:  # resampling shows nothing of what was never seen to differ
            bound = upper_bound(0, max(n_genuine, 1), confidence)
            bounds, how = (value - bound, value + bound), UNMOVED
        found.append(difference(name, ends, bounds, how, higher=False))
    return found


def fnmr_at(rate: float) -> Reading:
    """What reads the FNMR at the loosest threshold whose FMR is at most this."""

    def read(curve: Sweep) -> float:
        n = int(rate * curve.n_impostor + 1e-9)
        at = int(np.searchsorted(curve.n_false_match, n, side="right")) - 1
        return 1 - int(curve.n_true_match[at]) / curve.n_genuine

    return read
