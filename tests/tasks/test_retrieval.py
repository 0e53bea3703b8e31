"""Search quality equals the definition, counts ties against the encoder and refuses nonsense."""

import numpy as np
import pytest

from gemel.arrays import unit_rows
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import DataError
from gemel.tasks import retrieval
from gemel.tasks.retrieval import retrieve


def test_equals_the_definition_query_by_query(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, ids = unit_rows(rng.normal(size=(80, 5))), rng.integers(-1, 20, 80)
    first, average = [], []
    for q in range(80):
        others = [i for i in np.argsort(-(x @ x[q])) if i != q]
        right = [ids[i] == ids[q] for i in others]
        n_mates = sum(right)
        if ids[q] < 0 or n_mates == 0:
            continue
        first.append(right.index(True) + 1)
        hits = [sum(right[: i + 1]) / (i + 1) for i in range(n_mates) if right[i]]
        average.append(sum(hits) / n_mates)
    monkeypatch.setattr(retrieval, "CELLS", 200)  # many blocks
    got = retrieve(x, ids, Cosine(), k=(1, 3))
    assert got.n_queries == len(first)
    assert got.n_records == 80
    assert got.map_at_r == pytest.approx(np.mean(average))
    assert got.mrr == pytest.approx(np.mean(1 / np.array(first)))
    assert got.recall_at_k[1] == np.mean(np.array(first) == 1)
    assert got.recall_at_k[3] == np.mean(np.array(first) <= 3)


def test_perfect_and_collapsed_encoders() -> None:
    ids = np.repeat(np.arange(10), 3)
    perfect = retrieve(np.eye(10, dtype=np.float32)[ids], ids, Cosine())
    assert (perfect.map_at_r, perfect.recall_at_k[1], perfect.mrr) == (1.0, 1.0, 1.0)
    collapsed = retrieve(unit_rows(np.ones((30, 4))), ids, Cosine(), k=(1, 27, 28))
    assert (collapsed.map_at_r, collapsed.recall_at_k[1]) == (0.0, 0.0)
    assert (collapsed.recall_at_k[27], collapsed.recall_at_k[28]) == (0.0, 1.0)


def test_the_order_of_records_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    x, ids = unit_rows(rng.normal(size=(60, 4))), rng.integers(0, 15, 60)
    order = rng.permutation(60)
    one, other = retrieve(x, ids, Cosine()), retrieve(x[order], ids[order], Cosine())
    assert other.recall_at_k == one.recall_at_k
    assert other.map_at_r == pytest.approx(one.map_at_r)


def test_nothing_to_find_is_refused() -> None:
    with pytest.raises(DataError, match="no identity has two records"):
        retrieve(unit_rows(np.eye(3)), np.array([0, 1, -1]), Cosine())
    with pytest.raises(DataError, match="do not fit"):
        retrieve(unit_rows(np.eye(3)), np.array([0, 1]), Cosine())
