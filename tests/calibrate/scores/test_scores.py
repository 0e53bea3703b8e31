"""Labelled comparisons refuse what contradicts itself and know who takes part."""

from dataclasses import replace

import numpy as np
import pytest

from gemel.calibrate.scores.scores import Scores, labelled
from gemel.errors import DataError


def test_identities_of_any_type_become_codes() -> None:
    s = labelled(
        np.array([0.9, 0.2, 0.1]),
        np.array([1, 0, 0]),
        np.array(["ann", "ann", "bob"]),
        np.array(["ann", "bob", "cid"]),
    )
    assert s.n_identities == 3
    assert s.genuine_by_identity.tolist() == [1, 0, 0]
    assert s.impostor_by_identity.tolist() == [1, 2, 1]
    assert s.by_identity(np.array([1, 2])).tolist() == [1, 2, 1]


def test_without_identities_comparisons_are_independent_and_the_note_says_so() -> None:
    s = labelled(np.arange(4.0), np.array([0, 0, 1, 1]))
    assert s.n_identities == 6
    assert "independent" in s.note


def test_a_failed_comparison_is_counted_not_scored() -> None:
    s = labelled(np.array([1.0, np.nan, 0.0]), np.array([1, 1, 0]))
    assert (len(s), s.n_genuine, s.n_failures) == (2, 1, 1)


@pytest.mark.parametrize(
    ("score", "genuine", "left", "right", "cause"),
    [
        ([1.0, np.inf], [1, 0], [0, 0], [0, 1], "finite"),
        ([1.0, 0.0], [1, 0], [0, 0], [0, 0], "genuine if"),
        ([1.0, 0.0], [1, 0], [0], [0, 1], "one length"),
        ([1.0], [1, 0], [0, 0], [0, 1], "one length"),
    ],
)
def test_contradictions_are_refused(
    score: list[float], genuine: list[int], left: list[int], right: list[int], cause: str
) -> None:
    with pytest.raises(DataError, match=cause):
        labelled(np.array(score), np.array(genuine), np.array(left), np.array(right))


def test_types_and_codes_are_checked() -> None:
    ok = labelled(np.array([1.0, 0.0]), np.array([1, 0]))
    with pytest.raises(DataError, match="float32"):
        Scores(ok.score.astype(np.float64), ok.genuine, ok.left, ok.right)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="negative"):
        Scores(ok.score, ok.genuine, ok.left - 1, ok.right - 1)


def test_one_class_alone_is_no_ground_for_a_threshold() -> None:
    with pytest.raises(DataError, match="no impostor"):
        labelled(np.ones(3), np.ones(3)).require_both()


def test_categories_stay_with_their_comparisons() -> None:
    ok = labelled(np.array([1.0, 0.5, 0.0]), np.array([1, 0, 0]))
    codes = np.array([0, 1, -1], np.int16)
    named = replace(ok, left_category=codes, right_category=codes, category_names=("a", "b"))
    part = named.take(np.array([2, 1]))
    assert part.score.tolist() == [0.0, 0.5] and part.n_impostor == 2
    assert part.left_category is not None and part.left_category.tolist() == [-1, 1]
    assert ok.take(np.array([0])).left_category is None
    with pytest.raises(DataError, match="one side"):
        replace(ok, left_category=codes)
    with pytest.raises(DataError, match="int16"):
        replace(ok, left_category=codes.astype(np.int64), right_category=codes)
