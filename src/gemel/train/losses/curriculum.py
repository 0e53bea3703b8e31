"""A loss that mines semi-hard negatives until they teach no more, and then the hardest.

The hardest negatives of an untrained tower are noise, and pull all rows into one point; those of a
trained one are what is left to learn.

Source: Schroff et al. 2015, FaceNet, on why the hardest are not to be begun with.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gemel.train.losses.averages import Loss
from gemel.train.relations import Relations


class Curriculum(nn.Module):
    """One loss mined in two ways, the second from the first epoch on after which dev is no better.

    What was seen of dev is part of its state, so that a killed run turns at the same epoch.

    Args:
        first: mines semi-hard negatives.
        then: the hardest.
    """

    best: Tensor
    judgements: Tensor
    turned: Tensor

    def __init__(self, first: Loss, then: Loss) -> None:
        super().__init__()
        self.first, self.then = first, then
        self.register_buffer("best", torch.tensor(-torch.inf, dtype=torch.float64))
        self.register_buffer("judgements", torch.zeros((), dtype=torch.int64))
        self.register_buffer("turned", torch.full((), -1, dtype=torch.int64))

    def judge(self, metric: float) -> None:
        """Take in the dev metric of an epoch, of that before training first."""
        if metric <= float(self.best) and int(self.turned) < 0:
            self.turned.fill_(int(self.judgements))
        self.best.fill_(max(metric, float(self.best)))
        self.judgements.add_(1)

    def forward(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        cost: Tensor = (self.first if int(self.turned) < 0 else self.then)(rows, relations)
        return cost

    @property
    def note(self) -> str:
        """When it turned, for people; empty before."""
        if int(self.turned) < 0:
            return ""
        return f"the hardest negatives from epoch {int(self.turned) + 1} on: dev was no better"
