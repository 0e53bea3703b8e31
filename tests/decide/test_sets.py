"""Many scores: decided as one by one, with the probability that the prior gives."""

import numpy as np
import pytest
from msgspec.structs import replace

from gemel.decide.bands import Band
from gemel.decide.policy import Policy
from gemel.decide.ratio import Logistic
from gemel.decide.sets import judge

BAND = Band(threshold=1.0, review_low=0.5, review_high=1.5)
POLICY = Policy(verify=BAND, search=BAND, prior=0.1, likelihood=Logistic(slope=4.0, intercept=-4.0))


def test_every_score_is_decided_as_the_policy_decides_one() -> None:
    score = np.array([0.5, 1.0, 1.49, 1.5, 3.0])
    got = judge(POLICY, score)
    assert got.outcome == [POLICY.decide(s).outcome for s in score]
    assert got.match.tolist() == [False, False, False, True, True]
    llr = 4 * score - 4 + np.log(0.1 / 0.9)
    assert got.probability == pytest.approx(1 / (1 + np.exp(-llr)))


def test_a_rarer_set_makes_the_same_score_less_sure() -> None:
    score = np.array([2.5, 5.0])
    some, few = (judge(replace(POLICY, prior=share), score) for share in (1e-2, 1e-4))
    assert some.probability[0] > 0.7 > 0.1 > few.probability[0]
    assert few.probability[1] > 0.99


def test_matches_that_are_given_up_are_no_matches_or_for_review() -> None:
    which, unsure = np.array([False, False, False, True]), np.array([True, False, True, False])
    got = judge(POLICY, np.array([0.1, 2.0, 3.0, 4.0])).kept(which, unsure)
    assert got.outcome == ["no_match", "no_match", "review", "match"]
    assert got.match.tolist() == which.tolist()


def test_without_a_likelihood_there_are_no_probabilities() -> None:
    plain = Policy(verify=BAND, search=BAND, prior=0.1)
    got = judge(plain, np.array([0.7, 2.0]))
    assert np.isnan(got.probability).all() and got.outcome == ["review", "match"]
