"""An interval for the probability of a match, as steps of the score; a lookup is a bisection.

Where the steps come from (`calibrate.probability.venn_abers`) is not known here.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from typing import Any

import msgspec
import numpy as np

from gemel.errors import ConfigError


class VennAbers(msgspec.Struct, frozen=True):
    """Steps of both probabilities over the score.

    Args:
        score: (k,) rising; step i + 1 holds from score[i] on, step 0 below all.
        low: (k + 1,) probabilities of a match if the pair counts as an impostor.
        high: (k + 1,) the same if it counts as genuine; at least `low`.
        share: of genuine comparisons among those that the steps come from, in (0, 1).
    Raises:
        ConfigError: the steps contradict each other.
    """

    score: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    share: float

    def __post_init__(self) -> None:
        sound = len(self.low) == len(self.high) == len(self.score) + 1 and 0 < self.share < 1
        sound = sound and all(a < b for a, b in itertools.pairwise(self.score))
        sound = sound and all(map(math.isfinite, self.score))
        if not sound or not all(0 <= a <= b <= 1 for a, b in zip(self.low, self.high, strict=True)):
            raise ConfigError("the steps of the interval contradict each other", where="interval")

    def interval(self, score: Any, prior: float) -> tuple[Any, Any]:
        """Both probabilities of a match of a score, or of each of an array, at a prior in (0, 1).

        Args:
            score: one number, for two numbers; or (n,) float64, for two such arrays.
            prior: share of genuine comparisons.
        """
        odds = prior / (1 - prior) * (1 - self.share) / self.share
        low: Any
        high: Any
        if isinstance(score, np.ndarray):
            at = np.searchsorted(self.score, score, side="right")
            low, high = np.array(self.low)[at], np.array(self.high)[at]
        else:
            i = bisect_right(self.score, score)
            low, high = self.low[i], self.high[i]
        return odds * low / (odds * low + 1 - low), odds * high / (odds * high + 1 - high)
