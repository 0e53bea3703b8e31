from __future__ import annotations

import numpy as np
import pytest
from tests.calibrate.conftest import World

from gemel.calibrate.rates.equal_error import equal_error
from gemel.calibrate.scores import curve_measures
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import sweep


def test_the_interval_holds_the_rate_of_many_identities(world: World) -> None:
    many = [world(np.random.default_rng(1_000 + i), 500, 4) for i in range(4)]
    truth = np.mean([curve_measures.eer(sweep(scores)) for scores in many])
    found = [equal_error(world(np.random.default_rng(i), 40, 4)) for i in range(60)]
    held = sum(e.low <= truth <= e.high for e in found)
    assert 52 <= held < 60
    assert all(e.low < e.value < e.high for e in found)


def test_its_value_is_the_rate_that_the_curve_has(world: World) -> None:
    scores = world(np.random.default_rng(0), 50, 3)
    assert equal_error(scores).value == curve_measures.eer(sweep(scores))


def test_where_no_error_is_seen_some_may_be_there() -> None:
    left, right = np.array([[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]], np.int32)
    score = np.array([0.9, 0.8, 0.9, 0.1, 0.2, 0.1], np.float32)
    found = equal_error(Scores(score, left == right, left, right))
    assert found.value == found.low == 0
    assert found.high > 0.3


def test_more_confidence_is_a_wider_interval(world: World) -> None:
    scores = world(np.random.default_rng(0), 50, 3)
    wide, narrow = equal_error(scores, 0.99), equal_error(scores, 0.9)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide.value == pytest.approx(narrow.value)
