from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from gemel.arrays import Float32, Int64, unit_rows
from gemel.decide.classes import Method
from gemel.encode.scatter import within
from gemel.errors import DataError
from gemel.tasks import episodes, fewshot
from gemel.tasks.fewshot import Supports

METHODS = get_args(Method)


def world(seed: int, n_classes: int = 6, dim: int = 8) -> tuple[Float32, Int64, Float32]:
    """Supports of classes of one to seven, in random order, and queries."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_classes), rng.integers(1, 8, n_classes))
    rng.shuffle(labels)
    centres = rng.standard_normal((n_classes, dim))
    rows = unit_rows(centres[labels] + 0.5 * rng.standard_normal((len(labels), dim)))
    return rows, labels, unit_rows(rng.standard_normal((9, dim)))


def scored(method: Method, rows: Float32, labels: Int64, queries: Float32) -> Float32:
    spread = within(*world(99)[:2])
    return fewshot.scores(method, Supports.of(rows, labels), queries, spread=spread)


def test_scores_are_what_a_loop_over_classes_gives() -> None:
    rows, labels, queries = world(0)
    cosine = queries.astype(np.float64) @ rows.T
    spread = within(rows, labels)
    for c in range(labels.max() + 1):
        mine = np.sort(cosine[:, labels == c], axis=1)[:, ::-1]
        best = mine[:, :5]
        weight = np.exp(best - best[:, :1])
        mean = rows[labels == c].astype(np.float64).mean(axis=0)
        away = spread.whitened(queries) - spread.whitened(mean[None].astype(np.float32))
        expected = {
            "nearest": mine[:, 0],
            "prototype": queries @ mean / np.linalg.norm(mean),
            "knn": (weight * best).sum(axis=1) / weight.sum(axis=1),
            "mahalanobis": -np.square(away).sum(axis=1) / 2,
        }
        for method in METHODS:
            found = fewshot.scores(method, Supports.of(rows, labels), queries, spread=spread)
            np.testing.assert_allclose(found[:, c], expected[method], atol=2e-4, err_msg=method)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), method=st.sampled_from(METHODS))
def test_neither_order_nor_batch_nor_other_classes_change_a_score(
    seed: int, method: Method
) -> None:
    rows, labels, queries = world(seed)
    whole = scored(method, rows, labels, queries)
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = scored(method, rows[order], labels[order], queries)
    np.testing.assert_allclose(shuffled, whole, atol=1e-4)
    for i in (0, len(queries) - 1):
        np.testing.assert_allclose(
            scored(method, rows, labels, queries[i : i + 1])[0], whole[i], atol=1e-4
        )
    gone = labels != labels.max()
    without = scored(method, rows[gone], labels[gone], queries)
    np.testing.assert_allclose(without, whole[:, :-1], atol=1e-4)


def test_equal_supports_are_counted_and_never_more_than_k() -> None:
    rows = unit_rows(np.array([[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 4))
    supports = Supports.of(rows, np.zeros(8, np.int64))
    query = unit_rows(np.array([[1.0, 0.0]]))
    assert fewshot.knn(supports, query, k=4)[0, 0] == pytest.approx(1.0)
    expected = (4 + np.exp(-1) * 0) / (4 + np.exp(-1))
    assert fewshot.knn(supports, query, k=5)[0, 0] == pytest.approx(expected)


def test_one_support_of_each_class_makes_three_methods_the_same() -> None:
    rows, _, queries = world(1)
    labels = np.arange(len(rows))
    one = [scored(method, rows, labels, queries) for method in METHODS[:3]]
    np.testing.assert_allclose(one[1], one[0], atol=1e-6)
    np.testing.assert_allclose(one[2], one[0], atol=1e-6)
    with pytest.raises(DataError, match="no class has two"):
        fewshot.mahalanobis(Supports.of(rows, labels), queries)


def test_blocks_give_what_one_piece_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels, queries = world(2)
    whole = [scored(method, rows, labels, queries) for method in METHODS]
    monkeypatch.setattr(fewshot, "CELLS", 40)
    for method, expected in zip(METHODS, whole, strict=True):
        np.testing.assert_allclose(scored(method, rows, labels, queries), expected, atol=1e-5)


@pytest.mark.parametrize("labels", [[], [0, 2], [-1, 0], [0]])
def test_labels_that_do_not_name_the_classes_are_refused(labels: list[int]) -> None:
    rows = unit_rows(np.eye(2)[: max(len(labels), 0)]) if labels != [0] else unit_rows(np.eye(2))
    with pytest.raises(DataError):
        Supports.of(rows.reshape(-1, 2), np.array(labels, np.int64))


@pytest.mark.parametrize("true", [0.02, 0.3, 5.0])
def test_the_temperature_is_found_again(true: float) -> None:
    rng = np.random.default_rng(3)
    scores = rng.standard_normal((4000, 10)).astype(np.float32)
    p = fewshot.probabilities(scores, true).cumsum(axis=1)
    truth = (rng.random((4000, 1)) > p).sum(axis=1)
    found = fewshot.fit_temperature([(scores[:2000], truth[:2000]), (scores[2000:], truth[2000:])])
    assert found == pytest.approx(true, rel=0.15)
    with pytest.raises(DataError):
        fewshot.fit_temperature([])


def test_extreme_scores_give_probabilities() -> None:
    p = fewshot.probabilities(np.array([[-1e30, 0.0], [-1e8, -1e8]]), 1e-3)
    np.testing.assert_allclose(p, [[0, 1], [0.5, 0.5]])


def test_digits_that_no_axis_was_fitted_on_are_told_apart_by_their_supports() -> None:
    """Axes of digits 0-4, episodes of 5-9; people name five of five in words, chance is .2."""
    images, digit = load_digits(return_X_y=True)
    seen = digit < 5
    mean = images[seen].mean(axis=0)
    axes = np.linalg.svd(images[seen] - mean, full_matrices=False)[2][:24]
    rows = unit_rows((images - mean) @ axes.T)
    spread = within(rows[seen], digit[seen])
    unseen = np.where(seen, -1, digit)
    right: dict[tuple[str, int], float] = {}
    for shots in (1, 5):
        rng = np.random.default_rng(0)
        dealt = [e for _ in range(150) for e in episodes.deal(unseen, shots=shots, rng=rng)]
        for method in METHODS:
            n_right = 0
            for e in dealt:
                supports = Supports.of(rows[e.supports], e.labels)
                s = fewshot.scores(method, supports, rows[e.queries], spread=spread)
                n_right += int((s.argmax(axis=1) == np.arange(5)).sum())
            right[method, shots] = n_right / (5 * len(dealt))
    assert all(right[method, 1] > 0.6 for method in METHODS), right
    assert all(right[method, 5] > right[method, 1] + 0.05 for method in METHODS), right
    assert max(right.values()) > 0.85, right
