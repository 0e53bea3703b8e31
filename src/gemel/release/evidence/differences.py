"""Every measure that two releases are compared by, each as a paired difference.

Rates at each release's own threshold, what is read off the curves, and searches. What a difference
is worth is not judged here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates import difference
from gemel.calibrate.rates.by_identity import Counts, Spread, Statistic
from gemel.calibrate.rates.curve_difference import Reading, fnmr_at, of_auroc
from gemel.calibrate.rates.curve_difference import of_curves as resampled
from gemel.calibrate.rates.difference import Difference
from gemel.calibrate.rates.intervals import Estimate, Sample
from gemel.calibrate.rates.operating_point import f1_at, measure
from gemel.calibrate.scores import curve_measures, sweep
from gemel.decide.bands import Band, in_review, matches
from gemel.release.evidence.part import Part
from gemel.tasks.retrieval import average_precision_at_r, mate_ranks, queries

STRICT_RATES = (1e-2, 1e-3)
LEAST_ERRORS = 30
"""False matches that a rate must allow before a FNMR is read there (the rule of 30)."""
SEARCHED_RECORDS = 20_000


@dataclass(frozen=True)
class Contender:
    """A release or a baseline: its scores of the records, and how it decides.

    Attributes:
        part: the records, encoded and compared by it.
        band: its threshold and review band.
    """

    part: Part
    band: Band


Both = tuple[Contender, Contender]
"""The first and the second of two, on the same comparisons."""


@dataclass(frozen=True)
class Stakes:
    """What decisions are judged by.

    Attributes:
        prior: share of genuine comparisons.
        false_match: cost of one.
        false_non_match: cost of one.
        confidence: level of the intervals.
    """

    prior: float
    false_match: float
    false_non_match: float
    confidence: float

    @classmethod
    def of(cls, target: Target, prior: float) -> Stakes:
        """Those of a goal, at a prior."""
        costs = target.false_match_cost, target.false_non_match_cost
        return cls(prior, *costs, target.confidence)


def at_thresholds(both: Both, stakes: Stakes) -> list[Difference]:
    """F1, precision, recall, FMR, FNMR, cost, and the share for review if there is a band.

    Args:
        both: the second is judged against the first.
        stakes: prior, costs and confidence.
    Raises:
        DataError: the two made different comparisons.
    """
    prior, confidence = stakes.prior, stakes.confidence
    difference.require_same(both[0].part.scores, both[1].part.scores)
    points = [
        measure(c.part.scores, c.band.threshold, prior=prior, confidence=confidence) for c in both
    ]
    spreads = _spreads(both, lambda score, band: matches(score, band.threshold))
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
    found.append(_cost(spreads, stakes))
    if any(c.band.review_low < c.band.review_high for c in both):
        found.append(_review(both, stakes))
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


def of_curves(both: Both, confidence: float) -> list[Difference]:
    """AUROC, EER and FNMR at strict FMR, whatever the thresholds of the releases are."""
    one, two = (c.part.scores for c in both)
    n = one.n_impostor
    strict = [rate for rate in STRICT_RATES if rate * n >= LEAST_ERRORS]
    readings: list[tuple[str, Reading]] = [("EER", curve_measures.eer)]
    readings += [(f"FNMR at FMR {rate:g}", fnmr_at(rate)) for rate in strict]
    most = [
        int(n * max([curve_measures.eer(sweep.sweep(scores)), *strict])) for scores in (one, two)
    ]
    return [
        of_auroc(one, two, confidence),
        *resampled(
            readings,
            one,
            two,
            confidence,
            n_false_match=(most[0], most[1]),
            seed=both[0].part.sampling.seed,
        ),
    ]


def of_searches(both: Both, confidence: float) -> list[Difference]:
    """recall_at_1 and MAP@R, each record with a mate looking for it among all others."""
    part = both[0].part
    kept = part.some(SEARCHED_RECORDS)
    codes = part.identities[kept]
    (first, average), (later, later_average) = (_ranked(c.part, kept) for c in both)
    unit = codes[queries(codes, part.pairing.take(kept).files)]
    if part.units is not None:
        unit = part.units[unit]
    if not len(unit):
        return []
    return [
        difference.of_items("recall_at_1", first, later, unit, confidence),
        difference.of_items("MAP@R", average, later_average, unit, confidence),
    ]


def _spreads(both: Both, hit: Callable[[Float32, Band], Bool]) -> tuple[Spread, Spread]:
    one, two = (Spread(c.part.scores, hit(c.part.scores.score, c.band)) for c in both)
    return one, two


def _cost(spreads: tuple[Spread, Spread], stakes: Stakes) -> Difference:
    """The expected cost of a comparison, in the unit of the costs."""
    prior, unit = stakes.prior, max(stakes.false_match, stakes.false_non_match)

    def cost(c: Counts) -> Any:
        false_match = stakes.false_match * (1 - prior) * c.fmr()
        return (false_match + stakes.false_non_match * prior * c.fnmr()) / unit

    found = _share("cost", cost, spreads, stakes.confidence)
    scaled = {name: unit * getattr(found, name) for name in ("before", "after", "value")}
    limits = {name: unit * getattr(found, name) for name in ("low", "high")}
    return msgspec.structs.replace(found, **scaled, **limits)


def _review(both: Both, stakes: Stakes) -> Difference:
    """The share of comparisons that go to a person."""

    def within(score: Float32, band: Band) -> Bool:
        found: Bool = in_review(score, band.review_low, band.review_high)
        return found

    def share(c: Counts) -> Any:
        return stakes.prior * (1 - c.fnmr()) + (1 - stakes.prior) * c.fmr()

    return _share("review share", share, _spreads(both, within), stakes.confidence)


def _share(
    name: str, statistic: Statistic, spreads: tuple[Spread, Spread], confidence: float
) -> Difference:
    """A share of all comparisons, lower being better."""
    unit = spreads[0].by_unit
    every = (unit.impostor + unit.genuine) > 0
    n = int(np.count_nonzero(every))
    one, two = (
        s.estimate(
            statistic,
            every,
            Sample(len(s.scores), s.carrying(statistic), n // 2),
            confidence,
        )
        for s in spreads
    )
    estimates: tuple[Estimate, Estimate] = (one, two)
    return difference.of_counts(
        name, statistic, spreads, estimates, every, confidence, higher=False
    )


def _ranked(part: Part, kept: Int64) -> tuple[Float64, Float64]:
    """Whether the first result is a mate, and average precision at R, of each search."""
    first, average = [], []
    files = part.pairing.take(kept).files
    for ranks in mate_ranks(part.embeddings[kept], part.identities[kept], part.comparator, files):
        first.append(float(ranks[0] <= 1))
        average.append(average_precision_at_r(ranks))
    return np.asarray(first, np.float64), np.asarray(average, np.float64)
