"""What is proposed for a query and found for it: how long the shortlist is, who is best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Int64
from gemel.gallery.attributes import Attributes

OVERSAMPLE = 4
# Another comparator than the cosine scores up to so many rows; of more, those whose cosine is best.
# Of 10,000 names with typos 1,000 by cosine hold all that matches, and 99.9 % of the ten best.
SHORTLIST = 1_000
COMPARED_ROWS = 5_000
MAXIMA = 64
TIE = 1e-5


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found, and its exact score: higher is more alike."""

    id: str
    score: float
    attributes: Attributes


def best(scores: NDArray[np.float32], k: int) -> Int64:
    """Indices of every score that reaches the k-th best one, within rounding: no tie is cut.

    Args:
        scores: (n,).
        k: at least 1.
    """
    if k >= len(scores):
        return np.arange(len(scores))
    # The k-th best of the maxima of small groups is a lower bound of the k-th best score, and
    # leaves few scores to look at; a partition of everything costs more than the scan itself.
    groups = len(scores) // MAXIMA
    if groups > OVERSAMPLE * k:
        maxima = scores[: groups * MAXIMA].reshape(groups, MAXIMA).max(axis=1)
        floor = np.partition(maxima, groups - k)[groups - k]
        few = np.flatnonzero(scores >= floor - TIE * max(1.0, abs(float(floor))))
    else:
        few = np.arange(len(scores))
    among = scores[few]
    cut = float(np.partition(among, len(among) - k)[len(among) - k])
    return few[among >= cut - TIE * max(1.0, abs(cut))]
