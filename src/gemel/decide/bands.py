"""The only place where a score meets a threshold: `score >= threshold` matches, written once.

A band is a threshold and the scores around it that a person decides. Which band is for which
score, and what else sends a pair to a person, is for the policy to say.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from gemel.decide.outcomes import Outcome as Outcome
from gemel.errors import ConfigError

FILE = "policy.json"

OUTCOMES: tuple[Outcome, ...] = ("no_match", "review", "match")
"""By the code of arrays, from what a rule leaves of anything to what it takes away."""
NO_MATCH, REVIEW, MATCH = np.arange(len(OUTCOMES), dtype=np.int8)


def matches(score: Any, threshold: Any) -> Any:
    """Whether a score, or each of an array, is at least the threshold or its own: bool or array.

    Both are compared as float64: a threshold rounded to the precision of float32 scores could
    become one of them.

    Example:
        >>> matches(np.array([0.4, 0.5], np.float32), 0.5)
        array([False,  True])
    """
    return score >= np.float64(threshold)


def in_review(score: Any, low: float, high: float) -> Any:
    """Whether a score, or each of an array, lies in [low, high)."""
    return matches(score, low) & ~matches(score, high)


class Band(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A threshold and the scores around it that a person decides.

    Args:
        threshold: finite.
        review_low: at most the threshold.
        review_high: at least the threshold; scores in [review_low, review_high) are for review,
            none if both are equal.
    Raises:
        ConfigError: not finite or not in order.
    """

    threshold: float
    review_low: float
    review_high: float

    def __post_init__(self) -> None:
        values = (self.review_low, self.threshold, self.review_high)
        if not all(math.isfinite(value) for value in values):
            raise ConfigError(f"a threshold is not finite: {values}", where=FILE)
        if not self.review_low <= self.threshold <= self.review_high:
            raise ConfigError(
                f"review_low {values[0]}, threshold {values[1]} and review_high {values[2]} "
                "are not in rising order",
                where=FILE,
            )

    def moved(self, threshold: float) -> Band:
        """The band around another threshold, as wide on both sides as before."""
        shift = threshold - self.threshold
        return Band(
            threshold=threshold,
            review_low=min(self.review_low + shift, threshold),
            review_high=max(self.review_high + shift, threshold),
        )

    def outcomes(self, score: Any, for_review: Any = False) -> Any:
        """Code in `OUTCOMES` of a score, or of each of an array: int8.

        Args:
            score: a float64, or an array of any float type.
            for_review: goes to a person whatever the score is; one truth value, or one each.
        Example:
            >>> band = Band(threshold=0.5, review_low=0.4, review_high=0.5)
            >>> [OUTCOMES[code] for code in band.outcomes(np.array([0.3, 0.4, 0.5]))]
            ['no_match', 'review', 'match']
        """
        review = in_review(score, self.review_low, self.review_high) | for_review
        return MATCH * (matches(score, self.threshold) & ~review) + REVIEW * review


class SizedBand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A threshold for the candidates of a search in a gallery of up to so many records.

    Args:
        gallery_size: records, at least 1.
        band: that applies.
        fmr: proven bound of a comparison's false match rate at this threshold.
    Raises:
        ConfigError: no size.
    """

    gallery_size: int
    band: Band
    fmr: float

    def __post_init__(self) -> None:
        if self.gallery_size < 1:
            raise ConfigError(f"a gallery of {self.gallery_size} records", where=FILE)
