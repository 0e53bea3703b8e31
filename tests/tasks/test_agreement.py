"""Agreement equals hand-counted values, scikit-learn, and the definitions record by record."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, pair_confusion_matrix

from gemel.errors import DataError
from gemel.tasks.agreement import agreement


def test_a_case_counted_by_hand() -> None:
    # Identities {0,1,2} {3,4} {5}; clusters {0,1} {2,3,4} {5}. The last record is unknown.
    got = agreement(np.array([0, 0, 1, 1, 1, 2, 1]), np.array([7, 7, 7, 8, 8, 9, -1]))
    assert (got.n_records, got.n_identities) == (6, 3)
    assert (got.n_false_pairs, got.n_missed_pairs) == (2, 2)
    assert got.pairwise.precision == got.pairwise.recall == got.pairwise.f1 == 0.5
    # Precision: 1 1 1/3 2/3 2/3 1; recall: 2/3 2/3 1/3 1 1 1.
    assert got.b_cubed.precision == pytest.approx((1 + 1 + 1 / 3 + 2 / 3 + 2 / 3 + 1) / 6)
    assert got.b_cubed.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1 + 1) / 6)
    assert got.exact.precision == got.exact.recall == 0.0


def test_exact_clusters_count_those_of_two_or_more() -> None:
    got = agreement(np.array([0, 0, 1, 1, 2, 3]), np.array([0, 0, 1, 1, 2, 2]))
    assert (got.exact.precision, got.exact.recall) == (1.0, pytest.approx(2 / 3))


def test_equals_scikit_learn_and_brute_force() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        n = int(rng.integers(2, 40))
        labels, truth = rng.integers(0, 8, n), rng.integers(0, 8, n)
        got = agreement(labels, truth)
        (_, false), (missed, right) = pair_confusion_matrix(truth, labels) // 2
        assert (got.n_false_pairs, got.n_missed_pairs) == (false, missed)
        assert got.pairwise.precision == pytest.approx(
            right / (right + false) if right + false else 1.0
        )
        assert got.adjusted_rand == pytest.approx(adjusted_rand_score(truth, labels), abs=1e-12)
        same, mine = truth[:, None] == truth, labels[:, None] == labels
        both = (same & mine).sum(1)
        assert got.b_cubed.precision == pytest.approx((both / mine.sum(1)).mean())
        assert got.b_cubed.recall == pytest.approx((both / same.sum(1)).mean())


def test_the_order_of_records_and_the_names_of_clusters_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    labels, truth = rng.integers(0, 9, 50), rng.integers(-1, 9, 50)
    order = rng.permutation(50)
    assert agreement(labels, truth) == agreement(100 - labels[order], truth[order])


def test_nothing_known_is_refused() -> None:
    with pytest.raises(DataError, match="no identity is known"):
        agreement(np.array([0, 0]), np.array([-1, -1]))
    with pytest.raises(DataError, match="do not fit"):
        agreement(np.array([0, 0]), np.array([0]))
