from __future__ import annotations

import numpy as np
import pytest

from gemel.calibrate.goals.use import Use
from gemel.errors import ConfigError


def test_the_share_is_that_of_a_set_of_that_size_drawn_from_the_same_source() -> None:
    rng = np.random.default_rng(0)
    mates = rng.integers(1, 6, 3000)
    codes = np.repeat(np.arange(len(mates)), mates)
    few = np.flatnonzero(np.isin(codes, rng.permutation(len(mates))[:600]))
    told = Use(kind="duplicates", records=len(codes)).share(codes[few])
    genuine = (mates * (mates - 1)).sum() / 2
    pairs = len(codes) * (len(codes) - 1) / 2
    assert told == pytest.approx(genuine / pairs, rel=0.1)


def test_unknown_identities_have_no_say() -> None:
    codes = np.array([0, 0, 1, 1, -1, -1, -1, -1])
    assert Use(kind="search", records=11).share(codes) == pytest.approx(0.1)


def test_records_without_mates_tell_nothing() -> None:
    assert Use(kind="duplicates", records=100).share(np.arange(50)) is None
    assert Use(kind="verify").share(np.arange(50)) == 0.5


@pytest.mark.parametrize(("kind", "records"), [("verify", 100), ("search", 1)])
def test_a_size_that_does_not_go_with_a_use_is_refused(kind: str, records: int) -> None:
    with pytest.raises(ConfigError, match="not go with the use"):
        Use(kind=kind, records=records)  # type: ignore[arg-type]
