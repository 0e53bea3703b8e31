"""The plug point for losses: contrastive, triplet and InfoNCE, and what packages add.

A loss takes unit rows and their relations and gives one number. Distances are cosine distances,
1 - cos, in [0, 2], and live inside this module only. A batch without a pair or triplet to learn
from costs zero, with zero gradients, never NaN. Memory grows with b x b, also when all b^3 triplets
count.
Whatever is registered under the entry point group `gemel.losses` passes `gemel.testing.check_loss`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gemel.errors import ConfigError
from gemel.registry import Registry
from gemel.settings import Margin, Mining
from gemel.train import miners
from gemel.train.relations import Relations

Average = Literal["active", "all"]

CHUNK = 1 << 22
"""Triplets looked at in one piece; 4 M float32 are 16 MB, a few times over."""


REGISTRY = Registry(
    "loss",
    "gemel.losses",
    {name: f"gemel.train.losses:{name}" for name in ("contrastive", "triplet", "infonce")},
    where="train.loss",
)
"""Makers by name, called with `mining` and `margin`; they raise ConfigError for what they lack."""


class Loss(Protocol):
    """A number that falls as what belongs together comes together and the rest parts."""

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""


@dataclass(frozen=True)
class ByIdentity:
    """A loss on rows that are of one identity or not: what a batch with labels is trained by."""

    loss: Loss

    def __call__(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (b, d) rows with (b,) int64 labels."""
        return self.loss(rows, Relations.of_labels(labels))


def cosine(rows: Tensor, references: Tensor | None = None) -> Tensor:
    """Cosine of every row with every row, then with references; that of a row of zeros is 0.

    Args:
        rows: (b, d).
        references: (r, d).
    Returns:
        (b, b + r).
    """
    unit = F.normalize(rows, dim=1)
    if references is None:
        return unit @ unit.T
    return unit @ torch.cat([unit, F.normalize(references, dim=1)]).T


def _ramp(excess: Tensor, margin: Margin) -> Tensor:
    """Cost of exceeding a bound: zero below it (hard) or smoothly towards zero (soft)."""
    return F.relu(excess) if margin == "hard" else F.softplus(excess)


def _mean(total: Tensor, n: Tensor) -> Tensor:
    """Total over a count, or over a sum of weights; zero where there is neither."""
    return total / n.clamp(min=1e-12 if n.is_floating_point() else 1).to(total.dtype)


def _sums(
    cost: Tensor, mask: Tensor, average: Average, weight: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Sum of the selected costs, and how many count: all, or those above zero."""
    cost = cost.masked_fill(~mask, 0.0)
    counted = cost > 0 if average == "active" else mask
    if weight is None:
        return cost.sum(), counted.sum()
    return (cost * weight).sum(), (counted * weight).sum()


def _masked_mean(
    cost: Tensor, mask: Tensor, average: Average, weight: Tensor | None = None
) -> Tensor:
    """Weighted mean of the selected costs, or of those among them that are above zero."""
    return _mean(*_sums(cost, mask, average, weight))


@dataclass(frozen=True)
class Contrastive:
    """Positives closer than one margin, negatives farther than another.

    Args:
        positive_margin: cosine distance below which a positive costs nothing.
        negative_margin: cosine distance above which a negative costs nothing.
        mining: `hard` keeps the farthest positive and the closest negative of each row,
            `semi-hard` the negatives that are farther than the row's closest positive.
        margin: `hard` is a hinge, `soft` a softplus with the given sharpness.
        average: over pairs that cost something, or over all selected pairs.
        sharpness: of the soft margin, per unit of distance.

    Source: Hadsell et al. 2006, Dimensionality Reduction by Learning an Invariant Mapping.
    """

    positive_margin: float = 0.0
    negative_margin: float = 0.7
    mining: Mining = "all"
    margin: Margin = "hard"
    average: Average = "active"
    sharpness: float = 10.0

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        distance = 1.0 - cosine(rows, relations.references)
        positive, negative, weight = relations.positive, relations.negative, relations.weight
        if self.mining == "hard":
            positive = miners.hardest(distance, positive, closest=False)
            negative = miners.hardest(distance, negative, closest=True)
        elif self.mining == "semi-hard":
            negative = miners.beyond_positives(distance, positive, negative)
        near = self._cost(distance - self.positive_margin)
        far = self._cost(self.negative_margin - distance)
        return _masked_mean(near, positive, self.average, weight) + _masked_mean(
            far, negative, self.average, weight
        )

    def _cost(self, excess: Tensor) -> Tensor:
        if self.margin == "hard":
            return _ramp(excess, "hard")
        return _ramp(excess * self.sharpness, "soft") / self.sharpness


@dataclass(frozen=True)
class Triplet:
    """Each positive closer to its anchor than each negative, by a margin.

    Args:
        distance_margin: by how much, in cosine distance.
        mining: every triplet (`all`), those whose negative is farther than the positive but
            inside the margin (`semi-hard`), or per row the farthest positive with the closest
            negative (`hard`).
        margin: `hard` is a hinge, `soft` a softplus.
        average: over triplets that cost something, or over all selected ones.

    Source: Schroff et al. 2015, FaceNet; Hermans et al. 2017, In Defense of the Triplet Loss.
    """

    distance_margin: float = 0.2
    mining: Mining = "all"
    margin: Margin = "hard"
    average: Average = "active"

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        distance = 1.0 - cosine(rows, relations.references)
        positive, negative, weight = relations.positive, relations.negative, relations.weight
        if self.mining == "hard":
            positive = miners.hardest(distance, positive, closest=False)
            negative = miners.hardest(distance, negative, closest=True)
        anchor, other = positive.nonzero(as_tuple=True)
        total = distance.sum() * 0.0
        n = torch.zeros((), dtype=torch.int64, device=rows.device)
        step = max(1, CHUNK // max(1, distance.shape[1]))
        for start in range(0, len(anchor), step):
            pairs = anchor[start : start + step], other[start : start + step]
            part, n_part = self._piece(distance, pairs, negative, weight)
            total, n = total + part, n + n_part
        return _mean(total, n)

    def _piece(
        self,
        distance: Tensor,
        pairs: tuple[Tensor, Tensor],
        negative: Tensor,
        weight: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Summed cost and count of the triplets of some anchor-positive pairs.

        A triplet weighs as much as its two pairs, multiplied. The (m, c) intermediates are
        recomputed in the backward pass: only the (b, c) distances stay in memory between the two.
        """
        anchor, other = pairs
        weights = None if weight is None else weight[anchor, other][:, None] * weight[anchor]

        def cost(distance: Tensor) -> tuple[Tensor, Tensor]:
            d_ap, d_an = distance[anchor, other], distance[anchor]
            mask = miners.triplets(d_ap, d_an, negative[anchor], self.distance_margin, self.mining)
            excess = d_ap[:, None] - d_an + self.distance_margin
            return _sums(_ramp(excess, self.margin), mask, self.average, weights)

        if len(anchor) * distance.shape[1] < CHUNK // 4:
            return cost(distance)
        return cast(
            "tuple[Tensor, Tensor]",
            checkpoint(cost, distance, use_reentrant=False, preserve_rng_state=False),
        )


@dataclass(frozen=True)
class InfoNCE:
    """Each positive recognised among all negatives of its anchor.

    For anchor a and positive p: log(1 + sum_n exp((s_an - s_ap) / t)), averaged over pairs. Each
    positive stands alone against the negatives, so the loss never rises when a positive comes
    closer, which the supervised-contrastive form with all positives in the denominator does.

    Args:
        temperature: t; small values look at the hardest negatives only.

    Source: van den Oord et al. 2018, Representation Learning with Contrastive Predictive Coding;
        Chen et al. 2020, A Simple Framework for Contrastive Learning (NT-Xent).
    """

    temperature: float = 0.1

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows; a negative of weight w counts as w negatives."""
        score = cosine(rows, relations.references) / self.temperature
        # A finite floor instead of -inf: rows without a negative must not make NaN gradients.
        floor = -1e4
        others = score.masked_fill(~relations.negative, floor)
        if relations.weight is not None:
            others = others + relations.weight.clamp(min=1e-12).log()
        cost = F.softplus(others.logsumexp(dim=1, keepdim=True) - score)
        return _masked_mean(cost, relations.positive, "all", relations.weight)


def contrastive(*, mining: Mining, margin: Margin) -> Loss:
    """The contrastive loss with its measured defaults."""
    return Contrastive(mining=mining, margin=margin)


def triplet(*, mining: Mining, margin: Margin) -> Loss:
    """The triplet loss with its measured defaults."""
    return Triplet(mining=mining, margin=margin)


def infonce(*, mining: Mining, margin: Margin) -> Loss:
    """InfoNCE with its measured defaults.

    Raises:
        ConfigError: it is to mine.
    """
    if mining != "all":
        raise ConfigError(
            f"loss 'infonce' weighs all pairs of a batch, it cannot mine {mining!r}",
            where="train.mining",
            hint="set train.mining = 'all', or train.loss = 'triplet'",
        )
    return InfoNCE()


def named(name: str, *, mining: Mining = "all", margin: Margin = "hard") -> Loss:
    """The loss of that name with its measured defaults.

    Raises:
        ConfigError: there is none, or it cannot mine that way.
    """
    loss: Loss = REGISTRY.load(name)(mining=mining, margin=margin)
    return loss
