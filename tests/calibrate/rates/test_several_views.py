"""Two views of one thing: counted by hand, bounded by one view, covered by its interval."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gemel.arrays import Float32, Int64, unit_rows
from gemel.calibrate.rates.several_views import two_views
from gemel.encode.comparators.cosine import Cosine


def world(seed: int, n: int, records: int, noise: float = 0.6) -> tuple[Float32, Int64]:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((n, 12))
    rows = np.repeat(centres, records, 0) + noise * rng.standard_normal((n * records, 12))
    return unit_rows(rows.astype(np.float32)), np.repeat(np.arange(n), records)


def by_hand(rows: Float32, ids: Int64, threshold: float) -> tuple[float, float]:
    """FMR and FNMR of all triples: two views of one identity, and another record."""
    match = rows @ rows.T >= threshold
    false, missed = [], []
    for a, b in itertools.combinations(range(len(rows)), 2):
        if ids[a] != ids[b]:
            continue
        for c in set(range(len(rows))) - {a, b}:
            both = match[a, c] and match[b, c]
            (missed if ids[c] == ids[a] else false).append(both)
    return float(np.mean(false)), 1 - float(np.mean(missed))


def test_every_triple_counts_once() -> None:
    rows, ids = world(0, 7, 3)
    rows, ids = rows[:-1], ids[:-1]  # identities of different size
    shuffled = np.random.default_rng(1).permutation(len(ids))
    found = two_views(rows[shuffled], ids[shuffled], Cosine(), 0.4, confidence=0.95)
    assert found is not None and found.fnmr is not None
    fmr, fnmr = by_hand(rows, ids, 0.4)
    assert found.fmr.value == pytest.approx(fmr)
    assert found.fnmr.value == pytest.approx(fnmr)


def test_two_views_never_raise_the_false_match_rate() -> None:
    rows, ids = world(2, 60, 4)
    scores = rows @ rows.T
    for threshold in (0.2, 0.4, 0.6):
        found = two_views(rows, ids, Cosine(), threshold, confidence=0.95)
        assert found is not None
        single = (scores >= threshold)[ids[:, None] != ids[None]].mean()
        assert found.fmr.value < single


def test_the_interval_covers_the_rate_of_other_identities() -> None:
    def fnmr(rows: Float32, ids: Int64, confidence: float = 0.95) -> tuple[float, float, float]:
        found = two_views(rows, ids, Cosine(), 0.45, confidence=confidence)
        assert found is not None and found.fnmr is not None
        return found.fnmr.low, found.fnmr.value, found.fnmr.high

    truth = fnmr(*world(999, 1500, 4))[1]
    inside = [low <= truth <= high for low, _, high in (fnmr(*world(s, 40, 4)) for s in range(100))]
    assert 0.9 <= np.mean(inside) <= 1.0


def test_levels_are_asked_by_record_and_views_need_two_records() -> None:
    rows, ids = world(3, 10, 3)
    seen: set[tuple[int, int]] = set()

    def level(score: Float32, left: Int64, right: Int64) -> Float32:
        np.testing.assert_allclose(score, np.einsum("ij,ij->i", rows[left], rows[right]), atol=1e-6)
        seen.update(zip(left.tolist(), right.tolist(), strict=True))
        return score + np.float32(1)

    plain = two_views(rows, ids, Cosine(), 0.4, confidence=0.95)
    assert two_views(rows, ids, Cosine(), 1.4, confidence=0.95, level=level) == plain
    assert len(seen) == 30 * 30
    assert two_views(rows[::3], ids[::3], Cosine(), 0.4, confidence=0.95) is None
    twins = two_views(rows[:20], np.repeat(np.arange(10), 2), Cosine(), 0.4, confidence=0.9)
    assert twins is not None and twins.fnmr is None
    for ids in ([0, 0, 0, 0], [-1, -1, -1, -1], []):
        few = np.array(ids, np.int64)
        assert two_views(rows[: len(few)], few, Cosine(), 0.4, confidence=0.9) is None
