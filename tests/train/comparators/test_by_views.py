"""What views and crowding tell of records without labels."""

from __future__ import annotations

import numpy as np

from gemel.calibrate.goals import estimated
from gemel.calibrate.goals.target import Target
from gemel.train.comparators import by_views

N, COPIES = 400, 40


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_views_that_differ_more_than_copies_do_not_make_matches_of_others() -> None:
    """Training varies a picture more than people do who save it once more."""
    rng = np.random.default_rng(0)
    one = _unit(rng.normal(size=(N, 8)))
    records = np.concatenate([one, _unit(one[:COPIES] + 0.01 * rng.normal(size=(COPIES, 8)))])
    one_view, other = (_unit(records + 0.3 * rng.normal(size=records.shape)) for _ in range(2))
    _, told = by_views.told(records, (one_view, other)).fitted()
    threshold = estimated.choose(estimated.sweep_of(told), Target(kind="f1")).threshold
    left, right = np.triu_indices(len(records), 1)
    found = np.einsum("nd,nd->n", records[left], records[right]) >= threshold
    same = right - left == N
    assert found[same].all()
    assert same[found].mean() > 0.75
