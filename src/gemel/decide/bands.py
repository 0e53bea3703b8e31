"""Where a policy draws its lines: thresholds, the scores around them, and the first stage.

Values only; what follows from a score is for the policy to say.
"""

from __future__ import annotations

import math

import msgspec

from gemel.errors import ConfigError

FILE = "policy.json"


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


class FirstStage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a candidate of a large gallery has to reach before it is compared exactly.

    Args:
        bits: of a sketch (see `encode.sketch`).
        max_distance: bits that may differ from the query's.
    Raises:
        ConfigError: out of range.
    """

    bits: int
    max_distance: int

    def __post_init__(self) -> None:
        if not 0 <= self.max_distance <= self.bits:
            raise ConfigError(
                f"max_distance {self.max_distance} is not from 0 to {self.bits} bits", where=FILE
            )


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
