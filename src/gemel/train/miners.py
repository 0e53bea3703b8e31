"""Which pairs and triplets of a batch a loss looks at, as boolean masks.

A miner reads relations and distances and selects; it never weighs or averages, which is what losses
do. Nothing here loops over the rows of a batch, and no gradient flows through a selection.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gemel.settings import Mining


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
