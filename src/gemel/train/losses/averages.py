"""What losses are made of: cosines of rows, costs beyond a bound, and their means over pairs."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from gemel.settings import Margin
from gemel.train.relations import Relations

Average = Literal["active", "all"]

FLOOR = -1e4
"""Log of nothing: finite, since rows without a negative must not make NaN gradients."""


class Loss(Protocol):
    """A number that falls as what belongs together comes together and the rest parts."""

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""


def unit_columns(rows: Tensor, references: Tensor | None = None) -> Tensor:
    """Rows, then references, of length one: (b + r, d); a row of zeros stays one."""
    unit = F.normalize(rows, dim=1)
    return unit if references is None else torch.cat([unit, F.normalize(references, dim=1)])


def cosine(rows: Tensor, references: Tensor | None = None) -> Tensor:
    """Cosine of every row with every row, then with references; that of a row of zeros is 0.

    Args:
        rows: (b, d).
        references: (r, d).
    Returns:
        (b, b + r).
    """
    columns = unit_columns(rows, references)
    return columns[: len(rows)] @ columns.T


def ramp(excess: Tensor, margin: Margin) -> Tensor:
    """Cost of exceeding a bound: zero below it (hard) or smoothly towards zero (soft)."""
    return F.relu(excess) if margin == "hard" else F.softplus(excess)


def mean(total: Tensor, n: Tensor) -> Tensor:
    """Total over a count, or over a sum of weights; zero where there is neither."""
    return total / n.clamp(min=1e-12 if n.is_floating_point() else 1).to(total.dtype)


def sums(
    cost: Tensor, mask: Tensor, average: Average, weight: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Sum of the selected costs, and how many count: all, or those above zero."""
    cost = cost.masked_fill(~mask, 0.0)
    counted = cost > 0 if average == "active" else mask
    if weight is None:
        return cost.sum(), counted.sum()
    return (cost * weight).sum(), (counted * weight).sum()


def masked_mean(
    cost: Tensor, mask: Tensor, average: Average, weight: Tensor | None = None
) -> Tensor:
    """Weighted mean of the selected costs, or of those among them that are above zero."""
    return mean(*sums(cost, mask, average, weight))


def log_weight(weight: Tensor | None) -> Tensor | float:
    """What a pair of a weight adds to its exponent, so that weight 2 counts as two pairs."""
    return 0.0 if weight is None else weight.clamp(min=1e-12).log()


def log_sum(exponent: Tensor, mask: Tensor, weight: Tensor | None = None) -> Tensor:
    """Log of the weighted sum of exponentials of the selected ones in each row: (b, 1)."""
    kept = (exponent + log_weight(weight)).masked_fill(~mask, FLOOR)
    if kept.shape[1] == 0:
        return kept.sum(dim=1, keepdim=True) + FLOOR
    return kept.logsumexp(dim=1, keepdim=True)


def once(relations: Relations) -> tuple[Tensor, Tensor]:
    """Positives and negatives with one of each mirrored pair left, that above the diagonal."""
    positive, negative = relations.positive, relations.negative
    b = len(positive)
    known = (positive | negative)[:, :b]
    mirrored = torch.zeros_like(positive)
    mirrored[:, :b] = known.T & torch.ones_like(known).tril(-1)
    return positive & ~mirrored, negative & ~mirrored
