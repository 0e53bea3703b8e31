"""Batches of few identities become batches of many made-up ones; others are left alone."""

from __future__ import annotations

import numpy as np

from gemel.train.views.cut_and_mix import Splice


def batch(n_identities: int, k: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Images of one value each: the identity and a fraction that names the record."""
    labels = np.repeat(np.arange(n_identities), k)
    values = labels + np.arange(len(labels)) / 1000
    image = np.broadcast_to(values[:, None, None, None], (len(labels), 1, 16, 16))
    return {"image": image.astype(np.float32)}, labels + 7


def test_few_identities_become_many_of_k_images_each() -> None:
    arrays, labels = batch(3, 40)
    mixed, new = Splice(k=8)(arrays, labels, np.random.default_rng(0))
    assert mixed["image"].shape == arrays["image"].shape
    assert mixed["image"].dtype == np.float32
    assert np.bincount(new).tolist() == [8] * 15


def test_images_of_one_new_identity_share_its_two_sources_and_its_cut() -> None:
    arrays, labels = batch(3, 40)
    mixed, new = Splice(k=8)(arrays, labels, np.random.default_rng(1))
    seen = set()
    for identity in np.unique(new):
        sources = np.floor(mixed["image"][new == identity])
        assert (sources == sources[:1]).all()
        seen.add(tuple(np.unique(sources)))
        records = mixed["image"][new == identity].reshape(8, -1)
        assert len(np.unique(records, axis=0)) > 1
    assert {len(s) for s in seen} == {1, 2}


def test_batches_of_many_identities_and_tiny_batches_stay() -> None:
    for n, k in ((12, 8), (2, 4)):
        arrays, labels = batch(n, k)
        same, still = Splice()(arrays, labels, np.random.default_rng(0))
        assert same is arrays
        assert still is labels


def test_same_seed_same_batch() -> None:
    arrays, labels = batch(3, 40)
    one, two = (Splice()(arrays, labels, np.random.default_rng(5))[0]["image"] for _ in range(2))
    assert np.array_equal(one, two)
