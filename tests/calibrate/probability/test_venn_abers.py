"""Venn-Abers intervals: by definition, bounded in size, and right about what they promise."""

import itertools
import timeit

import msgspec
import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from gemel.calibrate.probability import venn_abers
from gemel.calibrate.probability.venn_abers import MAX_STEPS
from gemel.calibrate.scores.scores import Scores, labelled
from gemel.decide.venn_abers import VennAbers
from gemel.errors import ConfigError


def refit(scores: Scores, score: float, label: bool) -> float:
    """The isotonic fit with one comparison more, at its score; equal scores are one."""
    values = np.append(scores.score.astype(np.float64), score)
    labels = np.append(scores.genuine, label).astype(float)
    distinct, place = np.unique(values, return_inverse=True)
    n = np.bincount(place)
    fitted = isotonic_regression(np.bincount(place, labels) / n, weights=n).x
    return float(fitted[np.searchsorted(distinct, score)])


def test_an_interval_is_two_isotonic_fits_with_the_pair_added(toy: Scores) -> None:
    found = venn_abers.fit(toy)
    for score in [-9, *toy.score.tolist(), 0.3, 1.2, 1.75, 9]:
        got = found.interval(score, found.share)
        assert got == pytest.approx((refit(toy, score, False), refit(toy, score, True)))


def many(rng: np.random.Generator, n: int) -> Scores:
    genuine = rng.random(n) < 0.1
    return labelled(rng.normal(size=n) + 2 * genuine, genuine)


def test_many_scores_make_few_steps_that_hold_the_truth() -> None:
    scores = many(np.random.default_rng(0), 200_000)
    found = venn_abers.fit(scores)
    assert 20 < len(found.low) <= MAX_STEPS
    assert len(msgspec.json.encode(found)) < 50_000
    for score in np.linspace(-1, 4, 30).tolist():
        low, high = found.interval(score, found.share)
        assert low - 0.02 <= refit(scores, score, False)
        assert high + 0.02 >= refit(scores, score, True)
        assert high - low < 0.1
        true = 1 / (1 + np.exp(-(2 * score - 2 + np.log(0.1 / 0.9))))
        assert low - 0.05 <= true <= high + 0.05


def test_the_interval_narrows_with_more_comparisons_and_moves_with_the_prior() -> None:
    grid = np.linspace(-4, 6, 300).tolist()
    found = [venn_abers.fit(many(np.random.default_rng(1), n)) for n in (100, 10_000)]
    few, more = ([f.interval(s, 0.1) for s in grid] for f in found)
    assert max(b - a for a, b in few) > 3 * max(b - a for a, b in more) > 0
    for steps in (few, more):
        assert all(
            a[0] <= b[0] + 1e-12 and a[1] <= b[1] + 1e-12 for a, b in itertools.pairwise(steps)
        )
    common, rare = found[1].interval(2.0, 0.5), found[1].interval(2.0, 0.001)
    assert rare[1] < common[0]


def test_one_of_the_two_probabilities_is_calibrated() -> None:
    """Mean of the lower, then of the upper, probability enclose the share of matches."""
    rng = np.random.default_rng(2)
    found = venn_abers.fit(many(rng, 500))
    fresh = many(rng, 20_000)
    both = np.array([found.interval(s, found.share) for s in fresh.score.tolist()])
    low, high = both.mean(0)
    assert low - 0.02 <= fresh.genuine.mean() <= high + 0.02


def test_a_lookup_costs_microseconds() -> None:
    found = venn_abers.fit(many(np.random.default_rng(0), 20_000))
    took = min(timeit.repeat(lambda: found.interval(1.0, 0.01), number=2000, repeat=5))
    assert took / 2000 < 20e-6  # about 1 us on a quiet core


@pytest.mark.parametrize(
    "parts",
    [
        ((0.0,), (0.0,), (1.0,), 0.5),
        ((0.0,), (0.5, 0.5), (0.4, 1.0), 0.5),
        ((), (0.0,), (1.0,), 1.0),
    ],
)
def test_steps_that_contradict_each_other_are_refused(parts: tuple) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigError):
        VennAbers(*parts)
