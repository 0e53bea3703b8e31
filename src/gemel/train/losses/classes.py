"""Losses on classes: a margin on the angle to one's own class, class means, learned proxies.

What stands for a class is a column of the relations. `supervision.ByProxy` puts learned proxies
there; without them the other rows of the batch are the columns, and the losses hold all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gemel.train.losses.averages import Loss, cosine, log_sum, masked_mean, mean, unit_columns
from gemel.train.relations import Relations


@dataclass(frozen=True)
class Classwise:
    """A loss that wants a column for each class; without any, the rows of the batch are columns."""

    loss: Loss

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        return self.loss(rows, relations)


@dataclass(frozen=True)
class AngularMargin:
    """Each row recognised as of its column among those of others, with a margin against it.

    log(1 + sum_n exp(k (cos t_n - m(t_p)))), where m(t) = cos(t + margin) for ArcFace, kept falling
    beyond pi, and cos(t) - margin for CosFace; averaged over positive pairs.

    Args:
        kind: `arcface` or `cosface`.
        margin: in radians, or of the cosine.
        scale: k.

    Source: Deng et al. 2019, ArcFace; Wang et al. 2018, CosFace.
    """

    kind: Literal["arcface", "cosface"] = "arcface"
    margin: float = math.radians(28.6)
    scale: float = 64.0

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        score = cosine(rows, relations.references)
        own = score - self.margin
        if self.kind == "arcface":
            # Away from +-1, where the angle has no gradient.
            angle = score.clamp(-1 + 1e-7, 1 - 1e-7).acos()
            past = score - self.margin * math.sin(self.margin)
            own = torch.where(angle <= math.pi - self.margin, (angle + self.margin).cos(), past)
        others = log_sum(self.scale * score, relations.negative, relations.weight)
        cost = F.softplus(others - self.scale * own)
        return masked_mean(cost, relations.positive, "all", relations.weight)


@dataclass(frozen=True)
class ProxyAnchor:
    """Each column pulls its rows together and pushes those of others, the hard ones most.

    The mean over columns with positives of log(1 + sum exp(-a (s - m))), and over all columns of
    log(1 + sum exp(a (s + m))).

    Args:
        margin: m.
        scale: a.

    Source: Kim et al. 2020, Proxy Anchor Loss for Deep Metric Learning.
    """

    margin: float = 0.1
    scale: float = 32.0

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        score = cosine(rows, relations.references).T
        positive, negative = relations.positive.T, relations.negative.T
        weight = None if relations.weight is None else relations.weight.T
        near = F.softplus(log_sum(-self.scale * (score - self.margin), positive, weight))
        far = F.softplus(log_sum(self.scale * (score + self.margin), negative, weight))
        known = (positive | negative).any(dim=1, keepdim=True)
        return masked_mean(near, positive.any(dim=1, keepdim=True), "all") + masked_mean(
            far, known, "all"
        )


@dataclass(frozen=True)
class Prototypical:
    """Each row recognised as of the mean of the other rows of its class, among all class means.

    A batch is an episode: the support of a row are all its positives, those of other classes are
    their rows. Squared Euclidean distances of unit rows, over a temperature.

    Args:
        temperature: that distances are divided by; 1 as in the paper, whose rows are longer.

    Source: Snell et al. 2017, Prototypical Networks for Few-shot Learning.
    """

    temperature: float = 0.1

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows; a row weighs as its positives do."""
        b = len(rows)
        columns = unit_columns(rows, relations.references)
        positive, negative, weight = relations.positive, relations.negative, relations.weight
        of_pair = positive.to(rows.dtype) if weight is None else positive * weight
        mass = of_pair.sum(dim=1, keepdim=True)
        own = of_pair @ columns / mass.clamp(min=1e-12)
        # A class has as many columns as rows: each is its whole mean and counts as a share of it.
        belongs = torch.eye(len(columns), dtype=rows.dtype, device=rows.device)
        belongs[:b] += positive
        belongs[b:, :b] += positive[:, b:].T
        size = belongs.sum(dim=1, keepdim=True)
        means = belongs @ columns / size
        apart = _squared(columns[:b], means)
        share = (1.0 / size.T).expand(b, -1)
        share = share if weight is None else share * weight
        others = log_sum(-apart / self.temperature, negative, share)
        near = -(columns[:b] - own).square().sum(dim=1, keepdim=True) / self.temperature
        count = positive.sum(dim=1, keepdim=True)
        of_row = mass / count.clamp(min=1)
        cost = F.softplus(others - near) * of_row * (count > 0)
        return mean(cost.sum(), of_row.sum())


def _squared(rows: Tensor, means: Tensor) -> Tensor:
    """Squared Euclidean distances, (b, c)."""
    lengths = rows.square().sum(dim=1, keepdim=True) + means.square().sum(dim=1)[None]
    return lengths - 2 * rows @ means.T
