"""Comparisons whose numbers are known."""

import numpy as np
import pytest

from gemel.calibrate.scores.scores import Scores, labelled

TOY_GENUINE = [3, 2, 1.5, 0.2]
TOY_IMPOSTOR = [1, 0.5, 0.2, -0.5, -1, -2]


@pytest.fixture
def toy() -> Scores:
    """Four genuine and six impostor comparisons, with one tie between the classes."""
    return labelled(np.array(TOY_GENUINE + TOY_IMPOSTOR), np.array([True] * 4 + [False] * 6))
