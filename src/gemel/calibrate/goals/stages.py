"""A cheap stage before the comparator and a person behind it, chosen together.

The first stage compares sketches and only ever leaves strangers out: it can miss a genuine
comparison and cannot make a match, so every bound on false matches of the comparator alone holds
for the stages too. How much it may miss, how much goes to a person, and which threshold lies
between is one choice: the cheapest that keeps the errors of all stages together within the goal.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from gemel.arrays import Bool
from gemel.calibrate.goals.certificates import fmr_threshold
from gemel.calibrate.rates.intervals import Estimate, upper_bound
from gemel.calibrate.rates.operating_point import rates
from gemel.calibrate.scores.scores import Scores
from gemel.decide.bands import Band, FirstStage, matches
from gemel.errors import ConfigError, DataError
from gemel.figures import percent

LOSSES = (0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
"""Shares of genuine comparisons that the first stage may miss, as tried; few, since each costs
confidence."""


class StageGoal(msgspec.Struct, frozen=True, kw_only=True):
    """What the stages have to reach, and what each costs for one comparison.

    Args:
        bits: of a sketch.
        max_loss: genuine comparisons that the first stage may miss, proven; used where the errors
            of all stages together are not limited.
        fmr: false matches of all stages together, proven; None keeps threshold and review band.
        fnmr: false non-matches of all stages together, proven; goes with `fmr`.
        sketch_cost: of comparing two sketches, in units of one exact comparison.
        review_cost: of asking a person, in the same unit.
        confidence: of the proofs.
    Raises:
        ConfigError: a value is out of range, or one of `fmr` and `fnmr` alone.
    """

    bits: int = 256
    max_loss: float = 0.005
    fmr: float | None = None
    fnmr: float | None = None
    sketch_cost: float = 0.1
    review_cost: float = 1e5
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if (self.fmr is None) != (self.fnmr is None):
            raise ConfigError("fmr and fnmr of stages go together", where="stages")
        for name in ("max_loss", "fmr", "fnmr"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise ConfigError(f"{name} is {value}, must lie between 0 and 1", where="stages")
        for name in ("sketch_cost", "review_cost"):
            if not (getattr(self, name) >= 0 and math.isfinite(getattr(self, name))):
                raise ConfigError(f"{name} is {getattr(self, name)}, must be >= 0", where="stages")


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What one stage does, as shares of all comparisons in use.

    Attributes:
        name: `sketch`, `comparator` or `person`.
        reached: share that comes to it.
        decided: share that ends here.
        cost: for one comparison of all, in units of one exact comparison.
        false_match: impostor comparisons that it lets match, among all impostors.
        false_non_match: genuine comparisons that it rejects, among all genuine.
    """

    name: str
    reached: float
    decided: float
    cost: float
    false_match: Estimate
    false_non_match: Estimate


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """The chosen stages and what they do on one split; plain JSON values.

    Attributes:
        first: what the sketches have to reach.
        band: threshold and review band of the comparator behind them.
        stages: in order.
        cost: of all stages together, for one comparison.
        single_cost: of the comparator alone with the same review band.
        fnmr_single: false non-matches of the comparator alone.
    """

    first: FirstStage
    band: Band
    stages: tuple[Stage, ...]
    cost: float
    single_cost: float
    fnmr_single: Estimate


class RuleCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule takes away on eval.

    Attributes:
        rule: as it is declared.
        n_checked: genuine comparisons that match without rules.
        lost: share of them for which the rule fires.
    """

    rule: str
    n_checked: int
    lost: Estimate


def choose(sketch: Scores, exact: Scores, band: Band, goal: StageGoal) -> Stages:
    """The cheapest stages that keep to the goal, measured on the same comparisons.

    Args:
        sketch: comparisons scored by sketches (`Sketch(goal.bits)`).
        exact: the same comparisons, in the same order, scored by the comparator.
        band: threshold and review band of the comparator; kept where the goal limits no errors.
        goal: what has to be reached.
    Raises:
        DataError: the two are not the same comparisons, or the data cannot prove the goal.
    Source: cost of a cascade: Viola and Jones 2001; proof by union bound over the tried losses.
    """
    _check_aligned(sketch, exact)
    confidence = 1 - (1 - goal.confidence) / len(LOSSES)
    loosest = band if goal.fmr is None else _certified(exact, goal.fmr, goal.confidence)
    best: Stages | None = None
    for first in _candidates(sketch, goal.bits):
        passed = _passed(sketch, first)
        found = loosest
        if goal.fnmr is None:
            lost = _bound(exact, ~passed & matches(exact.score, band.review_low), confidence)
            if lost > goal.max_loss:
                continue
        else:
            low = _review_low(exact, passed, goal.fnmr, confidence)
            if low is None:
                continue
            found = replace_low(loosest, low)
        stages = measure(sketch, exact, first, found, goal)
        if best is None or stages.cost < best.cost:
            best = stages
    if best is None:
        raise _refusal(exact, goal, confidence)
    return best


def measure(
    sketch: Scores, exact: Scores, first: FirstStage, band: Band, goal: StageGoal
) -> Stages:
    """What given stages do on a split; a person is taken to be right.

    Args:
        sketch: comparisons scored by sketches.
        exact: the same comparisons scored by the comparator.
        first: see `Stages`.
        band: see `Stages`.
        goal: costs and level of the intervals.
    """
    _check_aligned(sketch, exact)
    passed = _passed(sketch, first)
    match = matches(exact.score, band.review_high)
    none = ~matches(exact.score, band.review_low)
    review = passed & ~match & ~none
    share_passed, share_review = _share(exact, passed), _share(exact, review)
    all_reviewed = _share(exact, ~match & ~none)
    nothing = np.zeros(len(exact), np.bool_)

    def stage(
        name: str, reached: float, left: float, cost: float, wrong: tuple[Bool, Bool]
    ) -> Stage:
        return Stage(
            name=name,
            reached=reached,
            decided=reached - left,
            cost=cost,
            false_match=_estimate(exact, wrong[0], goal.confidence, genuine=False),
            false_non_match=_estimate(exact, wrong[1], goal.confidence, genuine=True),
        )

    stages = (
        stage("sketch", 1.0, share_passed, goal.sketch_cost, (nothing, ~passed)),
        stage(
            "comparator", share_passed, share_review, share_passed, (passed & match, passed & none)
        ),
        stage("person", share_review, 0.0, share_review * goal.review_cost, (nothing, nothing)),
    )
    return Stages(
        first=first,
        band=band,
        stages=stages,
        cost=sum(s.cost for s in stages),
        single_cost=1.0 + all_reviewed * goal.review_cost,
        fnmr_single=_estimate(exact, none, goal.confidence, genuine=True),
    )


def replace_low(band: Band, low: float) -> Band:
    """The band with another lower edge of the review; the threshold follows if it must."""
    high = max(band.review_high, low)
    return Band(
        threshold=min(max(band.threshold, low), high), review_low=min(low, high), review_high=high
    )


def _check_aligned(sketch: Scores, exact: Scores) -> None:
    same = len(sketch) == len(exact) and np.array_equal(sketch.left, exact.left)
    if not (same and np.array_equal(sketch.right, exact.right)):
        raise DataError(
            "sketches and embeddings were not compared in the same order",
            hint="use all_pairs with one seed for both",
        )


def _candidates(sketch: Scores, bits: int) -> list[FirstStage]:
    """First stages that miss about the tried shares of genuine comparisons, loosest first."""
    values = np.sort(sketch.score[sketch.genuine])
    at = (np.array(LOSSES) * len(values)).astype(int).clip(0, len(values) - 1)
    distances = np.rint((1 - values[at].astype(np.float64)) * bits / 2).astype(int)
    return [FirstStage(bits=bits, max_distance=int(d)) for d in dict.fromkeys(distances.tolist())]


def _passed(sketch: Scores, first: FirstStage) -> Bool:
    """Which comparisons the first stage lets through."""
    distance = np.rint((1 - sketch.score.astype(np.float64)) * first.bits / 2)
    passed: Bool = distance <= first.max_distance
    return passed


def _certified(exact: Scores, fmr: float, confidence: float) -> Band:
    """The comparator's threshold that is proven to keep to an FMR, without a review band."""
    threshold = fmr_threshold(exact, fmr, confidence).threshold
    return Band(threshold=threshold, review_low=threshold, review_high=threshold)


def _review_low(exact: Scores, passed: Bool, fnmr: float, confidence: float) -> float | None:
    """The highest score below which everything may be rejected; None if too much is missed."""
    genuine = np.flatnonzero(exact.genuine)
    exact, passed = exact.take(genuine), passed[genuine]
    missed = np.sort(exact.score[passed])
    if not missed.size or _bound(exact, ~passed, confidence) > fnmr:
        return None
    low, high = 0, len(missed) - 1
    while low < high:
        middle = (low + high + 1) // 2
        rejected = ~passed | (~matches(exact.score, missed[middle]))
        if _bound(exact, rejected, confidence) <= fnmr:
            low = middle
        else:
            high = middle - 1
    return float(missed[low])


def _bound(exact: Scores, lost: Bool, confidence: float) -> float:
    """Upper bound of the share of genuine comparisons that are lost, by identity."""
    estimate = _estimate(exact, lost, 0.95, genuine=True)
    n = estimate.n_effective
    return upper_bound(estimate.value * n, n, confidence) if n > 0 else 1.0


def _estimate(exact: Scores, hit: Bool, confidence: float, *, genuine: bool) -> Estimate:
    """Share of the genuine or the impostor comparisons that are hit, with its interval."""
    return rates(exact, ~hit, confidence)[1] if genuine else rates(exact, hit, confidence)[0]


def _share(exact: Scores, hit: Bool) -> float:
    """Share of comparisons in use, at the prior of the population."""
    genuine = np.count_nonzero(hit & exact.genuine) / max(exact.n_genuine, 1)
    impostor = np.count_nonzero(hit & ~exact.genuine) / max(exact.n_impostor, 1)
    return float(exact.prior * genuine + (1 - exact.prior) * impostor)


def _refusal(exact: Scores, goal: StageGoal, confidence: float) -> DataError:
    limit = goal.max_loss if goal.fnmr is None else goal.fnmr
    needed = math.ceil(math.log(1 - confidence) / math.log1p(-limit))
    n = int(np.count_nonzero(exact.genuine_by_identity))
    return DataError(
        f"genuine comparisons of {n:,} identities cannot prove that the stages miss at most "
        f"{limit:g} with {percent(goal.confidence)} confidence",
        hint=f"{needed:,} identities with two records or more are needed if none is missed; allow "
        "more, use more bits, or leave the stages out",
    )
