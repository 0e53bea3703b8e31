from __future__ import annotations

import msgspec
import numpy as np
import pytest
from sklearn.covariance import OAS

from gemel.arrays import unit_rows
from gemel.encode.scatter import Scatter, oas_shrinkage, within
from gemel.errors import DataError, ReleaseError


def rows(n: int = 300, dim: int = 20, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return unit_rows(rng.standard_normal((n, dim)) * np.linspace(0.2, 3, dim) + 1)


@pytest.mark.parametrize("n", [8, 40, 400])
def test_the_shrinkage_is_that_of_scikit_learn(n: int) -> None:
    x = rows(n).astype(np.float64)
    ours = oas_shrinkage(np.cov(x, rowvar=False, bias=True), n)
    assert ours == pytest.approx(OAS().fit(x).shrinkage_, rel=1e-9)


def test_few_dimensions_give_the_mahalanobis_distance_of_scikit_learn() -> None:
    x = rows(dim=10).astype(np.float64)
    spread = Scatter.of(x, n_free=len(x))  # differences from zero
    theirs = OAS(assume_centered=True).fit(x).mahalanobis(x)
    np.testing.assert_allclose(spread.distance(x.astype(np.float32)) ** 2, theirs, rtol=1e-3)


def test_more_dimensions_than_are_stored_keep_the_main_directions() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((4000, 80)) * np.r_[np.full(5, 10.0), np.full(75, 1.0)]
    spread = Scatter.of(x)
    along, across = np.zeros((1, 80), np.float32), np.zeros((1, 80), np.float32)
    along[0, 0] = across[0, 70] = 10
    centre = spread.whitened(np.zeros((1, 80), np.float32))
    far = [float(np.linalg.norm(spread.whitened(x) - centre)) for x in (along, across)]
    assert far == [pytest.approx(1, rel=0.1), pytest.approx(10, rel=0.1)]


def test_the_spread_within_classes_does_not_see_where_the_classes_are() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(200), 5)
    noise = rng.standard_normal((1000, 6)) * np.array([0.1, 0.1, 0.1, 1, 1, 1])
    near = within((noise + 0.0).astype(np.float32), labels)
    apart = (noise + rng.standard_normal((200, 6))[labels] * 50).astype(np.float32)
    far = within(apart, labels)
    probe = rows(5, 6)
    np.testing.assert_allclose(near.distance(probe), far.distance(probe), rtol=2e-3)


def test_what_is_written_reads_back_and_what_does_not_fit_is_refused() -> None:
    spread = Scatter.of(rows())
    again = msgspec.json.decode(msgspec.json.encode(spread), type=Scatter)
    assert again == spread
    with pytest.raises(ReleaseError, match="do not fit"):
        msgspec.structs.replace(spread, centre=b"1234").__post_init__()


def test_too_little_to_have_a_spread_is_refused_and_no_spread_is_no_crash() -> None:
    with pytest.raises(DataError, match="no class has two"):
        within(rows(3), np.arange(3))
    with pytest.raises(DataError, match="two rows"):
        Scatter.of(rows(1))
    same = np.repeat(rows(1), 4, axis=0)
    assert np.isfinite(within(same, np.zeros(4, np.int64)).distance(rows(5))).all()
