"""From how many genuine pairs on a comparator is learned: those that are compared."""

import numpy as np

from gemel.data.dataset import UNKNOWN
from gemel.data.pairing import ALL, Pairing
from gemel.train.comparators.learned import MIN_GENUINE, enough


def test_pairs_inside_one_of_two_files_teach_nothing() -> None:
    """With none across the files the comparator had no mate to learn from, and said one score."""
    inside = np.repeat(np.arange(2 * MIN_GENUINE), 2)
    beside = 100 + np.arange(2 * MIN_GENUINE)
    files = Pairing(np.repeat([0, 1], [len(inside), len(beside)]))
    codes = np.concatenate([inside, beside])
    assert enough(codes) and not enough(codes, files)
    codes[len(inside) :] = np.arange(2 * MIN_GENUINE)
    assert files.n_genuine(codes) == 4 * MIN_GENUINE and enough(codes, files)
    few = codes.copy()
    few[len(inside) + MIN_GENUINE // 2 :] = UNKNOWN
    assert files.n_genuine(few) == MIN_GENUINE - MIN_GENUINE % 2
    assert ALL.n_genuine(np.full(9, UNKNOWN)) == 0


def test_of_given_pairs_those_count_that_were_given() -> None:
    codes = np.zeros(9, np.int64)
    given = np.stack([np.zeros(8, np.int64), np.arange(1, 9)], 1)
    assert Pairing(given=given).n_genuine(codes) == 8
    assert Pairing(given=given, same=np.arange(8) < 3).n_genuine(codes) == 3
    assert enough(codes) and not enough(codes, Pairing(given=given))
