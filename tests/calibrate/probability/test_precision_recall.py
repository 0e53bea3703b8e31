"""Precision and recall hold for the prior that is said."""

import pytest

from gemel.calibrate.probability.precision_recall import average_precision, precision_at
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import sweep
from gemel.errors import ConfigError


def test_toy_precision_and_recall_at_the_prior_of_the_data(toy: Scores) -> None:
    curve = sweep(toy)
    precision = precision_at(curve.fmr(), curve.fnmr(), 0.4)
    assert precision.tolist() == pytest.approx(
        [1, 1, 1, 1, 3 / 4, 3 / 5, 4 / 7, 4 / 8, 4 / 9, 4 / 10]
    )
    assert average_precision(sweep(toy), 0.4) == pytest.approx((1 + 1 + 1 + 4 / 7) / 4)


def test_a_rarer_match_is_less_precise_at_the_same_recall(toy: Scores) -> None:
    fmr, fnmr = sweep(toy).fmr(), sweep(toy).fnmr()
    common, rare = (precision_at(fmr, fnmr, prior) for prior in (0.4, 0.001))
    assert (rare[4:] < common[4:]).all()
    assert average_precision(sweep(toy), 0.001) < average_precision(sweep(toy), 0.4)


def test_nothing_matched_is_precise() -> None:
    assert precision_at(0.0, 1.0, 0.01) == 1.0


def test_a_prior_must_be_said_sensibly(toy: Scores) -> None:
    with pytest.raises(ConfigError):
        average_precision(sweep(toy), 1.0)
