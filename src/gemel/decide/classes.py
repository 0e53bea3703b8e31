"""When an item of a class, of an unknown class, or one to look at: the policy of classification.

An item is unknown when it is too strange for every class there is: the largest p-value is at most
alpha. How scores are made is known elsewhere; here is what they mean. Where no policy of classes
could be calibrated, the threshold of a search decides instead.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import numpy as np

from gemel.arrays import Float32, Float64, Int64
from gemel.decide.conformal import Calibration, classes_needed
from gemel.decide.outcomes import ClassOutcome as ClassOutcome
from gemel.encode.scatter import Scatter
from gemel.errors import ConfigError, DataError

Method = Literal["nearest", "prototype", "knn", "mahalanobis"]

GUARANTEE = (
    "an item of a class that is enrolled is called unknown with a probability of at most alpha, on "
    "average over classes drawn as those of dev were (not for each class by itself), if the class "
    "has as many supports as were calibrated; with more supports fewer such items are expected"
)


class Level(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What scores mean for classes with so many supports.

    Args:
        shots: supports of a class, at least 1.
        temperature: of the probabilities, > 0.
        calibration: minus the score of items with their own class, of held-out classes.
    """

    shots: int
    temperature: float
    calibration: Calibration


class ClassPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decisions about classes that come and go.

    Args:
        method: how a class is scored.
        alpha: share of items of known classes that may be called unknown, in (0, 1).
        levels: by shots, ascending, the first with one.
        within: spread within a class, for the method that needs it.
        usual: spread of what the encoder was calibrated on.
        strangeness: distance of held-out items of dev from `usual`.
    Raises:
        ConfigError: levels are missing or cannot support alpha.
    """

    method: Method
    alpha: float
    levels: tuple[Level, ...]
    usual: Scatter
    strangeness: Calibration
    within: Scatter | None = None

    def __post_init__(self) -> None:
        shots = [level.shots for level in self.levels]
        if not shots or shots[0] != 1 or shots != sorted(set(shots)):
            raise ConfigError(
                f"levels of {shots} shots, expected 1 and then more", where="classify"
            )
        try:
            for level in self.levels:
                check_alpha(self.alpha, level.calibration.n_classes)
        except DataError as e:
            raise ConfigError(e.what, where="classify", hint=e.hint) from e

    def level(self, n_supports: int) -> Level:
        """The level with the most shots that a class of so many supports has."""
        return [level for level in self.levels if level.shots <= max(n_supports, 1)][-1]

    def p_values(self, scores: Float32, n_supports: Int64) -> Float64:
        """How usual each score would be if the item were of that class.

        Args:
            scores: (q, n_classes), higher = more alike.
            n_supports: (n_classes,) supports of each.
        Returns:
            (q, n_classes) float64.
        """
        shots = np.array([level.shots for level in self.levels])
        of_class = np.searchsorted(shots, np.maximum(n_supports, 1), side="right") - 1
        p = np.empty(scores.shape)
        for i, level in enumerate(self.levels):
            p[:, of_class == i] = level.calibration.p_values(-scores[:, of_class == i])
        return p

    def outcome(self, p_values: Float64, best: int) -> ClassOutcome:
        """What is said about one item.

        Args:
            p_values: (n_classes,) of all classes that there are.
            best: position of the class with the highest score.
        Returns:
            `unknown` if it is too strange for every class; `review` if for the best one, but not
            for all; else `class`.
        """
        possible = p_values > self.alpha
        if not possible.any():
            return "unknown"
        return "class" if possible[best] else "review"

    def anomaly(self, rows: Float32) -> Float64:
        """Share of the items of dev that are more usual than these, (n,) in [0, 1).

        1 - p of a conformal p-value over classes: an item like those of dev, of any class, reaches
        1 - alpha with a probability of at most alpha.

        Args:
            rows: (n, d) float32, unit rows.
        """
        return 1 - self.strangeness.p_values(self.usual.distance(rows))


def check_alpha(alpha: float, n_classes: int) -> None:
    """Raise unless so many calibration classes can give a p-value as small as alpha.

    Raises:
        DataError: they cannot; says how many are needed.
    """
    if not 0 < alpha < 1:
        raise DataError(f"alpha is {alpha}, must lie between 0 and 1")
    needed = classes_needed(alpha)
    if n_classes < needed:
        raise DataError(
            f"alpha = {alpha:g} needs {needed} calibration classes, there are {n_classes}",
            hint=f"add identities with two records or more, or set alpha to "
            f"{math.ceil(1000 / (n_classes + 1)) / 1000:g} or more",
        )
