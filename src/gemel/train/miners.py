"""Which pairs and triplets of a batch a loss looks at, as boolean masks.

A miner reads relations and distances and selects; it never weighs or averages, which is what losses
do. Nothing here loops over the rows of a batch, and no gradient flows through a selection.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from gemel.settings import Mining
from gemel.train.relations import Relations

NEAREST, FARTHEST = 0.5, 1.4
"""Distances of unit rows: nearer negatives weigh no more, since their directions are noise, and
farther ones nothing, since a margin leaves them nothing to learn."""


def mined(distance: Tensor, relations: Relations, mining: Mining, *, n_dims: int) -> Relations:
    """Relations with the pairs left, or weighed, that are worth looking at.

    Args:
        distance: (b, c) cosine distances.
        relations: of b rows and c columns.
        mining: `all`; `hard` keeps the farthest positive and the closest negative of each row,
            `semi-hard` the negatives that are farther than the row's closest positive;
            `distance-weighted` weighs negatives so that all distances count alike.
        n_dims: dimensions of the rows.
    """
    positive, negative = relations.positive, relations.negative
    if mining == "hard":
        positive = hardest(distance, positive, closest=False)
        negative = hardest(distance, negative, closest=True)
    elif mining == "semi-hard":
        negative = beyond_positives(distance, positive, negative)
    elif mining == "distance-weighted":
        spread = distance_weights(distance, negative, n_dims=n_dims)
        weight = torch.where(negative, spread, 1.0)
        weight = weight if relations.weight is None else weight * relations.weight
        return replace(relations, weight=weight)
    return replace(relations, positive=positive, negative=negative)


def distance_weights(distance: Tensor, negative: Tensor, *, n_dims: int) -> Tensor:
    """Weights of negatives by how rare their distance is among points on a sphere.

    What Wu et al. draw by these chances is weighed by them here, which is its mean.

    Args:
        distance: (b, c) cosine distances.
        negative: (b, c) bool.
        n_dims: dimensions of the sphere's space.
    Returns:
        (b, c), 0 where no negative; mean 1 over the negatives of each row that has any.
    Source: Wu et al. 2017, Sampling Matters in Deep Embedding Learning.
    """
    with torch.no_grad():
        d = (2.0 * distance).clamp(min=0.0).sqrt().clamp(min=NEAREST)
        wide = (1.0 - 0.25 * d.square()).clamp(min=1e-8)
        rare = -(n_dims - 2.0) * d.log() - 0.5 * (n_dims - 3.0) * wide.log()
        kept = negative & (d < FARTHEST)
        # Where all are far, those are all that there is.
        kept = torch.where(kept.any(dim=1, keepdim=True), kept, negative)
        rare = rare.masked_fill(~kept, -torch.inf)
        top = rare.amax(dim=1, keepdim=True) if rare.shape[1] else rare.sum(1, keepdim=True)
        weight = (rare - top.nan_to_num(neginf=0.0)).exp() * kept
        n = negative.sum(dim=1, keepdim=True)
        return weight * n / weight.sum(dim=1, keepdim=True).clamp(min=1e-12)


def hardest(distance: Tensor, mask: Tensor, *, closest: bool) -> Tensor:
    """The mask with one selected column per row left: the closest or the farthest.

    Args:
        distance: (b, c), any float type.
        mask: (b, c) bool; a row without a selected column stays empty.
        closest: keep the smallest distance (negatives) or the largest (positives).
    Returns:
        (b, c) bool.
    """
    if mask.shape[1] == 0:
        return mask
    worst = torch.inf if closest else -torch.inf
    with torch.no_grad():
        d = distance.masked_fill(~mask, worst)
        column = d.argmin(dim=1) if closest else d.argmax(dim=1)
        kept = torch.zeros_like(mask)
        kept[torch.arange(len(mask), device=mask.device), column] = True
        return kept & mask


def beyond_positives(distance: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """The negatives of each row that are farther than its closest positive.

    Args:
        distance: (b, c), any float type.
        positive: (b, c) bool; a row without positives keeps all its negatives.
        negative: (b, c) bool.
    Returns:
        (b, c) bool.
    """
    if negative.shape[1] == 0:
        return negative
    with torch.no_grad():
        closest = distance.masked_fill(~positive, torch.inf).amin(dim=1, keepdim=True)
        return negative & ((distance > closest) | torch.isinf(closest))


def triplets(d_ap: Tensor, d_an: Tensor, negative: Tensor, margin: float, mining: Mining) -> Tensor:
    """Which negatives form a triplet with each anchor-positive pair.

    Args:
        d_ap: (m,) distances of m anchor-positive pairs.
        d_an: (m, c) distances of the anchor of each pair to every column.
        negative: (m, c) bool, what does not belong to the anchor.
        margin: in units of distance.
        mining: `semi-hard` keeps negatives farther away than the positive, but by no more than
            the margin; the other kinds keep every negative (`hard` thins the masks beforehand).
    Returns:
        (m, c) bool.
    Source: Schroff et al. 2015, FaceNet (semi-hard); Hermans et al. 2017, In Defense of the
        Triplet Loss (all, hard).
    """
    if mining != "semi-hard":
        return negative
    with torch.no_grad():
        slack = d_an - d_ap[:, None]
        return negative & (slack > 0) & (slack <= margin)
