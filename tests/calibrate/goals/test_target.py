from typing import get_args

import numpy as np
import pytest

from gemel.calibrate.goals.target import GOALS, Kind, Target, in_words
from gemel.errors import ConfigError
from gemel.release.evidence.goals import Goals
from gemel.settings import Proven


def test_every_kind_has_a_row_and_settings_say_which_are_proven() -> None:
    assert set(GOALS) == set(get_args(Kind))
    assert {kind for kind, goal in GOALS.items() if goal.proof} == {*get_args(Proven), "fpir"}


@pytest.mark.parametrize("kind", GOALS)
def test_a_goal_is_proven_if_and_only_if_it_asks_for_a_rate(kind):
    goal = GOALS[kind]
    assert bool(goal.proof) == (goal.example is not None) == bool(goal.promised)
    assert in_words(Target(kind=kind, value=goal.example)).startswith(goal.name)


def test_what_a_recall_promises_is_the_rest_as_false_non_matches():
    assert Target(kind="recall", value=0.75).limit("fnmr") == 0.25
    assert Target(kind="fnmr", value=0.1).limit("fnmr") == 0.1
    assert Target(kind="fnmr", value=0.1).limit("fmr") is None
    assert Target(kind="precision", value=0.9).limit("fmr") is None


def test_a_goal_that_minimises_nothing_has_no_risk():
    with pytest.raises(ConfigError, match="eer minimises nothing"):
        Target(kind="eer").risk(np.zeros(1), np.zeros(1), 0.5)


def test_an_unknown_kind_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="unknown target 'fmrr'") as refused:
        Target(kind="fmrr", value=0.1)
    assert refused.value.hint == "did you mean 'fmr'?"


def test_a_text_is_no_number_and_no_goal() -> None:
    with pytest.raises(ConfigError, match="type str, expected a number as value"):
        Target(kind="fmr", value="0.01")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="type str, expected a number as prior"):
        Target(prior="0.01")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="type str, expected a Target as the goal"):
        Goals(verify="f1")  # type: ignore[arg-type]
