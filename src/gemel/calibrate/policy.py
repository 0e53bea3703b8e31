"""The only place where a score meets a threshold: `score >= threshold` matches, written once.

A policy is part of a release and is a JSON file. It has an operating point for one comparison
(verify) and one for the candidates of a search (identify), because false positives of a search
grow with the gallery. How thresholds were found is not known here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import msgspec

from gemel.calibrate.classify import ClassPolicy
from gemel.calibrate.likelihood import Likelihood
from gemel.calibrate.operating import OperatingPoint
from gemel.errors import ConfigError, InvalidInput, ReleaseError

FILE = "policy.json"

Outcome = Literal["match", "no_match", "review"]


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


class Decision(msgspec.Struct, frozen=True):
    """What a score means, and by which threshold.

    Args:
        outcome: `match`, `no_match` or `review`.
        threshold: the one that was applied.
        probability: of a match, at the policy's prior; None without a calibrated likelihood.
    """

    outcome: Outcome
    threshold: float
    probability: float | None


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decisions of one release.

    Args:
        verify: for one comparison of two records.
        search: for each candidate of a search.
        prior: share of genuine comparisons in use, in (0, 1); of probabilities.
        likelihood: calibrated score, None if there is none.
        first: stage before the comparator in a large gallery; None compares by rank of the cosine.
        classify: for classes that come and go, None if dev had too few identities.
    Raises:
        ConfigError: the prior is not between 0 and 1.
    Example:
        >>> at = Band(threshold=0.5, review_low=0.5, review_high=0.5)
        >>> Policy(verify=at, search=at, prior=0.1).decide(0.5).outcome
        'match'
    """

    verify: Band
    search: Band
    prior: float
    likelihood: Likelihood | None = None
    first: FirstStage | None = None
    classify: ClassPolicy | None = None

    def __post_init__(self) -> None:
        if not 0 < self.prior < 1:
            raise ConfigError(f"prior is {self.prior}, must lie between 0 and 1", where=FILE)
        if self.likelihood is not None and not 0 < self.likelihood.slope < math.inf:
            raise ConfigError("the likelihood must rise with the score", where=FILE)

    def decide(self, score: float) -> Decision:
        """What the score of one comparison means.

        Raises:
            InvalidInput: the score is NaN.
        """
        return self._decide(score, self.verify)

    def identify(self, score: float) -> Decision:
        """What the score of one candidate of a search means.

        Raises:
            InvalidInput: the score is NaN.
        """
        return self._decide(score, self.search)

    def _decide(self, score: float, band: Band) -> Decision:
        value = float(score)  # a numpy float32 would round the threshold to its own precision
        if value != value:
            raise InvalidInput("the score is not a number", where="score")
        likelihood = self.likelihood
        probability = None if likelihood is None else likelihood.probability(value, self.prior)
        if band.review_low <= value < band.review_high:
            return Decision("review", band.threshold, probability)
        outcome: Outcome = "match" if value >= band.threshold else "no_match"
        return Decision(outcome, band.threshold, probability)

    def to_json(self) -> bytes:
        """The policy as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, text: bytes, *, where: str = FILE) -> Policy:
        """The policy that a JSON text describes.

        Raises:
            ReleaseError: it is no policy.
            ConfigError: it is one, but its values make no sense.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError as e:
            raise ReleaseError(f"no readable policy: {e}", where=where) from e

    def save(self, folder: Path) -> None:
        """Write `policy.json` into the folder."""
        (folder / FILE).write_bytes(self.to_json())

    @classmethod
    def load(cls, folder: Path) -> Policy:
        """The policy that a folder holds.

        Raises:
            ReleaseError: there is none, or it cannot be read.
        """
        path = folder / FILE
        try:
            text = path.read_bytes()
        except OSError as e:
            raise ReleaseError(f"no readable policy: {e}", where=str(path)) from e
        return cls.from_json(text, where=str(path))


def policy_of(
    verify: OperatingPoint,
    *,
    search: OperatingPoint | None = None,
    likelihood: Likelihood | None = None,
) -> Policy:
    """The policy that decides at chosen operating points.

    Args:
        verify: chosen for one comparison; its prior becomes the policy's.
        search: chosen for a search (see `thresholds.fmr_for_fpir`); None = like verify.
        likelihood: calibrated score for probabilities.
    """
    return Policy(
        verify=_band(verify),
        search=_band(search or verify),
        prior=verify.prior,
        likelihood=likelihood,
    )


def _band(point: OperatingPoint) -> Band:
    """The thresholds of an operating point."""
    return Band(
        threshold=point.threshold, review_low=point.review_low, review_high=point.review_high
    )
