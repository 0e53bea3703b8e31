"""Normalised scores: by definition, symmetric, the same alone and in a block, and versioned."""

import json
from pathlib import Path

import numpy as np
import pytest

from gemel.arrays import Float32, unit_rows
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.calibrate.scores.curve_measures import eer
from gemel.calibrate.scores.sweep import sweep
from gemel.encode import comparators
from gemel.encode.comparators import as_norm
from gemel.encode.comparators.as_norm import COHORT, AsNorm, choose, normalised
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import DataError, ReleaseError


@pytest.fixture
def rows() -> Float32:
    return unit_rows(np.random.default_rng(0).normal(size=(60, 8)))


@pytest.fixture
def comparator() -> AsNorm:
    return AsNorm(Cosine(), unit_rows(np.random.default_rng(1).normal(size=(50, 8))), 12)


def test_a_score_is_what_the_formula_says(comparator: AsNorm, rows: Float32) -> None:
    def nearest(row: Float32) -> np.ndarray:
        return np.sort((comparator.cohort @ row).astype(np.float64))[-12:]

    least = np.median([nearest(row).std() for row in comparator.cohort])
    raw = float(rows[0] @ rows[1])
    sides = [(raw - nearest(r).mean()) / max(nearest(r).std(), least) for r in rows[:2]]
    got = comparator.score(rows[:1], rows[1:2])
    assert got.dtype == np.float32
    assert got[0] == pytest.approx(sum(sides) / 2, rel=1e-4)


def test_it_is_symmetric_and_the_same_alone_in_a_block_and_shown_many_times(
    comparator: AsNorm, rows: Float32, monkeypatch: pytest.MonkeyPatch
) -> None:
    square = comparator.matrix(rows, rows)
    np.testing.assert_allclose(square, square.T, atol=1e-4)
    left, right = rows[:20], rows[20:40]
    np.testing.assert_allclose(
        comparator.score(left, right), square[range(20), range(20, 40)], atol=1e-4
    )
    assert np.array_equal(comparator.score(left, right), comparator.score(right, left))
    alone = [comparator.score(rows[i : i + 1], rows[20 + i : 21 + i])[0] for i in range(20)]
    np.testing.assert_allclose(alone, comparator.score(left, right), atol=1e-4)
    query = np.broadcast_to(rows[0], right.shape)
    np.testing.assert_allclose(comparator.score(query, right), square[0, 20:40], atol=1e-4)
    monkeypatch.setattr(as_norm, "CELLS", 100)  # many pieces
    np.testing.assert_allclose(comparator.matrix(rows, rows), square, atol=1e-4)


def test_a_folder_holds_the_cohort_and_nothing_else_is_taken_for_it(
    comparator: AsNorm, rows: Float32, tmp_path: Path
) -> None:
    comparator.save(tmp_path)
    assert json.loads((tmp_path / "comparator.json").read_text())["inner"] == {"kind": "cosine"}
    loaded = comparators.load(tmp_path)
    assert isinstance(loaded, AsNorm)
    assert loaded.cohort_id == comparator.cohort_id
    assert np.array_equal(loaded.matrix(rows, rows), comparator.matrix(rows, rows))
    np.save(tmp_path / COHORT, rows)
    with pytest.raises(ReleaseError, match="another cohort"):
        comparators.load(tmp_path)
    (tmp_path / COHORT).write_bytes(b"")
    with pytest.raises(ReleaseError, match="no readable cohort"):
        comparators.load(tmp_path)


def test_a_cohort_is_one_record_each_of_known_identities() -> None:
    ids = np.repeat(np.arange(-1, 30), 3)
    picked = choose(ids, 20, seed=0)
    assert len(picked) == len(set(ids[picked].tolist())) == 20
    assert (ids[picked] >= 0).all()
    assert np.array_equal(picked, choose(ids, 20, seed=0))
    assert not np.array_equal(picked, choose(ids, 20, seed=1))
    assert len(choose(ids, 500, seed=0)) == 30
    with pytest.raises(DataError, match="at least 10"):
        choose(ids[:15], 20, seed=0)


def test_records_that_look_like_everybody_are_held_to_more() -> None:
    """Where identities differ in how alike they are to all others, one threshold fits better."""
    rng = np.random.default_rng(3)

    def people(n: int, k: int) -> Float32:
        centre = rng.normal(size=(n, 24))
        common = rng.beta(1, 1, size=(n, 1)) * 1.8  # some are near the middle of the crowd
        centre[:, :4] += 2.5 * common
        return unit_rows(np.repeat(centre, k, 0) + 0.7 * rng.normal(size=(n * k, 24)))

    cohort, rows, ids = people(300, 1), people(150, 4), np.repeat(np.arange(150), 4)
    plain = eer(sweep(all_pairs(rows, ids, Cosine())))
    fair = eer(sweep(all_pairs(rows, ids, normalised(Cosine(), cohort))))
    assert fair < 0.9 * plain
