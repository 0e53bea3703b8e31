"""Losses on an anchor, a positive and a negative: by a margin of distance, or of an angle.

All b^3 triplets of a batch may count. The sum of hinges is found by sorting; other costs are looked
at in pieces, and what a piece needs is computed again in the backward pass. Either way memory grows
with b x b.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gemel.settings import Margin, Mining
from gemel.train import miners
from gemel.train.losses.averages import (
    Average,
    cosine,
    log_sum,
    mean,
    ramp,
    sums,
    unit_columns,
)
from gemel.train.relations import Relations

CHUNK = 1 << 22
"""Triplets looked at in one piece; 4 M float32 are 16 MB, a few times over."""

Piece = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Summed cost and count of some anchor-positive pairs, given scores, anchors and positives."""


def _in_pieces(score: Tensor, positive: Tensor, piece: Piece) -> Tensor:
    """Mean cost over all anchor-positive pairs, each against the (c,) columns of its anchor."""
    anchor, other = positive.nonzero(as_tuple=True)
    total = score.sum() * 0.0
    n = torch.zeros((), dtype=torch.int64, device=score.device)
    step = max(1, CHUNK // max(1, score.shape[1]))
    for start in range(0, len(anchor), step):
        pairs = anchor[start : start + step], other[start : start + step]
        if len(pairs[0]) * score.shape[1] < CHUNK // 4:
            part, n_part = piece(score, *pairs)
        else:
            part, n_part = cast(
                "tuple[Tensor, Tensor]",
                checkpoint(piece, score, *pairs, use_reentrant=False, preserve_rng_state=False),
            )
        total, n = total + part, n + n_part
    return mean(total, n)


@dataclass(frozen=True)
class Triplet:
    """Each positive closer to its anchor than each negative, by a margin.

    A triplet weighs as much as its two pairs, multiplied.

    Args:
        distance_margin: by how much, in cosine distance.
        mining: every triplet (`all`), those whose negative is farther than the positive but
            inside the margin (`semi-hard`), or fewer pairs first, see `miners.mined`.
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
        if self.mining != "semi-hard":
            relations = miners.mined(distance, relations, self.mining, n_dims=rows.shape[1])
        if self.margin == "hard":
            return self._by_sorting(distance, relations)
        negative, weight = relations.negative, relations.weight

        def piece(distance: Tensor, anchor: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
            weights = None if weight is None else weight[anchor, other][:, None] * weight[anchor]
            d_ap, d_an = distance[anchor, other], distance[anchor]
            mask = miners.triplets(d_ap, d_an, negative[anchor], self.distance_margin, self.mining)
            excess = d_ap[:, None] - d_an + self.distance_margin
            return sums(ramp(excess, self.margin), mask, self.average, weights)

        return _in_pieces(distance, relations.positive, piece)

    def _by_sorting(self, distance: Tensor, relations: Relations) -> Tensor:
        """The mean hinge: of each anchor-positive pair the negatives that count are neighbours.

        They lie between two places in the sorted row of the anchor; sums up to a place are of
        float64, since differences of them are taken.
        """
        negative, weight = relations.negative, relations.weight
        anchor, other = relations.positive.nonzero(as_tuple=True)
        if not len(anchor) or not negative.any():
            return distance.sum() * 0.0
        far, order = distance.detach().masked_fill(~negative, torch.inf).sort(dim=1)
        counts = torch.isfinite(far).to(torch.float64)
        if weight is not None:
            counts = counts * weight.gather(1, order)
        mass = F.pad(counts.cumsum(1), (1, 0))
        total = F.pad((counts * distance.gather(1, order)).cumsum(1), (1, 0))
        near = distance[anchor, other]
        bound = near.detach() + self.distance_margin
        start = torch.zeros_like(anchor)
        if self.mining == "semi-hard":
            start = _places(far, anchor, near.detach(), right=True)
        end = _places(far, anchor, bound, right=False)
        last = end
        if self.average == "all":
            beyond = self.mining == "semi-hard"
            last = _places(far, anchor, bound if beyond else bound + torch.inf, right=beyond)
        of_pair = 1.0 if weight is None else weight[anchor, other]
        hinges = (near + self.distance_margin) * (mass[anchor, end] - mass[anchor, start])
        cost = of_pair * (hinges - (total[anchor, end] - total[anchor, start]))
        n = of_pair * (mass[anchor, last] - mass[anchor, start])
        return mean(cost.sum(), n.sum()).to(distance.dtype)


def _places(far: Tensor, anchor: Tensor, values: Tensor, *, right: bool) -> Tensor:
    """Where (m,) values belong in the sorted rows (b, c) of their anchors, which do not fall."""
    slot = torch.arange(len(anchor), device=anchor.device)
    slot = slot - torch.searchsorted(anchor, anchor)
    table = far.new_full((len(far), int(slot.max()) + 1), torch.inf)
    table[anchor, slot] = values
    return torch.searchsorted(far, table, right=right)[anchor, slot]


@dataclass(frozen=True)
class Angular:
    """The angle at the negative of a triangle with anchor and positive kept below a bound.

    For each anchor-positive pair: log(1 + sum_n exp(4 tan^2(a) (x_a + x_p) x_n
    - 2 (1 + tan^2(a)) x_a x_p)).

    Args:
        degrees: the bound a.
        mining: which pairs count, see `miners.mined`.

    Source: Wang et al. 2017, Deep Metric Learning with Angular Loss.
    """

    degrees: float = 40.0
    mining: Mining = "all"

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows; a pair weighs as it does, a negative as many of them."""
        columns = unit_columns(rows, relations.references)
        score = columns[: len(rows)] @ columns.T
        relations = miners.mined(1.0 - score, relations, self.mining, n_dims=rows.shape[1])
        slope = math.tan(math.radians(self.degrees)) ** 2
        negative, weight = relations.negative, relations.weight

        def piece(score: Tensor, anchor: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
            of_both = score[anchor] + columns[other] @ columns.T
            near = 2 * (1 + slope) * score[anchor, other][:, None]
            weights = None if weight is None else weight[anchor]
            cost = F.softplus(log_sum(4 * slope * of_both - near, negative[anchor], weights))
            of_pair = None if weight is None else weight[anchor, other][:, None]
            return sums(cost, torch.ones_like(cost, dtype=torch.bool), "all", of_pair)

        return _in_pieces(score, relations.positive, piece)
