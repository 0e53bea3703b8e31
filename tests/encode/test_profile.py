"""A profile says what embeddings look like, and whether they have collapsed."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from gemel.arrays import Float32, unit_rows
from gemel.encode.profile import Profile
from gemel.errors import DataError


def random_rows(n: int = 300, d: int = 16, seed: int = 0) -> Float32:
    return unit_rows(np.random.default_rng(seed).normal(size=(n, d)))


def test_mean_similarity_is_that_of_all_pairs() -> None:
    x = random_rows(50)
    pairs = (x @ x.T)[np.triu_indices(50, 1)]
    assert Profile.of(x).mean_similarity == pytest.approx(pairs.mean(), abs=1e-6)


def test_spectrum_is_that_of_the_covariance() -> None:
    x = random_rows()
    share = np.linalg.eigvalsh(np.cov(x.T.astype(np.float64)))
    share /= share.sum()
    got = Profile.of(x)
    assert got.effective_rank == pytest.approx(np.exp(-(share * np.log(share)).sum()))
    assert got.pc1_share == pytest.approx(share.max())
    assert got.std_mean == pytest.approx(x.std(axis=0).mean(), rel=1e-5)
    assert got.std_min == pytest.approx(x.std(axis=0).min(), rel=1e-5)


def test_fewer_embeddings_than_dimensions_have_the_same_spectrum() -> None:
    x = random_rows(10, 64)
    wide = np.concatenate([x, np.zeros((10, 3), np.float32)], axis=1)
    assert Profile.of(x).effective_rank == pytest.approx(Profile.of(wide).effective_rank)
    assert Profile.of(x).effective_rank < 9.01


def test_healthy_embeddings_have_not_collapsed() -> None:
    assert Profile.of(random_rows()).collapsed() is None


def test_one_point_is_a_collapse() -> None:
    x = unit_rows(np.ones((100, 8)) + 0.01 * random_rows(100, 8))
    assert "nearly the same" in str(Profile.of(x).collapsed())
    assert "nearly the same" in str(Profile.of(np.repeat(x[:1], 9, axis=0)).collapsed())


def test_one_line_is_a_collapse_unless_there_are_few_identities() -> None:
    x = np.zeros((100, 8))
    x[:, 0] = np.resize([1, -1], 100)
    profile = Profile.of(unit_rows(x + 0.01 * random_rows(100, 8)))
    assert "one direction" in str(profile.collapsed())
    assert "one direction" in str(profile.collapsed(n_identities=50))
    assert profile.collapsed(n_identities=2) is None


def test_a_profile_survives_json() -> None:
    profile = Profile.of(random_rows())
    assert msgspec.json.decode(msgspec.json.encode(profile), type=Profile) == profile


@pytest.mark.parametrize("rows", [np.ones((1, 4)), np.full((3, 4), np.nan)])
def test_what_has_no_profile_is_refused(rows: Float32) -> None:
    with pytest.raises(DataError):
        Profile.of(rows.astype(np.float32))
