"""Evidence of matches that are mostly false."""

import msgspec
import pytest

from gemel.calibrate.rates.intervals import Estimate
from gemel.release.evidence.schema import Evidence
from gemel.release.release import Release

replace = msgspec.structs.replace


def rate(value: float) -> Estimate:
    return Estimate(value=value, low=value / 2, high=value, n_effective=1000.0, method="")


@pytest.fixture
def mostly_false(release: Release) -> Evidence:
    """A third of 900 records are eval; one match in ten is right there."""
    at = replace(release.evidence.eval, precision=rate(0.1), n_false_match=90, prior=0.001)
    data = release.evidence.data
    sides = {name: replace(side, n_records=301) for name, side in data.sides.items()}
    return replace(
        release.evidence, eval=at, data=replace(data, n_records=901, sides=sides), galleries=()
    )
