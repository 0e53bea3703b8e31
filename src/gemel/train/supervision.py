"""Supervision besides plain identity: proxies of classes, earlier batches, records of two kinds.

The first two are modules: what they learn is optimised with the tower, what they hold is part of
its checkpoint, so that a run that was killed goes on with the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.arrays import Int64
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


@dataclass(frozen=True)
class Across:
    """A loss on rows of two kinds, each of which is to find its identity among the other kind.

    Args:
        loss: of rows and relations.
    Source: Radford et al. 2021, Learning Transferable Visual Models From Natural Language
        Supervision, where the loss is InfoNCE with a learned temperature.
    """

    loss: Loss

    def __call__(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (b, d) rows with (b,) labels, see `labels_of`."""
        return self.loss(rows, by_kind(labels))


def labels_of(identities: Int64, kinds: Int64) -> Int64:
    """(n,) labels that hold the identity and the kind, 0 or 1, of each record."""
    return 2 * identities + kinds


def by_kind(
    labels: Tensor, references: Tensor | None = None, of_references: Tensor | None = None
) -> Relations:
    """Rows of one identity and two kinds belong together; those of one kind are not compared.

    Args:
        labels: (b,) int64, see `labels_of`.
        references: (r, d) rows beside the batch.
        of_references: (r,) their labels; -1: nothing is known of them.
    """
    columns = labels if of_references is None else torch.cat([labels, of_references])
    across = (labels[:, None] % 2 != columns[None, :] % 2) & (columns >= 0)[None, :]
    same = labels[:, None] // 2 == columns[None, :] // 2
    return Relations(same & across, ~same & across, references=references)


def one_of_each(identities: Int64, kinds: Int64) -> Int64:
    """(m, 2) positions of pairs of one of each kind, of one identity; each record is in some.

    Args:
        identities: (n,) codes.
        kinds: (n,) 0 or 1.
    """
    pairs = []
    order = np.argsort(identities, kind="stable")
    ends = np.flatnonzero(np.diff(identities[order])) + 1
    for group in np.split(order, ends):
        first, second = (group[kinds[group] == kind] for kind in (0, 1))
        if len(first) and len(second):
            i = np.arange(max(len(first), len(second)))
            pairs.append(np.stack([first[i % len(first)], second[i % len(second)]], axis=1))
    return np.concatenate([np.zeros((0, 2), np.int64), *pairs])
