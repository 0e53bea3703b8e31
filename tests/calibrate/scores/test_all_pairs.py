"""All comparisons of a split: each once, the right label, bounded in number."""

import numpy as np
import pytest

from gemel.arrays import unit_rows
from gemel.calibrate.scores import all_pairs as comparisons
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.data.pairing import Pairing
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import DataError


@pytest.fixture
def split() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return unit_rows(rng.normal(size=(90, 8))), rng.integers(-1, 30, 90)


def test_every_pair_once_with_its_score(
    split: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, ids = split
    monkeypatch.setattr(comparisons, "CELLS", 256)  # many blocks
    s = all_pairs(x, ids, Cosine())
    wanted = sorted(
        (*sorted((ids[i], ids[j])), float(x[i] @ x[j]))
        for i in range(90)
        for j in range(i)
        if ids[i] >= 0 and ids[j] >= 0
    )
    got = sorted(
        (*sorted((a, b)), float(v)) for v, a, b in zip(s.score, s.left, s.right, strict=True)
    )
    assert len(got) == len(wanted)
    assert np.allclose(np.array(got), np.array(wanted), atol=1e-6)
    assert s.genuine.tolist() == (s.left == s.right).tolist()
    assert "unknown identity" in s.note


@pytest.mark.parametrize("limit", [300, 1000, 2000])
def test_above_the_limit_whole_records_go_and_the_prior_stays(
    split: tuple[np.ndarray, np.ndarray], limit: int
) -> None:
    x, ids = split
    full, part = all_pairs(x, ids, Cosine()), all_pairs(x, ids, Cosine(), max_comparisons=limit)
    assert len(part) <= limit < len(full)
    assert part.prior == pytest.approx(full.n_genuine / len(full))
    assert "drawn with seed 0" in part.note
    again = all_pairs(x, ids, Cosine(), max_comparisons=limit)
    assert np.array_equal(part.score, again.score)
    n_drawn = np.count_nonzero(part.impostor_by_identity)
    pairs = set(zip(part.left.tolist(), part.right.tolist(), strict=True))
    of_two = {frozenset(pair) for pair in pairs if len(set(pair)) == 2}
    assert len(of_two) == n_drawn * (n_drawn - 1) // 2  # all that were drawn meet all others


def test_large_identities_are_thinned_before_any_is_left_out() -> None:
    rng = np.random.default_rng(1)
    ids = np.repeat(np.arange(20), 30)
    s = all_pairs(unit_rows(rng.normal(size=(600, 4))), ids, Cosine(), max_comparisons=20_000)
    assert np.count_nonzero(s.impostor_by_identity) == 20
    assert np.count_nonzero(s.genuine_by_identity) == 20


def test_records_without_identity_are_not_enough() -> None:
    with pytest.raises(DataError, match="fewer than two"):
        all_pairs(unit_rows(np.ones((3, 2))), np.array([-1, 0, -1]), Cosine())
    with pytest.raises(DataError, match="do not fit"):
        all_pairs(unit_rows(np.ones((3, 2))), np.array([0, 0]), Cosine())


def test_two_that_chains_join_may_be_said_to_differ() -> None:
    x = unit_rows(np.random.default_rng(0).normal(size=(5, 8)))
    ids = np.array([0, 0, 0, 1, 2])
    given = np.array([[0, 1], [1, 2], [0, 2], [3, 4]])
    pairing = Pairing(given=given, same=np.array([True, True, False, False]))
    s = all_pairs(x, ids, Cosine(), pairing=pairing)
    assert s.genuine.tolist() == [True, True, False]
    assert s.left.tolist() == [0, 0, 1] and s.right.tolist() == [0, 0, 2]
    assert s.note == "the 3 given pairs and no others, without 1 said to differ that others join"
