"""A bound speaks of identities that were not seen: of one more, worse than the worst."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gemel.calibrate.proofs.bounds import Counted
from gemel.calibrate.rates.intervals import upper_bound


def counted(errors: list[float], *, meets: bool = False) -> Counted:
    """Units of ten comparisons each."""
    found = np.array(errors)
    of = np.full(len(found), 10.0)
    return Counted(found, of, float(found.sum()), float(of.sum()), meets)


def test_one_more_unit_is_as_much_worse_than_the_worst_as_that_is_than_the_second() -> None:
    more = counted([4.0, 2.0] + [0.0] * 8).with_one_more()
    assert_allclose(more.errors, [4.0, 2.0, *[0.0] * 8, 8.0])
    assert (more.n_errors, more.n_comparisons) == (14.0, 110.0)


def test_where_units_err_with_each_other_the_worst_meets_the_one_more() -> None:
    more = counted([4.0, 2.0] + [0.0] * 8, meets=True).with_one_more()
    met = 10 / 9  # so many of ten comparisons with nine others, and all of them errors
    assert_allclose(more.errors, [4.0 + met, 2.0, *[0.0] * 8, 8.0 + met])
    assert_allclose(more.comparisons, [10 + met, *[10.0] * 9, 10 + met])
    assert more.n_comparisons == pytest.approx(110 + met)


def test_the_bound_is_above_what_is_seen_of_those_that_are_there() -> None:
    seen = counted([4.0, 2.0] + [0.0] * 8)
    rate, n = seen.effective()
    assert upper_bound(rate * n, n, 0.95) < seen.bound(0.95) < 1


def test_no_errors_or_one_unit_bound_nothing() -> None:
    assert counted([0.0] * 50).bound(0.95) == 1.0
    assert counted([1.0]).bound(0.95) == 1.0
