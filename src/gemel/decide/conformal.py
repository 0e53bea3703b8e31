"""Conformal p-values whose unit of chance is the class, not the item.

Items of one class are alike, so a calibration that counts items promises too much for a class that
it has not seen. Here every calibration class counts once, however many items it gave. For an item
of a new class, drawn as the calibration classes were, P(p <= alpha) <= alpha: a guarantee on
average over classes, not for each class by itself.
"""

from __future__ import annotations

import math
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32, Float64, Int64
from gemel.errors import DataError, ReleaseError

N_KEPT = 1000
"""Values that a calibration keeps."""
ROUNDS = 20
"""Values of one class at most: more of the same class add little."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Strangeness of items of n classes, each class as often as every other.

    Args:
        n_classes: at least 1.
        values: a multiple of n_classes float32, little-endian, ascending; higher is stranger.
    Raises:
        ReleaseError: no classes, or values that do not fit them.
    Source: Lee, Barber and Willett 2023, Distribution-free inference with hierarchical data
        (arXiv 2306.06342); Vovk, Gammerman and Shafer 2005.
    """

    n_classes: int
    values: bytes

    def __post_init__(self) -> None:
        n = len(self.values) // 4
        if self.n_classes < 1 or n < 1 or n % self.n_classes or len(self.values) % 4:
            raise ReleaseError(
                f"{n} values of {self.n_classes} classes are no calibration", where="policy.json"
            )

    @classmethod
    def of(cls, strangeness: NDArray[Any]) -> Self:
        """From (n_classes, m) values, m of each class.

        Raises:
            DataError: empty, or values that are not finite.
        """
        if strangeness.ndim != 2 or not strangeness.size or not np.isfinite(strangeness).all():
            raise DataError(f"{strangeness.shape} values cannot calibrate")
        values = np.sort(strangeness.astype("<f4").ravel())
        return cls(n_classes=len(strangeness), values=values.tobytes())

    def p_values(self, strangeness: NDArray[Any]) -> Float64:
        """How unusual values are: p = (1 + n_classes * share of values >= this) / (n_classes + 1).

        Args:
            strangeness: any shape; NaN and -inf get 1, +inf the smallest p.
        Returns:
            The same shape, float64, in [1 / (n_classes + 1), 1].
        Example:
            >>> Calibration.of(np.array([[1.0], [2.0], [3.0]])).p_values(np.array([2.5, 9.0]))
            array([0.5 , 0.25])
        """
        values: Float32 = np.frombuffer(self.values, "<f4")
        given = np.asarray(strangeness, np.float32)
        n_above = len(values) - np.searchsorted(values, given, side="left")
        n_above = np.where(np.isnan(given), len(values), n_above)
        per_class = len(values) // self.n_classes
        return (1 + n_above / per_class) / (self.n_classes + 1)

    def most(self, alpha: float) -> float:
        """The highest strangeness whose p-value is above alpha.

        Raises:
            DataError: the classes are too few for a p-value as small as alpha.
        Example:
            >>> Calibration.of(np.array([[1.0], [2.0], [3.0]])).most(0.25)
            3.0
        """
        values: Float32 = np.frombuffer(self.values, "<f4")
        allowed = (alpha * (self.n_classes + 1) - 1) * (len(values) // self.n_classes)
        if allowed < -1e-9:
            raise DataError(f"{self.n_classes} classes cannot give a p-value of {alpha:g}")
        return float(values[-1 - int(allowed + 1e-9)])


def classes_needed(alpha: float) -> int:
    """Calibration classes without which no p-value can be as small as alpha.

    Example:
        >>> [classes_needed(alpha) for alpha in (0.05, 0.01)]
        [19, 99]
    """
    return math.ceil(1 / alpha - 1 - 1e-9)


def rounds_of(n_classes: int) -> int:
    """Values to take of each class: as many as fit, each class alike."""
    return max(1, min(ROUNDS, N_KEPT // n_classes))


def kept_classes(codes: Int64, seed: int) -> Int64:
    """The classes of a calibration that keeps one value of each: all, or a random 1000 of them."""
    if len(codes) <= N_KEPT:
        return codes
    return np.sort(np.random.default_rng(seed).permutation(codes)[:N_KEPT])
