"""Losses without negatives: what belongs together agrees, and the dimensions stay apart.

Made for two views of each record (Relations that pair them); any positive pairs will do, each taken
both ways round. Rows are of length one, so that they are stretched by the root of their dimensions:
then a dimension that is used has a variance about 1, as the papers take for granted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gemel.train.losses.averages import unit_columns
from gemel.train.relations import Relations


def _sides(rows: Tensor, relations: Relations) -> tuple[Tensor, Tensor, Tensor]:
    """Both ends of the positive pairs, (m, d), and what each pair weighs, (m, 1), in all m."""
    positive = relations.positive
    left, right = positive.nonzero(as_tuple=True)
    columns = unit_columns(rows, relations.references) * rows.shape[1] ** 0.5
    weight = torch.ones_like(positive, dtype=rows.dtype)
    if relations.weight is not None:
        weight = relations.weight.to(rows.dtype)
    of_pair = weight[left, right][:, None]
    return columns[left], columns[right], of_pair * len(left) / of_pair.sum().clamp(min=1e-12)


def _off_diagonal(square: Tensor) -> Tensor:
    """Sum of the squares of a matrix without those of its diagonal."""
    return square.square().sum() - square.diagonal().square().sum()


@dataclass(frozen=True)
class VICReg:
    """Both views alike (invariance), each dimension used (variance), none twice (covariance).

    Args:
        invariance, variance, covariance: weights of the three.

    Source: Bardes et al. 2022, VICReg.
    """

    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows; weights count in the invariance."""
        one, two, weight = _sides(rows, relations)
        if len(one) < 2:
            return rows.sum() * 0.0
        alike = (weight * (one - two).square()).mean()
        total = self.invariance * alike
        for side in (one, two):
            spread = (side.var(dim=0) + 1e-4).sqrt()
            centred = side - side.mean(dim=0)
            together = centred.T @ centred / (len(side) - 1)
            total = total + self.variance * F.relu(1.0 - spread).mean() / 2
            total = total + self.covariance * _off_diagonal(together) / side.shape[1]
        return total


@dataclass(frozen=True)
class BarlowTwins:
    """The correlations of the dimensions of one view with those of the other are the identity.

    Args:
        redundancy: weight of what is beside the diagonal.

    Source: Zbontar et al. 2021, Barlow Twins: Self-Supervised Learning via Redundancy Reduction.
    """

    redundancy: float = 0.005

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows; a pair counts in the correlation as much as it weighs."""
        one, two, weight = _sides(rows, relations)
        if len(one) < 2:
            return rows.sum() * 0.0
        first, second = (_standard(side, weight) for side in (one, two))
        correlation = first.T @ (weight * second) / len(one)
        away = (1.0 - correlation.diagonal()).square().sum()
        return away + self.redundancy * _off_diagonal(correlation)


def _standard(side: Tensor, weight: Tensor) -> Tensor:
    """Columns of weighted mean 0 and variance 1; one that does not vary stays near 0."""
    centred = side - (weight * side).mean(dim=0)
    return centred / ((weight * centred.square()).mean(dim=0) + 1e-5).sqrt()
