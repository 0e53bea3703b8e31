from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gemel.errors import DataError
from gemel.tasks import openset

KNOWN = np.array([5.0, 4.0, 3.0, 3.0, 1.0])
RIGHT = np.array([True, True, False, True, True])
UNKNOWN = np.array([3.5, 3.0, 0.5, 0.0])


def test_values_that_can_be_counted_by_hand() -> None:
    found = openset.measure(KNOWN, RIGHT, UNKNOWN, fpir=(0.0, 0.25, 0.5, 1.0))
    assert (found.n_known, found.n_unknown, found.accuracy) == (5, 4, 0.8)
    assert [i.dir for i in found.identification] == [0.4, 0.4, 0.8, 0.8]
    assert [i.fnir for i in found.identification] == pytest.approx([0.6, 0.6, 0.2, 0.2])
    assert found.fpr95 == 0.5  # 95 % of five are all five: the threshold is 1
    assert "known items are the positives" in found.convention


def test_random_scores_agree_with_scikit_learn_and_with_a_loop() -> None:
    rng = np.random.default_rng(0)
    known, unknown = rng.integers(5, 30, 300) / 3, rng.integers(0, 20, 200) / 3
    right = rng.random(300) < 0.7
    found = openset.measure(known, right, unknown)
    truth = np.r_[np.ones(300), np.zeros(200)]
    assert found.auroc == pytest.approx(roc_auc_score(truth, np.r_[known, unknown]), abs=1e-12)
    cuts = np.unique(np.r_[known, unknown])
    for point in found.identification:
        allowed = [c for c in [*cuts, np.inf] if (unknown >= c).mean() <= point.fpir]
        assert point.dir == pytest.approx(max((right & (known >= c)).mean() for c in allowed))
        assert (unknown >= point.threshold).mean() <= point.fpir
    curve = [(0.0, 0.0)] + [
        (float((unknown >= c).mean()), float((right & (known >= c)).mean())) for c in cuts[::-1]
    ]
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(curve))
    assert found.oscr == pytest.approx(area)
    reach = max(c for c in cuts if (known >= c).mean() >= 0.95)
    assert found.fpr95 == pytest.approx((unknown >= reach).mean())


def test_the_area_never_exceeds_the_accuracy_and_reaches_it_when_all_are_apart() -> None:
    assert openset.measure(KNOWN, RIGHT, UNKNOWN - 10).oscr == pytest.approx(0.8)
    assert openset.measure(KNOWN - 10, RIGHT, UNKNOWN).oscr == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("known", "right", "unknown"),
    [
        (KNOWN[:0], RIGHT[:0], UNKNOWN),
        (KNOWN, RIGHT, UNKNOWN[:0]),
        (KNOWN, RIGHT[:2], UNKNOWN),
        (np.full(5, np.nan), RIGHT, UNKNOWN),
    ],
)
def test_what_makes_no_open_set_is_refused(
    known: np.ndarray, right: np.ndarray, unknown: np.ndarray
) -> None:
    with pytest.raises(DataError):
        openset.measure(known, right, unknown)
