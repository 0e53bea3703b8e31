"""Supervision that learns or remembers: proxies of classes, rows of earlier batches.

Both are modules: what they learn is optimised with the tower, what they hold is part of its
checkpoint, so that a run that was killed goes on with the same bits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.train.losses import Loss
from gemel.train.relations import Relations

Knows = Callable[[Tensor, Tensor | None, Tensor | None], Relations]
"""What is known of a batch: its labels, references, and their labels (-1: nothing is known)."""


def by_identity(
    labels: Tensor, references: Tensor | None = None, of_references: Tensor | None = None
) -> Relations:
    """Rows of one identity belong together; references of unknown identity are not looked at."""
    found = Relations.of_labels(labels, references=references, of_references=of_references)
    if of_references is None:
        return found
    known = torch.cat([torch.ones_like(labels, dtype=torch.bool), of_references >= 0])
    return Relations(found.positive & known, found.negative & known, references=references)


class ByProxy(nn.Module):
    """A loss of rows against one learned proxy for each class, which are its only columns.

    Args:
        loss: of rows and relations.
        start: (c, d) proxies before training; labels are 0 to c - 1.
    """

    def __init__(self, loss: Loss, start: Tensor) -> None:
        super().__init__()
        self.loss = loss
        self.proxies = nn.Parameter(F.normalize(start, dim=1))

    @classmethod
    def at_means(cls, loss: Loss, rows: Tensor, labels: Tensor) -> ByProxy:
        """Proxies that start where the (n, d) rows of their class lie, (n,) labels."""
        means = torch.zeros(int(labels.max()) + 1, rows.shape[1])
        return cls(loss, means.index_add(0, labels, rows))

    def forward(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (b, d) rows with (b,) int64 labels."""
        own = F.one_hot(labels, len(self.proxies)).bool()
        beside = torch.zeros(len(rows), len(rows), dtype=torch.bool, device=rows.device)
        positive, negative = torch.cat([beside, own], 1), torch.cat([beside, ~own], 1)
        return self.loss(rows, Relations(positive, negative, references=self.proxies))


class Remembering(nn.Module):
    """A loss whose batches are compared with the rows of earlier ones as well.

    Rows age as the tower learns, so that they should not be kept for many epochs.

    Args:
        loss: of rows and relations.
        knows: what is known of rows by their labels.
        n_rows: that are remembered, the latest.
        n_dims: of a row.

    Source: Wang et al. 2020, Cross-Batch Memory for Embedding Learning.
    """

    rows: Tensor
    labels: Tensor
    place: Tensor

    def __init__(self, loss: Loss, knows: Knows, n_rows: int, n_dims: int) -> None:
        super().__init__()
        self.loss, self.knows = loss, knows
        self.register_buffer("rows", torch.zeros(n_rows, n_dims))
        self.register_buffer("labels", torch.full((n_rows,), -1, dtype=torch.int64))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))

    def forward(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (b, d) rows with (b,) int64 labels, which are then remembered."""
        held, of_held = self.rows.clone(), self.labels.clone()
        cost = self.loss(rows, self.knows(labels, held, of_held))
        with torch.no_grad():
            n = min(len(rows), len(self.rows))
            at = (int(self.place) + torch.arange(n, device=rows.device)) % len(self.rows)
            self.rows[at] = rows.detach()[-n:].to(self.rows.dtype)
            self.labels[at] = labels[-n:]
            self.place.copy_((self.place + n) % len(self.rows))
        return cost
