"""Every measure that two releases are compared by, each as a paired difference.

Rates at each release's own threshold, what is read off the curves, and searches. What a difference
is worth is not judged here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.calibrate.rates import difference
from gemel.calibrate.rates.by_identity import Counts, Spread, Statistic
from gemel.calibrate.rates.curve_difference import Reading, fnmr_at, of_auroc
from gemel.calibrate.rates.curve_difference import of_curves as resampled
from gemel.calibrate.rates.difference import Difference
from gemel.calibrate.rates.intervals import Estimate, Sample
from gemel.calibrate.rates.operating_point import f1_at, measure
from gemel.calibrate.scores import sweep
from gemel.decide.bands import Band, in_review, matches
from gemel.release.evidence.mistakes import whole_identities
from gemel.release.evidence.part import Part
from gemel.tasks.retrieval import average_precision_at_r, mate_ranks

STRICT_RATES = (1e-2, 1e-3)
LEAST_ERRORS = 30
"""False matches that a rate must allow before a FNMR is read there (the rule of 30)."""
SEARCHED_RECORDS = 20_000

Parts = tuple[Part, Part]
Bands = tuple[Band, Band]
Stakes = tuple[float, tuple[float, float]]


def at_thresholds(
    parts: Parts, bands: Bands, stakes: Stakes, confidence: float
) -> list[Difference]:
    """F1, precision, recall, FMR, FNMR, cost, and the share for review if there is a band.

    Args:
        parts: the same records by the first and the second release.
        bands: threshold and review band of both.
        stakes: prior, and costs of a false match and a false non-match.
        confidence: level of the intervals.
    Raises:
        DataError: the two made different comparisons.
    """
    prior = stakes[0]
    difference.require_same(parts[0].scores, parts[1].scores)
    points = [
        measure(p.scores, band.threshold, prior=prior, confidence=confidence)
        for p, band in zip(parts, bands, strict=True)
    ]
    spreads = _spreads(parts, bands, lambda score, band: matches(score, band.threshold))
    unit = spreads[0].by_unit
    impostor, genuine = unit.impostor > 0, unit.genuine > 0

    def f1(c: Counts) -> Any:
        return f1_at(c.fmr(), c.fnmr(), prior)

    def precision(c: Counts) -> Any:
        true, false = prior * (1 - c.fnmr()), (1 - prior) * c.fmr()
        with np.errstate(invalid="ignore"):
            return np.nan_to_num(true / (true + false))

    table: tuple[tuple[str, Statistic, Bool, bool], ...] = (
        ("F1", f1, impostor | genuine, True),
        ("precision", precision, impostor | genuine, True),
        ("recall", lambda c: 1 - c.fnmr(), genuine, True),
        ("FMR", Counts.fmr, impostor, False),
        ("FNMR", Counts.fnmr, genuine, False),
    )
    found = []
    for name, statistic, units, higher in table:
        one, two = (getattr(p, name.lower()) for p in points)
        found.append(
            difference.of_counts(
                name, statistic, spreads, (one, two), units, confidence, higher=higher
            )
        )
    found = _one_way(found, spreads)
    found.append(_cost(spreads, stakes, confidence))
    if any(band.review_low < band.review_high for band in bands):
        found.append(_review(parts, bands, prior, confidence))
    return found


def _one_way(found: list[Difference], spreads: tuple[Spread, Spread]) -> list[Difference]:
    """The differences; where one side matches all that the other does, rates move one way only."""
    one, two = (s.match for s in spreads)
    fewer, more = bool((one & ~two).any()), bool((two & ~one).any())
    if fewer == more:
        return found
    out = []
    for d in found:
        limits = d.low, d.high
        if d.measure in ("FMR", "FNMR", "recall"):
            rises = more == (d.measure != "FNMR")
            limits = (max(d.low, 0.0), d.high) if rises else (d.low, min(d.high, 0.0))
        ends = d.before, d.after
        out.append(difference.difference(d.measure, ends, limits, d.method, d.higher_is_better))
    return out


def of_curves(parts: Parts, confidence: float, seed: int) -> list[Difference]:
    """AUROC, EER and FNMR at strict FMR, whatever the thresholds of the releases are."""
    one, two = (p.scores for p in parts)
    n = one.n_impostor
    strict = [rate for rate in STRICT_RATES if rate * n >= LEAST_ERRORS]
    readings: list[tuple[str, Reading]] = [("EER", sweep.eer)]
    readings += [(f"FNMR at FMR {rate:g}", fnmr_at(rate)) for rate in strict]
    most = [int(n * max([sweep.eer(sweep.sweep(p.scores)), *strict])) for p in parts]
    return [
        of_auroc(one, two, confidence),
        *resampled(readings, one, two, confidence, n_false_match=(most[0], most[1]), seed=seed),
    ]


def of_searches(parts: Parts, confidence: float, seed: int) -> list[Difference]:
    """recall_at_1 and MAP@R, each record with a mate looking for it among all others."""
    identities = parts[0].identities
    kept = whole_identities(identities, SEARCHED_RECORDS, seed)
    codes = identities[kept]
    (first, average), (later, later_average) = (
        _ranked(p.embeddings[kept], codes, p) for p in parts
    )
    size = np.bincount(codes)
    unit = np.sort(codes[size[codes] > 1])
    if parts[0].units is not None:
        unit = parts[0].units[unit]
    if not len(unit):
        return []
    return [
        difference.of_items("recall_at_1", first, later, unit, confidence),
        difference.of_items("MAP@R", average, later_average, unit, confidence),
    ]


def _spreads(
    parts: Parts, bands: Bands, hit: Callable[[Float32, Band], Bool]
) -> tuple[Spread, Spread]:
    one, two = (Spread(p.scores, hit(p.scores.score, b)) for p, b in zip(parts, bands, strict=True))
    return one, two


def _cost(spreads: tuple[Spread, Spread], stakes: Stakes, confidence: float) -> Difference:
    """The expected cost of a comparison, in the unit of the costs."""
    prior, costs = stakes
    unit = max(costs)

    def cost(c: Counts) -> Any:
        wrong = (costs[0] * (1 - prior) * c.fmr(), costs[1] * prior * c.fnmr())
        return (wrong[0] + wrong[1]) / unit

    found = _share("cost", cost, spreads, confidence)
    scaled = {name: unit * getattr(found, name) for name in ("before", "after", "value")}
    limits = {name: unit * getattr(found, name) for name in ("low", "high")}
    return msgspec.structs.replace(found, **scaled, **limits)


def _review(parts: Parts, bands: Bands, prior: float, confidence: float) -> Difference:
    """The share of comparisons that go to a person."""

    def within(score: Float32, band: Band) -> Bool:
        found: Bool = in_review(score, band.review_low, band.review_high)
        return found

    def share(c: Counts) -> Any:
        return prior * (1 - c.fnmr()) + (1 - prior) * c.fmr()

    return _share("review share", share, _spreads(parts, bands, within), confidence)


def _share(
    name: str, statistic: Statistic, spreads: tuple[Spread, Spread], confidence: float
) -> Difference:
    """A share of all comparisons, lower being better."""
    unit = spreads[0].by_unit
    every = (unit.impostor + unit.genuine) > 0
    n = int(np.count_nonzero(every))
    sample = Sample(len(spreads[0].scores), n, n // 2)
    one, two = (s.estimate(statistic, every, sample, confidence) for s in spreads)
    estimates: tuple[Estimate, Estimate] = (one, two)
    return difference.of_counts(
        name, statistic, spreads, estimates, every, confidence, higher=False
    )


def _ranked(rows: Float32, codes: Int64, part: Part) -> tuple[Float64, Float64]:
    """Whether the first result is a mate, and average precision at R, of each search."""
    first, average = [], []
    for ranks in mate_ranks(rows, codes, part.comparator):
        first.append(float(ranks[0] <= 1))
        average.append(average_precision_at_r(ranks))
    return np.asarray(first, np.float64), np.asarray(average, np.float64)
