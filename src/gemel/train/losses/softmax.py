"""Losses that weigh all pairs of a row by an exponential: InfoNCE, SupCon, multi-similarity.

Hard pairs count most by themselves, so that nothing need be mined.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.settings import Mining
from gemel.train import miners
from gemel.train.losses.averages import cosine, log_sum, masked_mean, mean
from gemel.train.relations import Relations


@dataclass(frozen=True)
class InfoNCE:
    """Each positive recognised among all negatives of its anchor.

    For anchor a and positive p: log(1 + sum_n exp((s_an - s_ap) / t)), averaged over pairs. Each
    positive stands alone against the negatives, so the loss never rises when a positive comes
    closer, which the supervised-contrastive form with all positives in the denominator does. Of two
    views of each record it is NT-Xent, and with t = 1 the N-pair loss.

    Args:
        temperature: t; small values look at the hardest negatives only.

    Source: van den Oord et al. 2018, Representation Learning with Contrastive Predictive Coding;
        Chen et al. 2020, A Simple Framework for Contrastive Learning (NT-Xent); Sohn 2016,
        Improved Deep Metric Learning with Multi-class N-pair Loss Objective.
    """

    temperature: float = 0.1

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows; a negative of weight w counts as w negatives."""
        return _info_nce(cosine(rows, relations.references) / self.temperature, relations)


class NTXent(nn.Module):
    """InfoNCE whose temperature is learned with the network, never below a hundredth.

    Args:
        temperature: at the start.

    Source: Chen et al. 2020, A Simple Framework for Contrastive Learning; Radford et al. 2021,
        Learning Transferable Visual Models from Natural Language Supervision (what is learned).
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    def forward(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        scale = self.log_scale.clamp(max=math.log(100.0)).exp().to(rows.dtype)
        return _info_nce(cosine(rows, relations.references) * scale, relations)


def _info_nce(score: Tensor, relations: Relations) -> Tensor:
    others = log_sum(score, relations.negative, relations.weight)
    return masked_mean(F.softplus(others - score), relations.positive, "all", relations.weight)


@dataclass(frozen=True)
class SupCon:
    """All positives of a row recognised together among everything it is compared with.

    For each row with positives: the mean over them of log sum_k exp(s_ak / t) - s_ap / t, where k
    goes over positives and negatives.

    Args:
        temperature: t.

    Source: Khosla et al. 2020, Supervised Contrastive Learning (the sum outside the logarithm).
    """

    temperature: float = 0.1

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        score = cosine(rows, relations.references) / self.temperature
        positive, weight = relations.positive, relations.weight
        whole = log_sum(score, positive | relations.negative, weight)
        of_pair = positive.to(score.dtype) if weight is None else positive * weight
        mass = of_pair.sum(dim=1)
        cost = ((whole - score) * of_pair).sum(dim=1) / mass.clamp(min=1e-12)
        # A row counts as its positives do, so that one without any counts nothing.
        of_row = mass / positive.sum(dim=1).clamp(min=1)
        return mean((cost * of_row).sum(), of_row.sum())


@dataclass(frozen=True)
class MultiSimilarity:
    """Positives pulled above a cosine and negatives pushed below it, hard ones most.

    For each row: log(1 + sum_p exp(-a (s - c))) / a + log(1 + sum_n exp(b (s - c))) / b.

    Args:
        pull: a.
        push: b.
        at: c.
        mining: which pairs count, see `miners.mined`.

    Source: Wang et al. 2019, Multi-Similarity Loss with General Pair Weighting.
    """

    pull: float = 2.0
    push: float = 50.0
    at: float = 0.5
    mining: Mining = "all"

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows, the mean over rows of which anything is known."""
        score = cosine(rows, relations.references)
        relations = miners.mined(1.0 - score, relations, self.mining, n_dims=rows.shape[1])
        positive, negative, weight = relations.positive, relations.negative, relations.weight
        away = score - self.at
        near = F.softplus(log_sum(-self.pull * away, positive, weight)) / self.pull
        far = F.softplus(log_sum(self.push * away, negative, weight)) / self.push
        known = (positive | negative).any(dim=1, keepdim=True)
        return masked_mean(near + far, known, "all")
