"""Memory that is freed while training stays, and goes back at the end."""

from __future__ import annotations

import platform
import resource

import numpy as np
import pytest

from gemel.train.scale import memory


def _faults() -> int:
    """Pages that this process had to take from the system."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        np.ones(2**23)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc only")
def test_a_block_of_64_mb_is_taken_from_the_system_once() -> None:
    outside = _faults()
    with memory.kept():
        np.ones(2**23)
        inside = _faults()
    assert inside < outside / 10
