"""Detection costs with their prior and costs, on numbers worked out by hand."""

import math

import numpy as np
import pytest

from gemel.calibrate.probability.detection_cost import Stakes, actual_cost, cost_at, least_cost
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import sweep
from gemel.decide.ratio import Logistic
from gemel.errors import ConfigError


@pytest.mark.parametrize(("prior", "raw"), [(0.01, 0.0025), (0.05, 0.0125)])
def test_toy_least_cost_raw_and_normalised(toy: Scores, prior: float, raw: float) -> None:
    got = least_cost(sweep(toy), Stakes(prior=prior))
    assert got.raw == pytest.approx(raw)
    assert got.normalised == pytest.approx(0.25)
    assert (got.stakes.prior, got.threshold) == (prior, 1.5)


def test_toy_actual_cost_of_scores_read_as_likelihood_ratios(toy: Scores) -> None:
    stakes = Stakes(prior=0.05)
    got = actual_cost(sweep(toy), Logistic(1.0, 0.0), stakes)
    assert got.raw == pytest.approx(0.0375)
    assert got.threshold == 3.0  # the score that the Bayes threshold just accepts
    assert got.raw - least_cost(sweep(toy), stakes).raw == pytest.approx(0.025)


def test_blind_answers_cost_one(toy: Scores) -> None:
    curve = sweep(toy)
    nothing, everything = (
        cost_at(curve, 99.0, Stakes(prior=0.05)),
        cost_at(curve, -9.0, Stakes(prior=0.95)),
    )
    assert nothing.normalised == pytest.approx(1)
    assert nothing.threshold is None
    assert everything.normalised == pytest.approx(1)


def test_the_least_cost_is_that_of_the_best_of_all_thresholds() -> None:
    rng = np.random.default_rng(0)
    genuine = rng.random(500) < 0.3
    from gemel.calibrate.scores.scores import labelled

    scores = labelled(np.round(rng.normal(size=500) + genuine, 1), genuine)
    curve = sweep(scores)
    stakes = Stakes(prior=0.2, false_match_cost=3, false_non_match_cost=2)
    every = [cost_at(curve, t, stakes).raw for t in [math.inf, *np.unique(scores.score)]]
    assert least_cost(curve, stakes).raw == pytest.approx(min(every))


def test_a_position_of_the_sweep_is_found_for_any_threshold(toy: Scores) -> None:
    curve = sweep(toy)
    for threshold in (math.inf, 3.0, 2.9, 0.2, float(np.float32(0.2)) + 1e-12, -5.0):
        at = curve.point(threshold)
        assert curve.n_true_match[at] + curve.n_false_match[at] == np.count_nonzero(
            toy.score >= np.float64(threshold)
        )


@pytest.mark.parametrize("fields", [{"prior": 0.0}, {"prior": 0.5, "false_match_cost": 0.0}])
def test_stakes_that_make_no_sense_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Stakes(**fields)
