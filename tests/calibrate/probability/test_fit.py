"""Scores become likelihood ratios that mean what they say, in each of three shapes."""

import itertools
import math
import timeit

import msgspec
import numpy as np
import pytest

from gemel.calibrate.probability.fit import (
    cllr,
    cross_entropy,
    fit,
    least_cllr,
    pav_of,
)
from gemel.calibrate.probability.regression import fit_logistic
from gemel.calibrate.scores.scores import Scores, labelled
from gemel.calibrate.scores.sweep import hull_blocks, sweep, weighted_sweep
from gemel.decide.ratio import Beta, Logistic, Pav
from gemel.errors import DataError


def test_toy_cllr_before_and_after_the_best_transformation(toy: Scores) -> None:
    assert cllr(toy, Logistic(1.0, 0.0)) == pytest.approx(0.656708, abs=1e-6)
    assert least_cllr(sweep(toy)) == pytest.approx(0.344361, abs=1e-6)


def test_the_true_likelihood_ratio_is_found_whatever_the_share_of_genuine_pairs() -> None:
    rng = np.random.default_rng(0)
    score = np.concatenate([rng.normal(1, 1, 2_000), rng.normal(-1, 1, 100_000)])
    found = fit_logistic(labelled(score, np.arange(102_000) < 2_000), 0.5)
    assert found.slope == pytest.approx(2, rel=0.05)  # of N(1, 1) against N(-1, 1): llr = 2 s
    assert found.intercept == pytest.approx(0, abs=0.1)


def test_probability_and_score_are_inverse_and_rise() -> None:
    one = Logistic(3.0, -1.0)
    for p in (1e-6, 0.2, 0.999):
        assert one.probability(one.score_at(p, 0.01), 0.01) == pytest.approx(p)
    assert one.probability(-1e6, 0.5) == pytest.approx(0.0)
    assert one.probability(1e6, 0.5) == 1.0
    assert one.probability(0.5, 0.01) < one.probability(0.5, 0.5)


def test_a_rare_match_is_judged_by_the_scores_that_decide_it() -> None:
    # Strangers are broad and matches few: a curve through the bulk calls sure matches improbable.
    rng = np.random.default_rng(1)
    score = np.concatenate([rng.normal(10, 3, 200), rng.normal(-12, 2, 400_000)])
    scores = labelled(score, np.arange(400_200) < 200)
    at_prior = fit_logistic(scores, scores.prior)
    assert at_prior.probability(5.0, scores.prior) > 0.9
    assert at_prior.probability(-8.0, scores.prior) < 0.1


def test_separable_classes_give_a_finite_slope() -> None:
    found = fit_logistic(labelled(np.array([1.0, 0.9, 0.1, 0.0]), np.array([1, 1, 0, 0])), 0.5)
    assert 0 < found.slope < 1e3


@pytest.mark.parametrize("score", [[0.0, 1.0], [1.0, 1.0]])
def test_scores_that_do_not_rise_with_likeness_are_refused(score: list[float]) -> None:
    with pytest.raises(DataError, match="do not score higher"):
        fit(labelled(np.array(score * 10), np.array([1, 0] * 10)))


KINDS = ("logistic", "beta", "pav")


@pytest.fixture(scope="module")
def skewed() -> Scores:
    """Cosines whose log-likelihood ratio is far from a line: most impostors near 0, some high."""
    rng = np.random.default_rng(2)
    genuine = 1 - rng.beta(1.5, 8, 400)
    impostor = np.concatenate([rng.normal(0.1, 0.1, 8_000), rng.uniform(0.2, 0.9, 500)])
    return labelled(np.concatenate([genuine, impostor]), np.arange(8_900) < 400)


def test_toy_pooled_blocks(toy: Scores) -> None:
    ends, true, false = hull_blocks(sweep(toy))
    assert (true / (true + false)).tolist() == [1, 0.25, 0]
    assert sweep(toy).threshold[ends[1:]].tolist() == pytest.approx([1.5, 0.2, -2])
    with np.errstate(divide="ignore"):
        llr = np.log(true / false) - math.log(4 / 6)
    assert llr.tolist() == pytest.approx([np.inf, -0.6931, -np.inf], abs=1e-4)


def test_no_ratio_goes_beyond_what_the_comparisons_can_show(skewed: Scores) -> None:
    for kind in KINDS:
        found = fit(skewed, 0.01, kind)
        assert found.llr(1e6) <= math.log(8_501) + 1e-9
        assert found.llr(-1e6) >= -math.log(401) - 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_each_shape_rises_and_is_its_own_inverse(skewed: Scores, kind: str) -> None:
    found = fit(skewed, 0.05, kind)  # type: ignore[arg-type]
    grid = np.linspace(-2, 2, 4001)
    values = [found.llr(s) for s in grid.tolist()]
    assert all(a <= b for a, b in itertools.pairwise(values))
    assert found.llrs(grid) == pytest.approx(np.array(values), abs=1e-9)
    for p in (0.01, 0.3, 0.9):
        at = found.score_at(p, 0.05)
        assert found.probability(at, 0.05) == pytest.approx(p, rel=1e-6)
        assert found.probability(at - 1e-3, 0.05) < p
    assert found.score_at(1 - 1e-9, 0.05) == math.inf
    assert found.score_at(1e-9, 0.05) == -math.inf


@pytest.mark.parametrize("kind", KINDS)
def test_each_shape_is_fitted_to_two_distinct_scores(kind: str) -> None:
    score = np.array([1 - 2**-24] + [1.0] * 25, np.float32)
    found = fit(labelled(score, np.arange(26) > 0), 1e-6, kind)  # type: ignore[arg-type]
    assert found.llr(float(score[0])) <= found.llr(1.0)


@pytest.mark.parametrize("seed", [95, 237, 453])
def test_blocks_whose_ratios_differ_by_rounding_only_still_rise(seed: int) -> None:
    # Scores of one share of genuine weight each: the sums of their weights give it again, rounded.
    rng = np.random.default_rng(seed)
    share = np.repeat(np.sort(rng.random(4))[::-1], 10)
    weight = rng.random(40)
    score = -np.arange(40, dtype=np.float32)
    value = pav_of(weighted_sweep(score, share * weight, (1 - share) * weight)).value
    assert all(a <= b for a, b in itertools.pairwise(value))


@pytest.mark.parametrize("kind", KINDS)
def test_each_shape_survives_json(skewed: Scores, kind: str) -> None:
    found = fit(skewed, 0.05, kind)  # type: ignore[arg-type]
    text = msgspec.json.encode(found)
    assert msgspec.json.decode(text, type=Logistic | Beta | Pav) == found
    assert len(text) < 20_000


def test_curved_ratios_are_found_by_the_shapes_that_can_bend(skewed: Scores) -> None:
    rng = np.random.default_rng(5)
    genuine = 1 - rng.beta(1.5, 8, 4_000)
    impostor = np.concatenate([rng.normal(0.1, 0.1, 80_000), rng.uniform(0.2, 0.9, 5_000)])
    fresh = labelled(np.concatenate([genuine, impostor]), np.arange(89_000) < 4_000)
    loss = {kind: cross_entropy(fresh, fit(skewed, 0.5, kind), 0.5) for kind in KINDS}
    assert max(loss["beta"], loss["pav"]) < 0.97 * loss["logistic"]
    assert not isinstance(fit(skewed, 0.5), Logistic)
    assert cllr(fresh, fit(skewed, 0.5)) <= 1.02 * min(loss.values())
    assert least_cllr(sweep(fresh)) < min(loss.values())


def test_few_genuine_comparisons_carry_a_line_only(skewed: Scores) -> None:
    at = np.arange(len(skewed)) >= 201
    few = labelled(skewed.score[at], skewed.genuine[at])
    assert few.n_genuine == 199
    assert isinstance(fit(few, 0.5), Logistic)


def test_pav_of_many_blocks_keeps_few_knots() -> None:
    rng = np.random.default_rng(0)
    genuine = rng.random(300_000) < 0.5
    scores = labelled(rng.normal(size=300_000) + genuine, genuine)
    found = fit(scores, 0.5, "pav")
    assert isinstance(found, Pav)
    assert 50 < len(found.score) <= 256
    for s in (-1.0, 0.0, 0.5, 2.0):
        assert found.llr(s) == pytest.approx(s - 0.5, abs=0.15)


@pytest.mark.parametrize("kind", ["beta", "pav"])
@pytest.mark.parametrize("score", [[0.0, 1.0], [1.0, 1.0]])
def test_no_shape_is_made_of_scores_that_do_not_rise(score: list[float], kind: str) -> None:
    with pytest.raises(DataError, match="do not score higher"):
        fit(labelled(np.array(score * 10), np.array([1, 0] * 10)), 0.5, kind)  # type: ignore[arg-type]


def test_a_probability_costs_microseconds(skewed: Scores) -> None:
    for kind in KINDS:
        found = fit(skewed, 0.05, kind)
        took = min(timeit.repeat(lambda f=found: f.probability(0.6, 0.05), number=2000, repeat=5))
        assert took / 2000 < 20e-6  # about 1 us on a quiet core
