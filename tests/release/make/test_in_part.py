"""Some records have no label: how far off the share of genuine pairs may be is said."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.arrays import Int64
from gemel.calibrate.goals.target import Target
from gemel.calibrate.goals.use import Use
from gemel.data.dataset import UNKNOWN
from gemel.release.evidence.goals import Goals
from gemel.release.make.in_part import in_part

rng = np.random.default_rng(0)
SIZES = rng.integers(1, 6, 4000)
CODES = np.repeat(np.arange(len(SIZES)), SIZES)
USE = Use(kind="duplicates", records=len(CODES))
TRUTH = USE.share(CODES)


def told(labelled: np.ndarray) -> tuple[float, Int64]:
    codes = np.where(labelled, CODES, UNKNOWN)
    share = USE.share(codes)
    assert share is not None and TRUTH is not None
    return share / TRUTH, codes


def goals(codes: Int64, prior: float | None = None, use: Use | None = USE) -> Goals:
    share = prior if use is None or prior else use.share(codes)
    return Goals(verify=Target(kind="f1", prior=share), use=use)


def test_the_share_is_right_for_whole_identities_and_off_as_far_as_is_said() -> None:
    by_identity, codes = told((rng.random(len(SIZES)) < 0.5)[CODES])
    assert by_identity == pytest.approx(1, abs=0.05)
    by_row, of_rows = told(rng.random(len(CODES)) < 0.5)
    assert by_row == pytest.approx(1 / 2, abs=0.03)
    found, of_found = told((SIZES > 3)[CODES])
    part = float(np.mean(of_found != UNKNOWN))
    assert 1 < found < 1 / part
    for some in (codes, of_rows):
        said = in_part(goals(some), some)
        assert "up to 2 times as many pairs do" in said and "as many times fewer" in said
    assert f"of {len(CODES):,} records have no label" in in_part(goals(of_rows, use=None), of_rows)


def test_nothing_is_said_where_the_share_was_named_or_hardly_a_label_is_missing() -> None:
    _, half = told(rng.random(len(CODES)) < 0.5)
    _, most = told(rng.random(len(CODES)) < 0.95)
    assert in_part(goals(CODES), CODES) == in_part(goals(most), most) == ""
    assert in_part(goals(half, 0.01), half) == in_part(goals(half, 0.01, None), half) == ""
    named = Use(kind="duplicates")
    assert in_part(goals(half, 0.01, named), half) == ""
    assert in_part(goals(half, use=Use(kind="verify")), half) == ""
