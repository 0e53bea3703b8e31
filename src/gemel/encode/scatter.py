"""How embeddings spread around a centre: along a few main directions, and evenly in all others.

The covariance is shrunk, so that a few hundred rows are enough, and stored by its main directions,
so that a policy can carry it. Whitened rows have a plain distance that counts a step as large as it
is unusual. Whose rows they are is not known here.
"""

from __future__ import annotations

from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32, Float64
from gemel.errors import DataError, ReleaseError

N_DIRECTIONS = 32
BLOCK = 1 << 16
"""Rows that are whitened at a time."""
FLOOR = 1e-9
"""Smallest variance: rows that are all alike have a spread, too."""


class Scatter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A centre and a covariance, as numbers for a JSON file.

    Args:
        dim: length of an embedding.
        centre: dim float32, little-endian.
        directions: (r, dim) float32, orthonormal main directions.
        variances: r float32, along them.
        rest: variance along every other direction, > 0.
        shrinkage: weight of the even covariance that the measured one was mixed with.
    Raises:
        ReleaseError: the parts do not fit together.
    """

    dim: int
    centre: bytes
    directions: bytes
    variances: bytes
    rest: float
    shrinkage: float

    def __post_init__(self) -> None:
        n = len(self.variances) // 4
        fits = len(self.centre) == 4 * self.dim and len(self.directions) == 4 * n * self.dim
        if not (fits and self.rest > 0 and (_floats(self.variances) > 0).all()):
            raise ReleaseError("a spread whose parts do not fit together", where="policy.json")

    @classmethod
    def of(cls, rows: NDArray[Any], *, n_free: int | None = None) -> Self:
        """The spread of (n, d) rows.

        Args:
            rows: real numbers.
            n_free: independent rows if the rows are already differences from some centres, which
                then is zero (see `within`); None takes their mean as the centre.
        Raises:
            DataError: fewer than two independent rows.
        Source: Chen, Wiesel, Eldar and Hero 2010, Shrinkage algorithms for MMSE covariance
            estimation (OAS).
        Example:
            >>> Scatter.of(np.eye(3)).dim
            3
        """
        x = np.asarray(rows, np.float64)
        centre = np.zeros(x.shape[1]) if n_free is not None else x.mean(axis=0)
        n = len(x) - 1 if n_free is None else n_free
        if n < 1:
            raise DataError("a spread needs two rows or more")
        x = x - centre
        dim = x.shape[1]
        covariance = x.T @ x / n
        gamma = oas_shrinkage(covariance, n)
        variance, axes = np.linalg.eigh(covariance)
        variance = (1 - gamma) * variance[::-1] + gamma * np.trace(covariance) / dim
        r = min(N_DIRECTIONS, dim - 1)
        return cls(
            dim=dim,
            centre=_bytes(centre),
            directions=_bytes(axes.T[::-1][:r]),
            variances=_bytes(np.maximum(variance[:r], FLOOR)),
            rest=max(float(variance[r:].mean()), FLOOR),
            shrinkage=gamma,
        )

    def whitened(self, rows: Float32) -> Float32:
        """Rows whose plain distance from each other is their Mahalanobis distance: (n, d)."""
        x = rows - _floats(self.centre)
        directions = _floats(self.directions).reshape(-1, self.dim)
        gain = np.sqrt(self.rest / _floats(self.variances)) - 1
        x = x + (x @ directions.T * gain) @ directions
        scaled: Float32 = (x / np.float32(np.sqrt(self.rest))).astype(np.float32)
        return scaled

    def distance(self, rows: Float32) -> Float32:
        """Mahalanobis distance of each row from the centre: (n,) float32."""
        out = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), BLOCK):
            part = slice(start, start + BLOCK)
            out[part] = np.linalg.norm(self.whitened(rows[part]), axis=1)
        return out


def within(rows: Float32, labels: NDArray[np.int64]) -> Scatter:
    """The spread of rows around the mean of their class, pooled over classes; its centre is zero.

    Args:
        rows: (n, d).
        labels: (n,) codes >= 0.
    Raises:
        DataError: no class has two rows.
    """
    _, code, count = np.unique(labels, return_inverse=True, return_counts=True)
    if count.max(initial=0) < 2:
        raise DataError("no class has two records, so the spread within a class is unknown")
    total = np.zeros((len(count), rows.shape[1]))
    np.add.at(total, code, rows)
    return Scatter.of(rows - (total / count[:, None])[code], n_free=len(rows) - len(count))


def oas_shrinkage(covariance: Float64, n: int) -> float:
    """Weight of the even covariance that minimises the expected squared error, in [0, 1].

    Args:
        covariance: (d, d), of n independent rows.
        n: number of rows.
    Source: Chen et al. 2010, equation 23, with the corrections of scikit-learn.
    """
    dim = len(covariance)
    power, mean = float(np.mean(covariance**2)), float(np.trace(covariance) / dim)
    below = (n + 1) * (power - mean**2 / dim)
    return 1.0 if below <= 0 else min((power + mean**2) / below, 1.0)


def _bytes(values: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(values, "<f4").tobytes()


def _floats(data: bytes) -> Float32:
    return np.frombuffer(data, "<f4")
