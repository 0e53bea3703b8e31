"""A loss of what a small network makes of rows, which is thrown away when the tower has learned.

What a loss of variants makes rows forget, such as colour, is then forgotten behind the network and
not in the embedding.

Source: Chen et al. 2020, A Simple Framework for Contrastive Learning of Visual Representations.
"""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor, nn

from gemel.train.losses.averages import Loss
from gemel.train.relations import Relations


class Projector(nn.Module):
    """Rows (b, d) to unit rows (b, d), by one hidden layer; it learns as fast as a tower does."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))

    def forward(self, rows: Tensor) -> Tensor:
        """Unit rows, (b, d)."""
        return F.normalize(self.layers(rows), dim=1)


class Projected(nn.Module):
    """A loss behind a projector.

    Args:
        loss: of rows and relations.
        dim: of the rows.
    """

    def __init__(self, loss: Loss, dim: int) -> None:
        super().__init__()
        self.loss = loss
        self.projector = Projector(dim)

    def forward(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        beside = relations.references
        if beside is not None:
            relations = replace(relations, references=self.projector(beside))
        cost: Tensor = self.loss(self.projector(rows), relations)
        return cost
