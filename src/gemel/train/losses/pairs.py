"""Losses on pairs: contrastive, margin ranking over all pairs of a batch, and CoSENT for grades."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gemel.settings import Margin, Mining
from gemel.train import miners
from gemel.train.losses.averages import (
    Average,
    cosine,
    log_weight,
    masked_mean,
    mean,
    once,
    ramp,
)
from gemel.train.relations import Relations


@dataclass(frozen=True)
class Contrastive:
    """Positives closer than one margin, negatives farther than another.

    Args:
        positive_margin: cosine distance below which a positive costs nothing.
        negative_margin: cosine distance above which a negative costs nothing.
        mining: which pairs count, see `miners.mined`.
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
        found = miners.mined(distance, relations, self.mining, n_dims=rows.shape[1])
        near = self._cost(distance - self.positive_margin)
        far = self._cost(self.negative_margin - distance)
        return masked_mean(near, found.positive, self.average, found.weight) + masked_mean(
            far, found.negative, self.average, found.weight
        )

    def _cost(self, excess: Tensor) -> Tensor:
        if self.margin == "hard":
            return ramp(excess, "hard")
        return ramp(excess * self.sharpness, "soft") / self.sharpness


@dataclass(frozen=True)
class MarginRanking:
    """Each positive pair more alike than each negative pair of the whole batch, by a margin.

    A triplet compares pairs of one anchor; this one compares all, so that one threshold can part
    them. The hinge over p x n pairs of pairs is summed by sorting, in memory of p + n.

    Args:
        by: the margin, in cosine.
        mining: which pairs count, see `miners.mined`.

    Source: Herbrich et al. 2000, Large Margin Rank Boundaries for Ordinal Regression.
    """

    by: float = 0.2
    mining: Mining = "all"

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        score = cosine(rows, relations.references)
        relations = miners.mined(1.0 - score, relations, self.mining, n_dims=rows.shape[1])
        positive, negative = relations.positive, relations.negative
        weight = torch.ones_like(score) if relations.weight is None else relations.weight
        near, of_near = score[positive], weight[positive]
        far, order = score[negative].sort(descending=True)
        of_far = weight[negative][order]
        n = torch.searchsorted(-far.detach(), self.by - near.detach(), side="left")
        mass = F.pad(of_far.cumsum(0), (1, 0))[n]
        total = F.pad((of_far * far).cumsum(0), (1, 0))[n]
        cost = of_near * ((self.by - near) * mass + total)
        return mean(cost.sum() + score.sum() * 0.0, of_near.sum() * of_far.sum())


@dataclass(frozen=True)
class CoSENT:
    """The order of the cosines is that of the grades: log(1 + sum exp((s_low - s_high) / t)).

    The sum goes over all two judged pairs of the batch of which one has the higher grade; a batch
    without grades has two of them, positives above negatives. It is built by sorting, in memory of
    the number of pairs.

    Args:
        temperature: t.

    Source: Su 2022, CoSENT (https://kexue.fm/archives/8847); Huang et al. 2024, CoSENT:
        Consistent Sentence Embedding via Similarity Ranking.
    """

    temperature: float = 0.05

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        score = cosine(rows, relations.references) / self.temperature
        positive, negative = once(relations)
        known = positive | negative
        # Where there are grades, weights stand for them.
        grade, weight = relations.grade, None
        if grade is None:
            grade, weight = positive.to(score.dtype), relations.weight
        grade, order = grade[known].sort(descending=True, stable=True)
        lengthened = torch.zeros_like(score) + log_weight(weight)
        high = (lengthened - score)[known][order]
        low = (lengthened + score)[known][order]
        # Of each pair, how many have a higher grade: they stand before all of its own.
        n_higher = torch.searchsorted(-grade, -grade, side="left")
        has_higher = n_higher > 0
        if not bool(has_higher.any()):
            return score.sum() * 0.0
        above = high.logcumsumexp(0)[(n_higher - 1)[has_higher]]
        return F.softplus((low[has_higher] + above).logsumexp(0))
