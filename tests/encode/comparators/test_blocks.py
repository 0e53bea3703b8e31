"""The comparator of block embeddings: one score for a pair, however it is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gemel.arrays import Float32, unit_rows
from gemel.encode import comparators
from gemel.encode.comparators.blocks import Blocks, take_apart
from gemel.errors import ReleaseError

WIDTHS = (6, 6, 4)
SWAPS = ((0, 1),)


@pytest.fixture
def rows() -> Float32:
    rng = np.random.default_rng(0)
    free = rng.normal(size=(40, 1 + sum(WIDTHS)))
    free[:, 0] = 0.5
    # Missing blocks on some rows.
    free[:10, 1:7] = 0
    free[5:20, 13:] = 0
    return unit_rows(free)


@pytest.fixture
def comparator() -> Blocks:
    rng = np.random.default_rng(1)
    n = len(WIDTHS) + len(SWAPS) + 1 + 2 * len(WIDTHS)
    sizes = [(n, 8), (8, 1)]
    weights = tuple(
        (rng.normal(size=s).astype(np.float32), rng.normal(size=s[1]).astype(np.float32))
        for s in sizes
    )
    return Blocks(WIDTHS, SWAPS, weights)


def test_score_and_matrix_agree(comparator: Blocks, rows: Float32) -> None:
    left, right = rows[:15], rows[15:30]
    square = comparator.matrix(left, right)
    np.testing.assert_allclose(comparator.score(left, right), np.diag(square), atol=1e-5)


def test_sides_may_be_exchanged(comparator: Blocks, rows: Float32) -> None:
    square = comparator.matrix(rows, rows)
    np.testing.assert_allclose(square, square.T, atol=1e-5)


def test_pieces_do_not_matter(
    comparator: Blocks, rows: Float32, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = comparator.matrix(rows, rows)
    monkeypatch.setattr("gemel.encode.comparators.blocks.PIECE", 50)
    np.testing.assert_allclose(comparator.matrix(rows, rows), whole, atol=1e-5)


def test_lengths_survive_scaling(rows: Float32) -> None:
    rng = np.random.default_rng(2)
    free = rng.normal(size=(5, 1 + sum(WIDTHS))).astype(np.float32)
    free[:, 0] = 0.5
    side = take_apart(unit_rows(free), WIDTHS)
    expected = np.linalg.norm(free[:, 1:7], axis=1) / 0.5
    np.testing.assert_allclose(side.mass[:, 0], expected, rtol=1e-5)


def test_a_missing_block_has_no_direction(rows: Float32) -> None:
    side = take_apart(rows, WIDTHS)
    assert not side.mass[:10, 0].any()
    assert not side.unit[0][:10].any()


def test_it_is_read_back_as_it_was(comparator: Blocks, rows: Float32, tmp_path: Path) -> None:
    comparator.save(tmp_path)
    again = comparators.load(tmp_path)
    assert (again.matrix(rows, rows) == comparator.matrix(rows, rows)).all()


def test_lost_weights_are_named(comparator: Blocks, tmp_path: Path) -> None:
    comparator.save(tmp_path)
    (tmp_path / "comparator.safetensors").write_bytes(b"not weights")
    with pytest.raises(ReleaseError, match="comparator weights") as caught:
        comparators.load(tmp_path)
    assert caught.value.where.endswith("comparator.safetensors")


def test_weights_for_other_evidence_are_refused(comparator: Blocks, tmp_path: Path) -> None:
    (matrix, bias), last = comparator.weights
    Blocks(WIDTHS, SWAPS, ((matrix[:-1], bias), last)).save(tmp_path)
    with pytest.raises(ReleaseError, match="inputs instead of"):
        comparators.load(tmp_path)
