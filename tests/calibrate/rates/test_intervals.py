"""Bounds with textbook values, and the variance that identities make."""

import numpy as np
import pytest

from gemel.calibrate.rates.intervals import (
    NO_ERRORS,
    UNKNOWN,
    Sample,
    effective_n,
    errors_allowed,
    jackknife_variance,
    p_value,
    proportion,
    trials_needed,
    upper_bound,
)
from gemel.calibrate.rates.operating_point import measure
from gemel.calibrate.scores.scores import labelled


def test_rule_of_three() -> None:
    assert upper_bound(0, 300, 0.95) == pytest.approx(0.00994, abs=5e-6)
    assert upper_bound(0, 1000, 0.95) == pytest.approx(0.00299, abs=5e-6)
    needed = [trials_needed(10.0**-k, 0.95) for k in range(2, 7)]
    assert needed == [299, 2995, 29_956, 299_572, 2_995_731]
    assert [trials_needed(1 - t, 0.9) for t in (0.95, 0.99, 0.999)] == [45, 230, 2302]


def test_rule_of_thirty() -> None:
    n = 3_000_000
    assert upper_bound(30, n, 0.95) / (30 / n) == pytest.approx(1.36, abs=0.01)


def test_fewer_errors_are_allowed_than_the_target_suggests() -> None:
    assert errors_allowed(20_000, 1e-3, 0.9) == 13
    assert errors_allowed(299, 1e-2, 0.95) == 0
    assert errors_allowed(298, 1e-2, 0.95) == -1
    assert p_value(13, 20_000, 1e-3) <= 0.1 < p_value(14, 20_000, 1e-3)


def test_independent_units_give_the_textbook_variance() -> None:
    rng = np.random.default_rng(0)
    x = rng.random(500)
    left_out = (x.sum() - x) / 499
    assert jackknife_variance(left_out) == pytest.approx(x.var(ddof=1) / 500)


def test_independent_comparisons_are_all_effective() -> None:
    errors = np.arange(1000) < 100
    left_out = (100 - errors) / 999
    assert effective_n(0.1, left_out, 1000) == pytest.approx(999, rel=1e-3)


def test_copies_of_a_comparison_are_worth_one() -> None:
    """Ten comparisons per identity that always err together are as good as one."""
    errors = np.repeat(np.arange(100) < 20, 10)
    score = np.where(errors, 0.0, 1.0)
    names = np.repeat(np.arange(100), 10)
    s = labelled(
        np.append(score, [-1.0, -1.0]),
        np.append(np.ones(1000), [0, 0]),
        np.append(names, [0, 1]),
        np.append(names, [2, 3]),
    )
    fnmr = measure(s, 0.5).fnmr
    assert fnmr.value == 0.2
    assert fnmr.n_effective == pytest.approx(99, rel=0.01)


def test_no_errors_keep_the_strict_and_the_optimistic_bound() -> None:
    got = proportion(0.0, 0.0, Sample(44_250, 60, 30), 0.95)
    assert (got.low, got.method) == (0.0, NO_ERRORS)
    assert got.high == pytest.approx(1 - 0.05 ** (1 / 30))
    assert got.optimistic == pytest.approx(1 - 0.05 ** (1 / 44_250))
    all_errors = proportion(1.0, 0.0, Sample(44_250, 60, 30), 0.95)
    assert all_errors.low == pytest.approx(1 - got.high)


def test_two_identities_know_nothing() -> None:
    s = labelled(np.array([1.0, 1.0, 0.0]), np.array([1, 1, 0]), list("aba"), list("abb"))
    fmr = measure(s, 0.5).fmr
    assert (fmr.low, fmr.high, fmr.method) == (0.0, 1.0, UNKNOWN)
