"""How far golden probes may move, and what counts as another encoder."""

import numpy as np
import pytest

from gemel.arrays import Float32, unit_rows
from gemel.errors import ParityError
from gemel.release import probes
from gemel.release.folder import Tolerance

N = 24


@pytest.fixture
def rows() -> Float32:
    return unit_rows(np.random.default_rng(0).normal(size=(N, 32)).astype(np.float32))


def stepped(rows: Float32, by: float, *which: int) -> Float32:
    """Some rows moved a bit, as where a number was rounded the other way."""
    moved = rows.copy()
    moved[list(which), 0] += np.float32(by)
    return unit_rows(moved)


def check(actual: Float32, expected: Float32, tolerance: Tolerance) -> probes.Parity:
    return probes.check(lambda _: actual, [None] * N, expected, tolerance, "here")


def test_a_network_of_floats_keeps_the_usual_tolerance(rows: Float32) -> None:
    assert probes.allowed(rows + np.float32(1e-7), rows) == Tolerance()


def test_where_rounding_makes_steps_they_are_allowed(rows: Float32) -> None:
    """A release in 8 bits would otherwise start on no other kind of processor."""
    tolerance = probes.allowed(stepped(rows, 0.02, 3), rows)
    assert tolerance.max_abs == pytest.approx(0.06, rel=0.1)
    assert check(stepped(rows, 0.03, 1, 7, 8), rows, tolerance).max_abs > 0.02
    with pytest.raises(ParityError, match=r"allowed is 0.0\d+ .* 1 of 24 probes"):
        check(stepped(rows, 0.2, 1), rows, tolerance)


def test_where_most_probes_move_it_is_another_preprocessing(rows: Float32) -> None:
    tolerance = probes.allowed(stepped(rows, 0.02, 3), rows)
    moved = stepped(rows, 0.01, *range(N // 2 + 1))
    with pytest.raises(ParityError, match=r"allowed is 0.0001 .* 13 of 24 probes"):
        check(moved, rows, tolerance)


def test_not_a_number_is_outside(rows: Float32) -> None:
    with pytest.raises(ParityError):
        check(stepped(rows, np.nan, 2), rows, Tolerance(max_abs=1.0, min_cosine=-1.0))
