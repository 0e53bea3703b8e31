"""Pairs that agree without belonging together: simulated households, and people who moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gemel.arrays import Bool, Float32
from gemel.train.comparators import kin, mixture
from gemel.train.comparators.agreement import N_LEVELS, Patterns

N_RECORDS = 2000
TOP = N_LEVELS - 1
NAMES = ("given name", "birthday", "surname", "street", "town")
PERSON = np.array([True, True, False, False, False])
ADDRESS = np.array([False, False, False, True, True])


def drawn(
    n_same: int, n_moved: int = 0, n_kin: int = 0, seed: int = 0, chance: float = 0.02
) -> tuple[Patterns, Float32, Bool, Bool]:
    """Pairs of one person, of these who moved and did not, of one household, and of strangers.

    Returns:
        Patterns, how many pairs each stands for, which belong together, and which are kin.
    """
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(4), (n_same, n_moved, n_kin, 30_000))
    share = np.ones((4, 5)) * [[True], [True], [True], [False]]
    share[1, ADDRESS], share[2, PERSON] = False, False
    agrees = share[of] > 0
    typed = rng.choice([TOP, TOP - 1, TOP - 2], agrees.shape, p=[0.9, 0.07, 0.03])
    stranger = np.where(rng.random(agrees.shape) < chance, TOP, rng.integers(0, 2, agrees.shape))
    level = np.where(agrees, typed, stranger).astype(np.int64)
    seen = Patterns(level, np.full(level.shape, chance), np.zeros(len(of), np.bool_))
    weight = np.where(of < 3, 1.0, 60.0).astype(np.float32)
    return seen, weight, of < 2, of == 2


def test_a_household_is_told_from_one_person_and_named() -> None:
    seen, weight, genuine, related = drawn(n_same=100, n_kin=600)
    two = mixture.fit(seen, weight, N_RECORDS)
    assert two.posterior[related].mean() > 0.9  # what two kinds of pairs make of them
    found = kin.part(seen, weight, N_RECORDS, two)
    assert found is not None and found.is_believed
    assert found.posterior[genuine].mean() > 0.95
    assert found.posterior[related].mean() < 0.02
    assert found.unlike.tolist() == PERSON.tolist()
    assert found.kin * float(weight.sum()) == pytest.approx(600, rel=0.35)
    said = found.note(NAMES, round(float(weight.sum())))
    assert "no better than strangers in: given name, birthday; taken for different" in said


def test_who_moved_is_found_beside_a_crowd_of_households_too() -> None:
    seen, weight, genuine, related = drawn(100, n_moved=40, n_kin=1500, chance=0.004)
    moved = np.flatnonzero(genuine)[100:]
    two = mixture.fit(seen, weight, N_RECORDS)
    assert two.posterior[moved].mean() < 0.5  # they have nothing of what the crowd shares
    found = kin.part(seen, weight, N_RECORDS, two)
    assert found is not None and found.is_believed
    assert found.posterior[moved].mean() > 0.9 and found.posterior[related].mean() < 0.02
    assert float((weight * found.posterior).sum()) == pytest.approx(140, rel=0.1)


def test_households_that_are_the_fewer_are_told_by_a_day() -> None:
    seen, weight, genuine, related = drawn(n_same=400, n_kin=600)
    two = mixture.fit(seen, weight, N_RECORDS)
    without = kin.part(seen, weight, N_RECORDS, two)
    assert without is not None and not without.is_believed  # as people who moved would look
    days = np.array(NAMES) == "birthday"
    found = kin.part(seen, weight, N_RECORDS, two, days)
    assert found is not None and found.is_believed
    assert found.posterior[genuine].mean() > 0.95 and found.posterior[related].mean() < 0.02
    moved, weight, _, _ = drawn(n_same=400, n_moved=200)
    found = kin.part(moved, weight, N_RECORDS, mixture.fit(moved, weight, N_RECORDS), days)
    assert found is not None and not found.is_believed


def test_a_field_that_tells_nothing_of_anybody_changes_nothing() -> None:
    seen, weight, genuine, related = drawn(n_same=100, n_kin=600)
    rng = np.random.default_rng(1)
    level = np.append(seen.level, rng.integers(0, 2, (len(seen.level), 8)), axis=1)
    chance = np.full(level.shape, 0.02)
    more = Patterns(level, chance, seen.changed)
    found = kin.part(more, weight, N_RECORDS, mixture.fit(more, weight, N_RECORDS))
    assert found is not None and found.is_believed
    assert found.unlike.tolist() == [*PERSON.tolist(), *[False] * 8]
    assert found.posterior[genuine].mean() > 0.95 and found.posterior[related].mean() < 0.02


@pytest.mark.parametrize(("chance", "n_mistyped"), [(0.02, 0), (0.3, 0), (0.3, 720), (0.5, 360)])
def test_no_kin_are_made_of_who_agrees_by_chance_in_a_balance(
    chance: float, n_mistyped: int
) -> None:
    seen, weight, genuine, _ = drawn(n_same=1200)
    rng = np.random.default_rng(50)
    hit = rng.random((n_mistyped, 5)) < 0.3
    mistyped = rng.integers(1, TOP, hit.shape)
    seen.level[:n_mistyped] = np.where(hit, mistyped, seen.level[:n_mistyped])
    balance = np.where(rng.random(len(weight)) < chance, TOP, rng.integers(0, 2, len(weight)))
    level = np.append(seen.level, balance[:, None], axis=1)
    by_chance = np.append(seen.chance, np.full((len(weight), 1), chance), axis=1)
    more = Patterns(level, by_chance, seen.changed)
    two = mixture.fit(more, weight, N_RECORDS)
    assert two.posterior[genuine].mean() > 0.9
    assert kin.part(more, weight, N_RECORDS, two) is None


@pytest.mark.filterwarnings("error")
def test_where_nobody_is_a_stranger_kin_are_told_all_the_same() -> None:
    seen, weight, genuine, related = drawn(n_same=100, n_kin=600)
    some = genuine | related
    few = Patterns(*(part[some] for part in (seen.level, seen.chance, seen.changed)))
    taken = replace(mixture.fit(seen, weight, N_RECORDS), posterior=np.ones(int(some.sum())))
    found = kin.part(few, weight[some], 40, taken)
    assert found is not None and np.isfinite(found.posterior).all()
    assert found.posterior[genuine[some]].mean() > 0.95


def test_people_who_moved_stay_who_they_are_and_are_named() -> None:
    seen, weight, _, _ = drawn(n_same=400, n_moved=200)
    found = kin.part(seen, weight, N_RECORDS, mixture.fit(seen, weight, N_RECORDS))
    assert found is not None and not found.is_believed
    assert found.unlike.tolist() == ADDRESS.tolist()
    said = found.note(NAMES, round(float(weight.sum())))
    assert "no better than strangers in: street, town; taken for the same" in said


def test_where_there_are_none_none_are_found() -> None:
    seen, weight, _, _ = drawn(n_same=600)
    assert kin.part(seen, weight, N_RECORDS, mixture.fit(seen, weight, N_RECORDS)) is None


def test_where_nothing_agrees_there_is_nothing_to_part() -> None:
    seen, weight, genuine, _ = drawn(n_same=100)
    apart = Patterns(*(part[~genuine] for part in (seen.level, seen.chance, seen.changed)))
    apart.level[:] = np.where(apart.level == TOP, 0, apart.level)
    two = mixture.fit(apart, weight[~genuine], N_RECORDS)
    assert two.posterior.max() < kin.CANDIDATE
    assert kin.part(apart, weight[~genuine], N_RECORDS, two) is None


def test_of_two_fields_it_cannot_be_told() -> None:
    seen, weight, _, _ = drawn(n_same=100, n_kin=600)
    two = Patterns(seen.level[:, 1:3], seen.chance[:, 1:3], seen.changed)
    assert kin.part(two, weight, N_RECORDS, mixture.fit(two, weight, N_RECORDS)) is None
