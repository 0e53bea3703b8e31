"""The blocked scan finds what a whole matrix shows, and keeps the best partners only."""

import numpy as np
import pytest

from gemel.arrays import unit_rows
from gemel.encode.comparators.cosine import Cosine
from gemel.tasks import pairs
from gemel.tasks.pairs import joined, scan

FLOOR = 0.7


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "BLOCK_ROWS", 7)
    monkeypatch.setattr(pairs, "BLOCK_COLUMNS", 11)
    monkeypatch.setattr(pairs, "SCORED_AT_ONCE", 5)


@pytest.mark.usefixtures("small_blocks")
def test_blocks_find_what_the_whole_matrix_shows() -> None:
    rows = unit_rows(np.random.default_rng(0).normal(size=(90, 3)))
    blocks = [range(0, 40), range(40, 41), range(41, 90)]
    got = joined([scan(rows, Cosine(), block, floor=FLOOR) for block in blocks])
    i, j = np.nonzero(np.triu(rows @ rows.T >= FLOOR, 1))
    assert set(zip(got.left, got.right, strict=True)) == set(zip(i, j, strict=True))
    assert len(got) == len(i) and got.n_full == 0
    assert (got.score == Cosine().score(rows[got.left], rows[got.right])).all()


@pytest.mark.usefixtures("small_blocks")
def test_two_data_sets_are_compared_across_only() -> None:
    rows = unit_rows(np.random.default_rng(1).normal(size=(60, 3)))
    got = scan(rows, Cosine(), range(25), first_right=25, floor=FLOOR)
    i, j = np.nonzero(rows[:25] @ rows[25:].T >= FLOOR)
    assert set(zip(got.left, got.right, strict=True)) == set(zip(i, 25 + j, strict=True))


@pytest.mark.usefixtures("small_blocks")
def test_a_record_keeps_its_best_partners_and_says_that_there_were_more() -> None:
    rows = unit_rows(np.ones((50, 4)) + np.random.default_rng(2).normal(0, 0.1, (50, 4)))
    got = scan(rows, Cosine(), range(50), floor=FLOOR, most=3)
    scores = np.triu(rows @ rows.T, 1)
    for i in range(47):
        mine = got.right[got.left == i]
        assert set(mine) == set(np.argsort(-scores[i, i + 1 :])[:3] + i + 1)
    assert got.n_full == 46


def test_nothing_above_the_floor_is_no_pairs() -> None:
    rows = np.eye(5, dtype=np.float32)
    assert len(scan(rows, Cosine(), range(5), floor=FLOOR)) == 0
    assert len(joined([])) == 0
