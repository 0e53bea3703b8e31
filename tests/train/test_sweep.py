import math

import pytest

from gemel.settings import TrainSettings
from gemel.train import sweep
from gemel.train.towers import Defaults


def test_the_better_third_learns_three_times_as_long_until_few_learn_as_long_as_a_run() -> None:
    asked: list[tuple[int, int]] = []

    def learn(values: sweep.Values, epochs: int) -> float:
        asked.append((values["x"], epochs))
        return -abs(values["x"] - 6)

    done = sweep.halve([{"x": x} for x in range(9)], 18, learn)
    assert [x for x, epochs in asked if epochs == 2] == list(range(9))
    assert sorted(x for x, epochs in asked if epochs == 6) == [5, 6, 7]
    assert [pair for pair in asked if pair[1] == 0] == [(6, 0)]
    assert done[0].values == {"x": 6} and len(done) == 13


def test_a_candidate_that_cannot_be_trained_comes_last_and_does_not_go_on() -> None:
    def learn(values: sweep.Values, epochs: int) -> float:
        return math.nan if values["x"] == 0 else 0.5

    done = sweep.halve([{"x": 0}, {"x": 1}, {"x": 2}], 3, learn)
    assert [t.values["x"] for t in done if t.epochs == 0] == [1]
    assert math.isnan(done[-1].metric)


def test_of_too_many_combinations_the_same_ones_are_tried_every_time() -> None:
    dials = {"a": range(10), "b": range(10)}
    some = sweep.candidates(dials, seed=1)
    assert len(some) == sweep.MOST and some == sweep.candidates(dials, seed=1)
    assert some != sweep.candidates(dials, seed=2)
    assert len(sweep.candidates({"a": range(3)}, seed=1)) == 3


def test_the_usual_dials_stand_around_what_is_set_or_measured_best() -> None:
    found = sweep.usual(TrainSettings(learning_rate=0.3), Defaults(identities_per_batch=8))
    assert found["learning_rate"] == pytest.approx((0.1, 0.3, 0.9))
    assert found["identities_per_batch"] == (4, 8, 16)
