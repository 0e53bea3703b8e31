"""Mixtures of agreement patterns: simulated pairs of which the truth is known."""

import numpy as np
import pytest

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.encode.comparators.blocks import take_apart
from gemel.train.comparators.agreement import N_LEVELS, Patterns, patterns
from gemel.train.comparators.mixture import fit
from gemel.train.comparators.pairs import Candidates

N_RECORDS = 2000
TOP = N_LEVELS - 1


def patterns_of(level: Int64, chance: Float64) -> Patterns:
    return Patterns(level, chance, np.zeros(len(level), np.bool_))


def simulated(
    n_fields: int = 4, missing: float = 0.1, seed: int = 0
) -> tuple[Patterns, Float32, Bool]:
    """600 pairs that belong together and 30,000 that do not, each of these standing for 60."""
    rng = np.random.default_rng(seed)
    genuine = np.arange(30_600) < 600
    same = np.where(genuine[:, None], rng.random((30_600, n_fields)) < 0.85, 0)
    same = same.astype(bool) | (rng.random(same.shape) < 0.02)
    typo = np.where(genuine[:, None], TOP - 2, 0)
    level: Int64 = np.where(same, TOP, np.maximum(typo - rng.integers(0, 2, same.shape), 0))
    level = np.where(rng.random(level.shape) < missing, -1, level).astype(np.int64)
    chance: Float64 = np.full(level.shape, 0.02)
    weight = np.where(genuine, 1.0, 60.0).astype(np.float32)
    return patterns_of(level, chance), weight, genuine


def test_pairs_that_belong_together_are_told_and_counted() -> None:
    seen, weight, genuine = simulated()
    told = fit(seen, weight, N_RECORDS)
    expected = 600 / float(weight.sum())
    assert told.share == pytest.approx(expected, rel=0.1)
    assert told.posterior[genuine].mean() > 0.9
    assert told.posterior[~genuine].mean() < 0.001


def test_a_rare_value_in_common_says_more_than_a_common_one() -> None:
    seen, weight, _ = simulated(n_fields=3, missing=0.0)
    level = np.concatenate([seen.level, [[TOP, TOP, -1]] * 2])
    chance = np.concatenate([seen.chance, [[0.2, 0.2, 0.02], [0.001, 0.001, 0.02]]])
    told = fit(patterns_of(level, chance), np.append(weight, [1, 1]).astype(np.float32), N_RECORDS)
    common, rare = told.posterior[-2:]
    assert rare > 0.9 > 0.1 > common


def test_a_value_that_one_side_lacks_says_nothing() -> None:
    seen, weight, _ = simulated(n_fields=3)
    level = np.concatenate([seen.level, [[-1, -1, -1]]])
    chance = np.concatenate([seen.chance, [[0.02] * 3]])
    told = fit(patterns_of(level, chance), np.append(weight, 1).astype(np.float32), N_RECORDS)
    assert told.posterior[-1] == pytest.approx(told.share, rel=1e-3)


def test_where_no_two_records_agree_hardly_any_are_expected_to_belong_together() -> None:
    rng = np.random.default_rng(3)
    level = rng.integers(0, 2, (5000, 4)).astype(np.int64)
    told = fit(patterns_of(level, np.full(level.shape, 0.001)), np.ones(5000, np.float32), 1000)
    assert told.share * 5000 < 5


def test_values_that_changed_places_are_compared_where_they_went() -> None:
    anna, berg, carl, dorn = np.eye(4, dtype=np.float32)
    first, last = np.stack([anna, berg, carl]), np.stack([berg, anna, dorn])
    rows = np.concatenate([np.full((3, 1), 0.5, np.float32), first, last], 1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    nobody = np.zeros(2, np.float32)
    pairs = Candidates(np.array([0, 0]), np.array([1, 2]), nobody, nobody + 1, np.array([0, 2]))
    share = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    seen = patterns(take_apart(rows, (4, 4)), [[0], [1]], share, pairs, [(0, 1)])
    assert seen.changed.tolist() == [True, False]
    assert seen.level.tolist() == [[TOP, TOP], [0, 0]]
    assert seen.chance[0].tolist() == [0.3, 0.4]


def test_how_often_values_changed_places_is_told() -> None:
    seen, weight, genuine = simulated(n_fields=3, missing=0.0)
    # Of one that agrees in two fields of three it is open whether it belongs together.
    level = np.concatenate([seen.level, [[TOP, TOP, 0]]])
    chance = np.concatenate([seen.chance, [[0.02] * 3]])
    weights = np.append(weight, 1).astype(np.float32)
    told = []
    for often in (0.0, 0.5):
        moved = genuine & (np.random.default_rng(1).random(len(genuine)) < often)
        both = Patterns(level.astype(np.int64), chance, np.append(moved, True))
        told.append(fit(both, weights, N_RECORDS).posterior[-1])
    assert told[0] < 0.1 * told[1]


def mistyped(errors: Int64, n_fields: int = 5) -> tuple[Patterns, Float32, Bool]:
    """Pairs that belong together and differ in so many fields, among 30,000 that do not."""
    rng, n = np.random.default_rng(0), len(errors)
    genuine = np.arange(n + 30_000) < n
    wrong = np.argsort(rng.random((n, n_fields)), axis=1) < errors[:, None]
    chance_hit = rng.random((30_000, n_fields)) < 0.05
    level = np.where(np.concatenate([~wrong, chance_hit]), TOP, 0)
    near = np.concatenate([rng.random((n, n_fields)) < 0.5, np.zeros(chance_hit.shape, bool)])
    level = np.where((level < TOP) & near, TOP - 2, level).astype(np.int64)
    weight = np.where(genuine, 1.0, 60.0).astype(np.float32)
    return patterns_of(level, np.full(level.shape, 0.05)), weight, genuine


def test_where_each_was_mistyped_once_two_fields_that_differ_say_more() -> None:
    seen, weight, genuine = mistyped(np.ones(600, np.int64))
    told = fit(seen, weight, N_RECORDS)
    assert told.posterior[genuine].mean() > 0.9
    assert float(weight[~genuine] @ told.posterior[~genuine]) < 3


def test_where_many_differ_at_once_those_that_do_not_belong_together_stay_apart() -> None:
    often = np.random.default_rng(1).choice([0, 0, 1, 3, 4], 600).astype(np.int64)
    seen, weight, genuine = mistyped(often)
    told = fit(seen, weight, N_RECORDS)
    assert told.posterior[genuine].mean() > 0.85
    assert float(weight[~genuine] @ told.posterior[~genuine]) < 15
