"""A loss of rows and of their first halves, quarters and eighths, so that they can be cut.

What tells records apart comes to stand first: an embedding of which the tail is dropped is still
one, without a network that was made for it.

Source: Kusupati et al. 2022, Matryoshka Representation Learning, with equal weights.
"""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor, nn

from gemel.train.losses.averages import Loss
from gemel.train.relations import Relations

DIVISORS = (2, 4, 8)
"""Of the dimensions of a row."""
LEAST_DIM, STEP = 16, 8


def cut_to(dim: int, divisor: int) -> int:
    """How many of so many dimensions are left; less than `LEAST_DIM` are not worth it."""
    return dim // divisor // STEP * STEP


class Nested(nn.Module):
    """The mean of a loss over the rows and their first parts, each of length one.

    Args:
        loss: of rows and relations; what it learns is learned of all lengths together.
    """

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        costs = []
        dim = rows.shape[1]
        shorter = [cut_to(dim, divisor) for divisor in DIVISORS]
        for few in (dim, *(few for few in shorter if few >= LEAST_DIM)):
            beside = relations.references
            if beside is not None:
                beside = F.normalize(beside[:, :few], dim=1)
            cut = replace(relations, references=beside)
            costs.append(self.loss(F.normalize(rows[:, :few], dim=1), cut))
        total: Tensor = sum(costs[1:], costs[0])
        return total / len(costs)
