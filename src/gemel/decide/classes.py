"""When an item of a class, of an unknown class, or one to look at: the policy of classification.

An item is unknown when no class is as like it as, with a probability of 1 - alpha, some class is
like an item of one of them. The more classes there are, the more like an item is the best of them,
so the threshold rises with their number. How scores are made is known elsewhere; here is what they
mean. Where no policy of classes could be calibrated, the threshold of a search decides instead.
"""

from __future__ import annotations

import itertools
import math
from typing import Literal

import msgspec
import numpy as np

from gemel.arrays import Float32, Float64, Int64
from gemel.decide.bands import matches
from gemel.decide.conformal import Calibration, classes_needed
from gemel.decide.outcomes import ClassOutcome as ClassOutcome
from gemel.encode.scatter import Scatter
from gemel.errors import ConfigError, DataError

Method = Literal["nearest", "prototype", "knn", "mahalanobis"]

GUARANTEE = (
    "an item of a class that is enrolled is called unknown with a probability of at most alpha, on "
    "average over classes drawn as those of dev were, the others that are enrolled too (not for "
    "each class by itself), if the class has as many supports as were calibrated; with more "
    "supports, or more classes than were calibrated, fewer such items are expected"
)


class Among(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The score that the best of so many classes reaches with an item of one of them.

    Args:
        n_classes: at least 2.
        least: reached with a probability of 1 - alpha.
    """

    n_classes: int
    least: float


class Level(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What scores mean for classes with so many supports.

    Args:
        shots: supports of a class, at least 1.
        temperature: of the probabilities, > 0.
        calibration: minus the score of items with their own class, of held-out classes.
        among: by how many classes there are, rising; empty where only the own class was
            calibrated.
    Raises:
        ConfigError: numbers of classes, or scores, do not rise.
    """

    shots: int
    temperature: float
    calibration: Calibration
    among: tuple[Among, ...] = ()

    def __post_init__(self) -> None:
        for less, more in itertools.pairwise(self.among):
            if not (less.n_classes < more.n_classes and less.least <= more.least):
                raise ConfigError("classes and their scores must rise", where="classify")

    def least(self, alpha: float, n_classes: int) -> float:
        """The score without which an item is of none of so many classes."""
        own = -self.calibration.most(alpha)
        return max([own, *(a.least for a in self.among if a.n_classes <= n_classes)])


class ClassPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decisions about classes that come and go.

    Args:
        method: how a class is scored.
        alpha: share of items of known classes that may be called unknown, in (0, 1).
        levels: by shots, ascending, the first with one.
        within: spread within a class, for the method that needs it.
        usual: spread of what the encoder was calibrated on; None if it had learned from all.
        strangeness: distance of held-out items of dev from `usual`; None as that.
    Raises:
        ConfigError: levels are missing or cannot support alpha.
    """

    method: Method
    alpha: float
    levels: tuple[Level, ...]
    usual: Scatter | None = None
    strangeness: Calibration | None = None
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
        of_class = self._levels(n_supports)
        p = np.empty(scores.shape)
        for i, level in enumerate(self.levels):
            p[:, of_class == i] = level.calibration.p_values(-scores[:, of_class == i])
        return p

    def least(self, n_supports: Int64, n_classes: int) -> Float64:
        """The score that each class must reach to be the one of an item, (len(n_supports),).

        Args:
            n_supports: of classes that were scored.
            n_classes: that there are, those included.
        """
        found = np.array([level.least(self.alpha, n_classes) for level in self.levels])
        least: Float64 = found[self._levels(n_supports)]
        return least

    def _levels(self, n_supports: Int64) -> Int64:
        """Position of the level of each class."""
        shots = np.array([level.shots for level in self.levels])
        return np.searchsorted(shots, np.maximum(n_supports, 1), side="right") - 1

    def anomaly(self, rows: Float32) -> Float64 | None:
        """Share of the items of dev that are more usual than these, (n,) in [0, 1), if known.

        1 - p of a conformal p-value over classes: an item like those of dev, of any class, reaches
        1 - alpha with a probability of at most alpha.

        Args:
            rows: (n, d) float32, unit rows.
        """
        if self.usual is None or self.strangeness is None:
            return None
        return 1 - self.strangeness.p_values(self.usual.distance(rows))


def outcome(scores: Float32, least: Float64) -> ClassOutcome:
    """What is said about one item.

    Args:
        scores: (n_classes,) of all classes that there are, or of those most like it.
        least: (n_classes,) that each must reach.
    Returns:
        `unknown` if no class does; `review` if one does, but not the one with the
        highest score; else `class`.
    """
    possible = matches(scores, least)
    if not possible.any():
        return "unknown"
    return "class" if possible[scores.argmax()] else "review"


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
