"""One-to-one links are the best there are, by comparison with every way to link."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from gemel.tasks.assignment import Linked, as_good, kept, one_to_one


def best_of_all(gain: np.ndarray) -> float:
    """Most gain of links that share no record, over all of them; 0 where there is no link."""
    n, m = gain.shape
    padded = np.hstack([gain, np.zeros((n, n))])
    ways = itertools.permutations(range(m + n), n)
    return max(float(padded[range(n), way].sum()) for way in ways)


@pytest.mark.parametrize("seed", range(30))
def test_no_other_way_to_link_gains_more(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gain = rng.random((3, 3)) * (rng.random((3, 3)) < 0.6)
    left, right = np.nonzero(gain)
    kept = one_to_one(left, right + 10, gain[left, right])
    assert len(set(left[kept])) == len(set(right[kept])) == kept.sum()
    assert gain[left, right][kept].sum() == pytest.approx(best_of_all(gain))


def test_many_links_are_as_good_as_those_of_a_full_matrix() -> None:
    rng = np.random.default_rng(0)
    gain = rng.random((80, 60)) * (rng.random((80, 60)) < 0.2)
    left, right = np.nonzero(gain)
    kept = one_to_one(left, right + 80, gain[left, right])
    rows, columns = linear_sum_assignment(gain, maximize=True)
    assert gain[left, right][kept].sum() == pytest.approx(gain[rows, columns].sum())
    assert len(set(right[kept])) == kept.sum() > 40


def test_the_best_link_alone_is_not_taken_where_two_gain_more() -> None:
    kept = one_to_one(np.array([0, 0, 1]), np.array([2, 3, 2]), np.array([1.0, 0.9, 0.8]))
    assert kept.tolist() == [False, True, True]
    assert one_to_one(*np.zeros((2, 0), np.int64), np.zeros(0)).tolist() == []


def test_what_is_as_good_as_a_link_that_was_taken_is_told() -> None:
    links = [(0, 5, 2.0), (0, 6, 2.0), (0, 7, 1.0), (1, 7, 3.0), (2, 8, 1.0), (2, 9, 1.1)]
    left, right, gain = (np.array(of) for of in zip(*links, strict=True))
    one = kept(left, right, gain, "one-to-one")
    assert one.tolist() == [one[0], not one[0], False, True, False, True]
    unsure = as_good(left, right, gain, "one-to-one", one)
    assert unsure.tolist() == [not one[0], one[0], False, False, False, False]
    many = kept(left, right, gain, "one-to-many")
    assert not as_good(left, right, gain, "one-to-many", many).any(), "a left one has any number"
    nothing = np.zeros(0, np.int64)
    assert as_good(nothing, nothing, np.zeros(0), "one-to-one", nothing > 0).tolist() == []


def test_what_is_as_good_for_one_whose_other_has_a_better_one_is_not() -> None:
    left, right, gain = np.array([0, 0, 1]), np.array([5, 6, 6]), np.array([1.0, 1.0, 3.0])
    taken = kept(left, right, gain, "one-to-one")
    assert taken.tolist() == [True, False, True]
    assert not as_good(left, right, gain, "one-to-one", taken).any()


def test_one_to_many_lets_one_side_keep_all() -> None:
    left, right = np.array([0, 0, 1, 1]), np.array([5, 6, 5, 7])
    gain = np.array([1.0, 2.0, 3.0, 4.0])
    assert kept(left, right, gain, "one-to-many").tolist() == [False, True, True, True]
    assert kept(left, right, gain, "many-to-one").tolist() == [False, True, False, True]
    assert kept(left, right, gain, "many-to-many").all()
    assert kept(left, right, gain, "one-to-one").tolist() == one_to_one(left, right, gain).tolist()


def test_few_displaced_links_tell_that_there_were_few_false_ones() -> None:
    def left(n_displaced: int) -> float:
        of = np.arange(1000), np.arange(1000) + 2000, np.full(1000, 9.0)
        linked = Linked(*of, (2000, 1250), "one-to-one", n_displaced)
        assert linked.staying(np.array([8.0, 9.0])).tolist() == pytest.approx([0.1, 1.0])
        return linked.left_of(30.0, 3.0)

    assert left(27) == left(40) == 3.0  # as told, or records that stand twice in a file
    assert left(2) == pytest.approx(3.0 * 4.6 / 27, rel=0.05)
    assert 0 < left(0) < left(2)
