"""What was measured about classification, as declared structs: a part of the evidence."""

from __future__ import annotations

import msgspec

from gemel.calibrate.rates.intervals import Estimate
from gemel.decide.classes import Method
from gemel.tasks.openset import OpenSet


class MethodAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Share of right classes in episodes of dev, unknown not being an answer."""

    method: Method
    shots: int
    accuracy: float


class ClassLevel(msgspec.Struct, frozen=True, kw_only=True):
    """The policy on episodes of eval, half of the items being of classes that are not enrolled.

    Attributes:
        shots: supports per class.
        ways: classes of an episode.
        n_classes: identities that took part.
        accuracy: share of right classes among items of known ones, unknown not being an answer.
        false_unknown: share of items of known classes that were called unknown.
        false_known: share of items of unknown classes that were given one.
        open_set: measures at other thresholds.
    """

    shots: int
    ways: int
    n_classes: int
    accuracy: Estimate
    false_unknown: Estimate
    false_known: Estimate
    open_set: OpenSet


class ClassEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured about classification.

    Attributes:
        alpha: share of items of known classes that may be called unknown.
        guarantee: what holds, in words.
        n_calibration: classes behind each level, by shots.
        dev: each method, where it was chosen.
        eval: the policy, by shots.
        unusual: share of the items of eval whose anomaly reaches 1 - alpha; None without one.
        notes: which numbers of supports are not calibrated, and why.
    """

    alpha: float
    guarantee: str
    n_calibration: dict[int, int]
    dev: tuple[MethodAccuracy, ...]
    eval: tuple[ClassLevel, ...]
    unusual: Estimate | None
    notes: tuple[str, ...] = ()
