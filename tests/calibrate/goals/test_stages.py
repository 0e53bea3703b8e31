"""Stages keep to their errors at a fraction of the cost, and say so when they cannot."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from gemel.arrays import unit_rows
from gemel.calibrate.goals.stages import StageGoal, choose, measure
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.calibrate.scores.scores import Scores
from gemel.decide.bands import Band
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.sketch import Sketch
from gemel.errors import ConfigError, DataError

BITS = 256
AT = Band(threshold=0.45, review_low=0.45, review_high=0.45)


@cache
def world(seed: int, n_identities: int = 500, noise: float = 0.8) -> tuple[Scores, Scores]:
    """Comparisons of a world of identities, scored by sketches and exactly."""
    rng = np.random.default_rng(seed)
    identities = np.repeat(np.arange(n_identities), 3)
    centres = rng.standard_normal((n_identities, 64))
    rows = unit_rows(centres[identities] + noise * rng.standard_normal((len(identities), 64)))
    return all_pairs(rows, identities, Sketch(BITS)), all_pairs(rows, identities, Cosine())


def test_the_first_stage_leaves_nearly_all_strangers_out_and_few_friends() -> None:
    sketch, exact = world(0)
    chosen = choose(sketch, exact, AT, StageGoal(bits=BITS, max_loss=0.02))
    first, second, person = chosen.stages
    assert first.decided > 0.9
    assert first.false_non_match.value <= 0.02
    assert first.false_match.value == 0
    assert person.reached == 0
    assert second.reached == pytest.approx(1 - first.decided)
    assert chosen.cost < 0.2 * chosen.single_cost


def test_what_is_promised_on_dev_holds_on_new_identities() -> None:
    goal = StageGoal(bits=BITS, fmr=1e-3, fnmr=0.1, confidence=0.9)
    broken = 0
    for seed in range(20):
        chosen = choose(*world(seed, 200), AT, goal)
        sketch, exact = world(999, 800)
        seen = measure(sketch, exact, chosen.first, chosen.band, goal)
        missed = sum(s.false_non_match.value for s in seen.stages)
        wrong = sum(s.false_match.value for s in seen.stages)
        broken += missed > 0.1 or wrong > 1e-3
    assert broken <= 4  # two promises of 90 % each, in 20 worlds


def test_a_stricter_goal_sends_more_to_a_person() -> None:
    sketch, exact = world(1)
    shares = []
    for fnmr in (0.2, 0.1, 0.05):
        chosen = choose(sketch, exact, AT, StageGoal(bits=BITS, fmr=1e-4, fnmr=fnmr))
        shares.append(chosen.stages[2].reached)
        assert chosen.band.review_low <= chosen.band.threshold <= chosen.band.review_high
    assert shares == sorted(shares)
    assert shares[-1] > shares[0]


def test_dearer_reviews_are_fewer() -> None:
    sketch, exact = world(1)
    dear, cheap = (
        choose(sketch, exact, AT, StageGoal(bits=BITS, fmr=1e-4, fnmr=0.05, review_cost=cost))
        for cost in (1e6, 0.0)
    )
    assert dear.stages[2].reached <= cheap.stages[2].reached


def test_data_that_cannot_prove_it_are_refused_with_what_is_missing() -> None:
    sketch, exact = world(2, 30)
    with pytest.raises(DataError, match="cannot prove") as e:
        choose(sketch, exact, AT, StageGoal(bits=BITS, max_loss=1e-3))
    assert "identities" in e.value.hint


def test_goals_and_comparisons_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="go together"):
        StageGoal(fmr=1e-3)
    with pytest.raises(ConfigError, match="max_loss"):
        StageGoal(max_loss=0)
    with pytest.raises(ConfigError, match="review_cost"):
        StageGoal(review_cost=-1)
    with pytest.raises(DataError, match="same order"):
        choose(world(0)[0], world(2, 30)[1], AT, StageGoal(bits=BITS))
