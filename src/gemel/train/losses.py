"""What training minimises: contrastive, triplet and InfoNCE losses on masks.

A loss takes unit rows and labels and gives one number. Distances are cosine distances, 1 - cos,
in [0, 2], and live inside this module only. A batch without a pair or triplet to learn from costs
zero, with zero gradients, never NaN. Memory grows with b x b, also when all b^3 triplets count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gemel.errors import ConfigError
from gemel.train import miners
from gemel.train.miners import Mining

Margin = Literal["hard", "soft"]
Average = Literal["active", "all"]

CHUNK = 1 << 22
"""Triplets looked at in one piece; 4 M float32 are 16 MB, a few times over."""


class Loss(Protocol):
    """A number that falls as embeddings of one identity come together and others part."""

    def __call__(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (b, d) rows with (b,) int64 labels."""


def cosine(rows: Tensor) -> Tensor:
    """Cosine of every row with every row, (b, b); a row of zeros has cosine 0 with all."""
    unit = F.normalize(rows, dim=1)
    return unit @ unit.T


def _ramp(excess: Tensor, margin: Margin) -> Tensor:
    """Cost of exceeding a bound: zero below it (hard) or smoothly towards zero (soft)."""
    return F.relu(excess) if margin == "hard" else F.softplus(excess)


def _mean(total: Tensor, n: Tensor) -> Tensor:
    return total / n.clamp(min=1).to(total.dtype)


def _masked_mean(cost: Tensor, mask: Tensor, average: Average) -> Tensor:
    """Mean of the selected costs, or of those among them that are above zero."""
    cost = cost.masked_fill(~mask, 0.0)
    n = (cost > 0).sum() if average == "active" else mask.sum()
    return _mean(cost.sum(), n)


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

    def __call__(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (b, d) rows with (b,) labels."""
        distance = 1.0 - cosine(rows)
        positive, negative = miners.pairs(labels)
        if self.mining == "hard":
            positive = miners.hardest(distance, positive, closest=False)
            negative = miners.hardest(distance, negative, closest=True)
        elif self.mining == "semi-hard":
            negative = miners.beyond_positives(distance, positive, negative)
        near = self._cost(distance - self.positive_margin)
        far = self._cost(self.negative_margin - distance)
        return _masked_mean(near, positive, self.average) + _masked_mean(
            far, negative, self.average
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

    def __call__(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (b, d) rows with (b,) labels."""
        distance = 1.0 - cosine(rows)
        positive, negative = miners.pairs(labels)
        if self.mining == "hard":
            positive = miners.hardest(distance, positive, closest=False)
            negative = miners.hardest(distance, negative, closest=True)
        anchor, other = positive.nonzero(as_tuple=True)
        total = distance.sum() * 0.0
        n = torch.zeros((), dtype=torch.int64, device=rows.device)
        step = max(1, CHUNK // max(1, len(labels)))
        for start in range(0, len(anchor), step):
            piece = slice(start, start + step)
            part, n_part = self._piece(distance, anchor[piece], other[piece], negative)
            total, n = total + part, n + n_part
        return _mean(total, n)

    def _piece(
        self, distance: Tensor, anchor: Tensor, other: Tensor, negative: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Summed cost and count of the triplets of some anchor-positive pairs.

        The (m, b) intermediates are recomputed in the backward pass: only the (b, b) distances
        stay in memory between the two.
        """

        def cost(distance: Tensor) -> tuple[Tensor, Tensor]:
            d_ap, d_an = distance[anchor, other], distance[anchor]
            mask = miners.triplets(d_ap, d_an, negative[anchor], self.distance_margin, self.mining)
            excess = d_ap[:, None] - d_an + self.distance_margin
            c = _ramp(excess, self.margin).masked_fill(~mask, 0.0)
            return c.sum(), (c > 0).sum() if self.average == "active" else mask.sum()

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

    def __call__(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (b, d) rows with (b,) labels."""
        score = cosine(rows) / self.temperature
        positive, negative = miners.pairs(labels)
        # A finite floor instead of -inf: rows without a negative must not make NaN gradients.
        floor = -1e4
        others = score.masked_fill(~negative, floor).logsumexp(dim=1, keepdim=True)
        return _masked_mean(F.softplus(others - score), positive, "all")


def _contrastive(mining: Mining, margin: Margin) -> Loss:
    return Contrastive(mining=mining, margin=margin)


def _triplet(mining: Mining, margin: Margin) -> Loss:
    return Triplet(mining=mining, margin=margin)


def _infonce(mining: Mining, margin: Margin) -> Loss:
    if mining != "all":
        raise ConfigError(
            f"loss 'infonce' weighs all pairs of a batch, it cannot mine {mining!r}",
            where="train.mining",
            hint="set mining = 'all', or loss = 'triplet'",
        )
    return InfoNCE()


LOSSES: dict[str, Callable[[Mining, Margin], Loss]] = {
    "contrastive": _contrastive,
    "triplet": _triplet,
    "infonce": _infonce,
}


def named(name: str, *, mining: Mining = "all", margin: Margin = "hard") -> Loss:
    """The loss of that name with its measured defaults.

    Raises:
        ConfigError: there is none, or it cannot mine that way.
    """
    make = LOSSES.get(name)
    if make is None:
        raise ConfigError(
            f"unknown loss {name!r}", where="train.loss", hint=f"known: {', '.join(LOSSES)}"
        )
    return make(mining, margin)
