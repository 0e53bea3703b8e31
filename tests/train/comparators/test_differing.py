"""How many fields differ at once, beside independent ones."""

from itertools import product

import numpy as np
import pytest

from gemel.arrays import Bool, Float64
from gemel.train.comparators.differing import MOST, PSEUDO, Differing

DIFFERS = np.array([0.1, 0.2, 0.3, 0.4])


def independent(n_pairs: float) -> tuple[Bool, Bool, Float64]:
    """Every way in which four fields are there and differ, as often as by chance."""
    ways = [*product([0, 1, 2], repeat=4)]
    there = np.array([[field < 2 for field in way] for way in ways])
    same = np.array([[field == 0 for field in way] for way in ways])
    each = np.stack([0.8 * (1 - DIFFERS), 0.8 * DIFFERS, np.full(4, 0.2)])
    return there, same, n_pairs * np.array([np.prod(each[way, range(4)]) for way in ways])


def test_fields_that_differ_independently_say_nothing_more() -> None:
    there, same, weight = independent(1000)
    ratio = Differing.among(there, same).log_ratio(weight, DIFFERS)
    assert np.abs(ratio).max() < 1e-9


def test_a_second_one_is_rarer_where_each_differs_in_one() -> None:
    there = np.ones((400, 4), np.bool_)
    same = np.tile(~np.eye(4, dtype=np.bool_), (100, 1))
    same[0, :2] = False
    ratio = Differing.among(there, same).log_ratio(np.ones(400), np.full(4, 0.25))
    # Of 400 pairs 168.75 would differ in one field and 84.375 in two; 399 and 1 do.
    found = (399 + PSEUDO) / (168.75 + PSEUDO) / (1 + PSEUDO) * (84.375 + PSEUDO)
    assert np.exp(ratio[1] - ratio[0]) == pytest.approx(found)


def test_a_pair_without_values_is_told_nothing() -> None:
    there, same = np.ones((401, 4), np.bool_), np.tile(~np.eye(4, dtype=np.bool_), (101, 1))
    there[-1] = False
    ratio = Differing.among(there, same[:401]).log_ratio(np.ones(401), np.full(4, 0.25))
    assert ratio[-1] == pytest.approx(0)
    assert ratio[0] > 0.5


def test_many_that_differ_are_never_likelier_than_by_chance() -> None:
    there = np.ones((100, 3), np.bool_)
    same = np.zeros((100, 3), np.bool_)
    same[:50] = True
    ratio = Differing.among(there, same).log_ratio(np.ones(100), np.full(3, 0.5))
    # Half differ in all and half in none, where an eighth would: only the latter is believed.
    assert ratio[0] > np.log(2)
    assert ratio[-1] == 0


def test_of_two_fields_nothing_is_told() -> None:
    there = np.ones((100, 2), np.bool_)
    seen = Differing.among(there, np.tile([True, False], (100, 1)))
    assert not seen.log_ratio(np.ones(100), np.full(2, 0.25)).any()


def test_so_many_fields_count_as_if_they_were_all_more() -> None:
    there = np.ones((30, 30), np.bool_)
    seen = Differing.among(there, np.triu(there))
    assert seen.count.tolist() == [min(k, MOST) for k in range(30)]
    ratio = seen.log_ratio(np.zeros(30), np.full(30, 0.5))
    assert np.abs(ratio).max() < 1e-9
