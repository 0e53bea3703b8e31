"""Thresholds of what is only expected: the goal is reached in expectation, and nothing is sure."""

from dataclasses import dataclass

import numpy as np
import pytest

from gemel.calibrate.goals import estimated
from gemel.calibrate.goals.target import Target
from gemel.decide.ratio import Logistic
from gemel.errors import DataError


@dataclass(frozen=True)
class Pairs:
    threshold: tuple[float, ...] = (4.0, 3.0, 2.0, 1.0, 0.0)
    right: tuple[float, ...] = (50.0, 80.0, 95.0, 99.0, 100.0)
    wrong: tuple[float, ...] = (0.0, 1.0, 9.0, 400.0, 9900.0)


CURVE = estimated.sweep_of(Pairs())


@pytest.mark.parametrize(
    ("target", "accepted"),
    [
        (Target(), 95.0),
        (Target(kind="precision", value=0.98), 80.0),
        (Target(kind="recall", value=0.97), 99.0),
        (Target(kind="fnmr", value=0.2), 80.0),
        (Target(kind="fmr", value=0.001), 95.0),
    ],
)
def test_the_goal_is_reached_in_expectation(target: Target, accepted: float) -> None:
    point = estimated.choose(CURVE, target)
    assert point.recall.value == pytest.approx(accepted / 100)
    assert not point.certified
    assert (point.precision.low, point.precision.high) == (0.0, 1.0)
    assert point.prior == pytest.approx(0.01)


def test_a_stated_share_moves_the_choice() -> None:
    rare = estimated.choose(CURVE, Target(kind="precision", value=0.98, prior=0.0001))
    assert rare.recall.value == pytest.approx(0.5)
    assert rare.prior_source == "stated"


def test_a_goal_that_no_threshold_is_expected_to_reach_is_refused() -> None:
    never = estimated.sweep_of(Pairs(wrong=(5.0, 10.0, 20.0, 400.0, 9900.0)))
    with pytest.raises(DataError, match="expected to reach"):
        estimated.choose(never, Target(kind="precision", value=0.999))


def test_an_fmr_that_is_expected_only_where_nothing_matches_is_refused() -> None:
    never = estimated.sweep_of(Pairs(wrong=(5.0, 10.0, 20.0, 400.0, 9900.0)))
    with pytest.raises(DataError, match="expected to reach FMR"):
        estimated.choose(never, Target(kind="fmr", value=0.0001))


def test_people_are_asked_where_it_costs_less_than_either_answer() -> None:
    even = Logistic(1.0, -2.0)
    asked = estimated.choose(CURVE, Target(prior=0.5, review_cost=0.2), even)
    assert even.probability(asked.review_low, 0.5) == pytest.approx(0.2)
    assert even.probability(asked.review_high, 0.5) == pytest.approx(0.8)
    assert asked.review_low <= asked.threshold <= asked.review_high
    assert asked.n_review == 99 + 400 - 50  # of those that score 1, 2 and 3
    for target in (Target(prior=0.5), Target(prior=0.5, review_cost=0.6)):
        nobody = estimated.choose(CURVE, target, even)
        assert nobody.review_low == nobody.threshold == nobody.review_high
        assert nobody.n_review == 0


def test_curves_hold_as_many_pairs_as_expected() -> None:
    curve = estimated.summary(CURVE)
    assert (curve.n_genuine, curve.n_impostor) == (100, 9900)
    width = curve.bin_edge[1] - curve.bin_edge[0]
    assert sum(curve.genuine_density) * width == pytest.approx(0.5, abs=0.01)
    assert np.all(np.diff(curve.fmr) >= 0)
