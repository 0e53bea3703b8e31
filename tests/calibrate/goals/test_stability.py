"""The interval of a threshold covers where other identities put it; regret is counted on eval."""

from collections.abc import Callable

import numpy as np
import pytest

from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.stability import stability
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.calibrate.scores.scores import Scores, labelled
from gemel.calibrate.scores.sweep import Sweep, sweep

World = Callable[..., Scores]

GOALS = [
    Target(kind="cost", prior=0.02, false_match_cost=5.0),
    Target(kind="fmr", value=1e-2),
    Target(kind="recall", value=0.7),
]


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.kind)
def test_the_interval_covers_the_threshold_of_other_identities(world: World, goal: Target) -> None:
    rng = np.random.default_rng(4)
    worlds = [world(rng, 80, 4) for _ in range(20)]
    points = [choose(scores, goal) for scores in worlds]
    large = world(rng, 400, 4)
    curve, best = sweep(large), choose(large, GOALS[0]).threshold
    covered = 0
    for scores, point in zip(worlds, points, strict=True):
        found = stability(scores, scores, goal, point)
        assert found.low <= point.threshold <= found.high
        wanted = best if goal.value is None else on_many(curve, goal, point)
        covered += found.low <= wanted <= found.high
    assert covered >= 0.8 * len(worlds)


def on_many(curve: Sweep, goal: Target, point: OperatingPoint) -> float:
    """The threshold among many identities that has the rate which a proof observed."""
    if goal.kind == "fmr":
        return curve.between(int(np.searchsorted(curve.fmr(), point.fmr.value, side="right")) - 1)
    return curve.between(int(np.argmax(curve.fnmr() <= point.fnmr.value)))


def test_regret_is_what_the_best_threshold_on_eval_would_have_spared(world: World) -> None:
    rng = np.random.default_rng(5)
    dev, eval = world(rng, 60, 4), world(rng, 60, 4)
    goal = GOALS[0]
    point = choose(dev, goal)
    found = stability(dev, eval, goal, point)

    def cost(threshold: float) -> float:
        match = eval.score >= threshold
        fnmr = np.mean(~match[eval.genuine])
        return 0.02 * fnmr + 0.98 * 5 * np.mean(match[~eval.genuine])

    best = min(cost(t) for t in np.unique(eval.score[eval.genuine]))
    assert found.regret == pytest.approx(cost(point.threshold) - best, abs=1e-9)
    assert found.regret is not None and found.regret >= 0
    assert stability(dev, eval, GOALS[1], choose(dev, GOALS[1])).regret is None


def test_separate_classes_keep_the_threshold_in_the_gap() -> None:
    rng = np.random.default_rng(6)
    score = np.concatenate([rng.uniform(0.8, 1, 60), rng.uniform(0, 0.4, 600)])
    scores = labelled(score, np.arange(660) < 60)
    for kind in ("f1", "eer", "cost"):
        goal = Target(kind=kind)
        found = stability(scores, scores, goal, choose(scores, goal))
        assert 0.35 < found.low <= found.high < 0.95
        assert found.regret in (0.0, None)
