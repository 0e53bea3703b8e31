"""Both variances of an interval are what they say, by brute force, with and without units."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from gemel.arrays import unit_rows
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.intervals import effective_of
from gemel.calibrate.rates.operating_point import measure
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.calibrate.scores.scores import Scores, labelled
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import DataError

AT = 0.5
PAIRED = np.repeat(np.arange(9), 2).astype(np.int32)
"""Units of two identities each."""


@pytest.fixture(params=[None, PAIRED], ids=["by identity", "by unit"])
def scores(request: pytest.FixtureRequest, world: Callable[..., Scores]) -> Scores:
    found = world(np.random.default_rng(4), 18, 3)
    return replace(found, unit_of=request.param)


def touching(scores: Scores, unit: int) -> np.ndarray:
    left, right = scores.units(slice(None))
    return (left == unit) | (right == unit)


def rates(scores: Scores, chosen: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted FMR, FNMR, F1 at the prior and precision here."""
    match, genuine = scores.score >= AT, scores.genuine

    def total(which: np.ndarray) -> float:
        return float(weight[which & chosen].sum())

    false, true = total(match & ~genuine), total(match & genuine)
    fmr, fnmr = false / total(~genuine), total(~match & genuine) / total(genuine)
    pi = scores.prior
    hit = pi * (1 - fnmr)
    return np.array([fmr, fnmr, 2 * hit / (hit + (1 - pi) * fmr + pi), true / (true + false)])


def jackknife(scores: Scores) -> np.ndarray:
    """Variances of `rates` by leaving out every comparison of a unit."""
    once, n = np.ones(len(scores)), scores.n_units
    left_out = np.array([rates(scores, ~touching(scores, u), once) for u in range(n)])
    found: np.ndarray = (n - 1) / n * np.square(left_out - left_out.mean(0)).sum(0)
    return found


def dyadic(scores: Scores, chosen: np.ndarray, residual: np.ndarray) -> float:
    """Sum of the residuals of all comparisons that share a unit, multiplied."""
    left, right = (u[:, None] for u in scores.units(chosen))
    share = (left == left.T) | (left == right.T) | (right == left.T) | (right == right.T)
    return float(residual @ share @ residual)


def test_intervals_take_the_mean_of_both_variances(scores: Scores) -> None:
    match, at, leaving_out = scores.score >= AT, measure(scores, AT), jackknife(scores)
    for chosen, wrong, got, variance in (
        (~scores.genuine, match, at.fmr, leaving_out[0]),
        (scores.genuine, ~match, at.fnmr, leaving_out[1]),
    ):
        n, rate = int(chosen.sum()), wrong[chosen].mean()
        pairs = dyadic(scores, chosen, (wrong[chosen] - rate) / n)
        if got is at.fnmr:  # no two identities share a genuine comparison
            pairs = variance
        wanted = effective_of(rate, (variance + pairs) / 2, n)
        assert got.n_effective == pytest.approx(wanted)


def test_intervals_cover_where_few_identities_carry_the_comparisons() -> None:
    """Sizes are Zipf from 2 to 200: with a Student's t of all identities it is 85 %, not 95 %."""
    rng, n, covered, true = np.random.default_rng(1), 100, 0, float(ndtr(-1.25))
    size = np.arange(2, 201)
    chance = 1 / size**2
    for _ in range(200):
        k = rng.choice(size, n, p=chance / chance.sum())
        of_each = k * (k - 1) // 2
        own = np.repeat(rng.normal(0, math.sqrt(0.5), n), of_each)
        score = 1.25 + own + rng.normal(0, math.sqrt(0.5), len(own))
        who = np.repeat(np.arange(n), of_each)
        apart = labelled(
            np.append(score, [-1.0, -1.0]),
            np.append(np.ones(len(who)), [0, 0]),
            np.append(who, [0, 1]),
            np.append(who, [2, 3]),
        )
        fnmr = measure(apart, 0.0).fnmr
        covered += fnmr.low <= true <= fnmr.high
    assert 0.92 <= covered / 200 <= 0.99


def test_a_statistic_of_both_rates_has_the_residuals_of_its_slopes(scores: Scores) -> None:
    """Precision is a share of matches, so it has residuals of its own."""
    match, at = scores.score >= AT, measure(scores, AT)
    n_true, n_false = at.n_genuine - at.n_false_non_match, at.n_false_match
    per_true, per_false = n_false / match.sum() ** 2, -n_true / match.sum() ** 2
    residual = np.where(
        scores.genuine,
        per_true * (match - n_true / at.n_genuine),
        per_false * (match - n_false / at.n_impostor),
    )
    pairs = dyadic(scores, np.ones(len(scores), bool), residual)
    variance = (jackknife(scores)[3] + pairs) / 2
    wanted = effective_of(n_true / match.sum(), variance, int(match.sum()))
    assert at.precision.n_effective == pytest.approx(wanted, rel=0.02)


def test_limits_are_in_order(scores: Scores) -> None:
    for threshold in (-2.0, 0.2, AT, 0.8, 2.0):
        at = measure(scores, threshold)
        for e in (at.fmr, at.fnmr, at.precision, at.recall, at.f1, at.accuracy):
            assert 0 <= e.low <= e.value <= e.high <= 1


def test_no_false_match_is_bounded_by_the_first_that_would_be(scores: Scores) -> None:
    strict = measure(scores, 2.0)
    assert strict.n_false_match == 0 and "looser threshold" in strict.fmr.method
    impostor = ~scores.genuine

    def falsely_matched(threshold: float) -> int:
        at = impostor & (scores.score >= np.float32(threshold))
        return len(np.unique([scores.left[at], scores.right[at]]))

    looser = next(t for t in -np.sort(-scores.score[impostor]) if falsely_matched(t) >= 6)
    assert strict.fmr.high == measure(scores, float(looser)).fmr.high


def test_twins_that_always_err_together_are_worth_one() -> None:
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(200), 2)
    rows = rng.normal(size=(100, 8))
    twins = np.repeat(rows, 2, 0)  # identities 2k and 2k + 1 look the same
    x = unit_rows(np.repeat(twins, 2, 0) + 0.5 * np.tile(rng.normal(size=(2, 8)), (200, 1)))
    apart = all_pairs(x, ids, Cosine())
    joined = all_pairs(x, ids, Cosine(), units=np.arange(200) // 2)
    assert "200 identities are 100 independent units" in joined.note
    assert measure(joined, 0.9).n_identities == 200
    one, two = measure(apart, 0.9).fnmr, measure(joined, 0.9).fnmr
    assert one.value == two.value
    assert two.n_effective == pytest.approx(one.n_effective / 2, rel=0.02)


def test_a_proof_counts_units_not_identities() -> None:
    """Impostors of 120 identities on 12 devices prove less than those of 120 strangers."""
    rng = np.random.default_rng(1)
    ids = np.repeat(np.arange(120), 2)
    rows = unit_rows(np.repeat(rng.normal(size=(120, 16)), 2, 0) + 0.3 * rng.normal(size=(240, 16)))
    goal = Target(kind="fmr", value=2e-2)
    strangers = choose(all_pairs(rows, ids, Cosine()), goal)
    with pytest.raises(DataError, match="cannot prove") as e:
        choose(all_pairs(rows, ids, Cosine(), units=np.arange(120) // 60), goal)
    assert strangers.certified
    assert "more" in e.value.hint


def test_units_must_cover_every_identity() -> None:
    ok = labelled(np.array([1.0, 0.0]), np.array([1, 0]))
    for units in ([0], [0, -1, 1, 1]):
        with pytest.raises(DataError, match="every identity needs a unit"):
            replace(ok, unit_of=np.array(units, np.int32))
