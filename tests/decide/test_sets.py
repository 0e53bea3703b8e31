"""Many scores: decided as one by one, with a prior that fits the set they come from."""

import numpy as np
import pytest

from gemel.decide.bands import Band
from gemel.decide.policy import Policy
from gemel.decide.ratio import Logistic
from gemel.decide.sets import estimated_prior, judge

BAND = Band(threshold=1.0, review_low=0.5, review_high=1.5)
POLICY = Policy(verify=BAND, search=BAND, prior=0.1, likelihood=Logistic(slope=4.0, intercept=-4.0))


def test_every_score_is_decided_as_the_policy_decides_one() -> None:
    score = np.array([0.5, 1.0, 1.49, 1.5, 3.0])
    got = judge(POLICY, score, 100)
    assert got.outcome == [POLICY.decide(s).outcome for s in score]
    assert got.match.tolist() == [False, False, False, True, True]
    llr = 4 * score - 4 + np.log(got.prior / (1 - got.prior))
    assert got.probability == pytest.approx(1 / (1 + np.exp(-llr)))


@pytest.mark.parametrize("share", [1e-4, 1e-3, 1e-2])
def test_the_prior_of_a_set_is_found_without_labels(share: float) -> None:
    """Scores of two normal classes, of which the log-likelihood ratio is known."""
    rng = np.random.default_rng(0)
    n = 1_000_000
    genuine = int(n * share)
    llr = np.concatenate([rng.normal(8, 4, genuine), rng.normal(-8, 4, n - genuine)])
    # N(8, 4) against N(-8, 4): the ratio of the densities is exp(x).
    seen = llr[llr > -2]
    assert estimated_prior(np.exp(seen), n, 0.1) == pytest.approx(share, rel=0.12)


def test_a_few_records_keep_about_the_prior_of_the_policy() -> None:
    assert judge(POLICY, np.array([3.0]), 1).prior == pytest.approx(0.18, abs=0.02)
    assert judge(POLICY, np.empty(0), 10).prior == POLICY.prior


def test_ten_times_the_records_make_the_same_score_less_sure() -> None:
    score = np.repeat([2.5, 5.0], 50)
    few, many = judge(POLICY, score, 10_000), judge(POLICY, np.repeat(score, 10), 1_000_000)
    assert 0.005 < few.prior < 0.01 and 0.0005 < many.prior < 0.001
    assert few.probability[0] > 0.6 > 0.3 > many.probability[0]
    assert many.probability[-1] > 0.99


def test_without_a_likelihood_there_are_no_probabilities() -> None:
    plain = Policy(verify=BAND, search=BAND, prior=0.1)
    got = judge(plain, np.array([0.7, 2.0]), 10)
    assert np.isnan(got.probability).all() and got.outcome == ["review", "match"]
    assert got.prior == 0.1
