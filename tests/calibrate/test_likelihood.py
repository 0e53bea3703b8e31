"""Scores become likelihood ratios that mean what they say."""

import numpy as np
import pytest

from gemel.calibrate.curves import sweep
from gemel.calibrate.likelihood import Likelihood, cllr, fit, least_cllr
from gemel.calibrate.scores import Scores, labelled
from gemel.errors import DataError


def test_toy_cllr_before_and_after_the_best_transformation(toy: Scores) -> None:
    assert cllr(toy, Likelihood(1.0, 0.0)) == pytest.approx(0.656708, abs=1e-6)
    assert least_cllr(sweep(toy)) == pytest.approx(0.344361, abs=1e-6)


def test_the_true_likelihood_ratio_is_found_whatever_the_share_of_genuine_pairs() -> None:
    rng = np.random.default_rng(0)
    score = np.concatenate([rng.normal(1, 1, 2_000), rng.normal(-1, 1, 100_000)])
    found = fit(labelled(score, np.arange(102_000) < 2_000))
    assert found.slope == pytest.approx(2, rel=0.05)  # of N(1, 1) against N(-1, 1): llr = 2 s
    assert found.intercept == pytest.approx(0, abs=0.1)


def test_probability_and_score_are_inverse_and_rise() -> None:
    one = Likelihood(3.0, -1.0)
    for p in (1e-6, 0.2, 0.999):
        assert one.probability(one.score_at(p, 0.01), 0.01) == pytest.approx(p)
    assert one.probability(-1e6, 0.5) == 0.0
    assert one.probability(1e6, 0.5) == 1.0
    assert one.probability(0.5, 0.01) < one.probability(0.5, 0.5)


def test_a_rare_match_is_judged_by_the_scores_that_decide_it() -> None:
    # Strangers are broad and matches few: a curve through the bulk calls sure matches improbable.
    rng = np.random.default_rng(1)
    score = np.concatenate([rng.normal(10, 3, 200), rng.normal(-12, 2, 400_000)])
    scores = labelled(score, np.arange(400_200) < 200)
    at_prior = fit(scores, scores.prior)
    assert at_prior.probability(5.0, scores.prior) > 0.9
    assert at_prior.probability(-8.0, scores.prior) < 0.1


def test_separable_classes_give_a_finite_slope() -> None:
    found = fit(labelled(np.array([1.0, 0.9, 0.1, 0.0]), np.array([1, 1, 0, 0])))
    assert 0 < found.slope < 1e3


@pytest.mark.parametrize("score", [[0.0, 1.0], [1.0, 1.0]])
def test_scores_that_do_not_rise_with_likeness_are_refused(score: list[float]) -> None:
    with pytest.raises(DataError, match="do not score higher"):
        fit(labelled(np.array(score * 10), np.array([1, 0] * 10)))
