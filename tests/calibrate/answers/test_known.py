"""What answers say of a threshold, as the rates of an operating point."""

import pytest

from gemel.calibrate.answers.known import Known, point_of
from gemel.calibrate.rates.intervals import Estimate
from gemel.decide.bands import Band

BAND = Band(threshold=0.9, review_low=0.9, review_high=0.9)


def answered(low: float) -> Known:
    """Ten matches among 40,470 pairs, all of them answered and right."""
    some = Estimate(value=0.5, low=0.3, high=0.7, n_effective=20.0, method="")
    return Known(
        n_answers=40,
        n_unsure=0,
        threshold=0.9,
        precision=Estimate(value=1.0, low=low, high=1.0, n_effective=10.0, method=""),
        recall=some,
        n_match=10,
        n_genuine=20.0,
        n_pairs=40_470,
        goal=0.95,
        confidence=0.95,
        proven=True,
        missing=None,
        n_double=0,
        n_agreed=0,
    )


def test_what_is_left_by_rounding_is_no_false_match() -> None:
    assert point_of(answered(1 - 3e-14), BAND).fmr.high == 0
    assert point_of(answered(0.9), BAND).fmr.high == pytest.approx(1 / (40_470 - 20))
