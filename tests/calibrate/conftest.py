"""A small world in which the truth is known."""

from collections.abc import Callable

import numpy as np
import pytest

from gemel.arrays import unit_rows
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.calibrate.scores.scores import Scores
from gemel.encode.comparators.cosine import Cosine

World = Callable[..., Scores]


@pytest.fixture
def world() -> World:
    """A maker of all comparisons of n identities with k records each."""
    return make_world


def make_world(
    rng: np.random.Generator, n: int, k: int, *, noise: float = 0.6, families: int = 0
) -> Scores:
    """Identities differ in how much their records vary, and may look alike within families."""
    centre = rng.normal(size=(n, 16))
    if families:
        centre = 0.6 * centre + 0.8 * rng.normal(size=(families, 16))[rng.integers(0, families, n)]
    spread = noise * rng.gamma(4, 0.25, size=(n, 1))
    rows = np.repeat(centre, k, 0) + np.repeat(spread, k, 0) * rng.normal(size=(n * k, 16))
    return all_pairs(unit_rows(rows), np.repeat(np.arange(n), k), Cosine())
