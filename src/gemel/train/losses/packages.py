"""Losses of pytorch-metric-learning by their own name, such as `pml:CircleLoss`.

They see which pairs are positive and which negative; weights and grades they do not know.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gemel.errors import ConfigError
from gemel.train.losses.averages import Loss
from gemel.train.relations import Relations

PREFIX = "pml:"


@dataclass(frozen=True, eq=False)
class OfPairs:
    """One of its losses on the pairs of a batch.

    Args:
        loss: takes rows, labels, pairs, references and their labels.
    """

    loss: Any

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows; 0 where there is no pair."""
        if not bool((relations.positive | relations.negative).any()):
            return rows.sum() * 0.0
        columns = rows
        if relations.references is not None:
            columns = torch.cat([rows, relations.references])
        pairs = (*relations.positive.nonzero().T, *relations.negative.nonzero().T)
        cost: Tensor = self.loss(rows, indices_tuple=pairs, ref_emb=columns)
        return cost


def of_package(name: str) -> Loss:
    """The loss of that name after `pml:`, with its own defaults.

    Raises:
        ConfigError: the package is not installed, or has no such loss of pairs.
    """
    try:
        with warnings.catch_warnings():
            # What it imports warns about itself.
            warnings.simplefilter("ignore")
            losses = importlib.import_module("pytorch_metric_learning.losses")
    except ImportError as e:
        raise ConfigError(
            f"loss {PREFIX + name!r}: pytorch-metric-learning is not installed",
            where="train.loss",
            hint="pip install 'gemel[pml]'",
        ) from e
    kind = getattr(losses, name, None)
    of_pairs = losses.BaseMetricLossFunction
    if not inspect.isclass(kind) or not issubclass(kind, of_pairs):
        raise ConfigError(
            f"pytorch-metric-learning has no loss {name!r}",
            where="train.loss",
            hint="such as pml:CircleLoss, pml:MultiSimilarityLoss or pml:FastAPLoss",
        )
    loss = OfPairs(_made(kind, name))
    _try(loss, name)
    return loss


def _made(kind: Any, name: str) -> Any:
    try:
        return kind()
    except TypeError as e:
        raise _unfit(name) from e


def _try(loss: OfPairs, name: str) -> None:
    """Raise unless the loss takes pairs: some want labels, of which a batch need not have any."""
    rows = torch.nn.functional.normalize(torch.arange(12.0).reshape(4, 3).cos(), dim=1)
    try:
        loss(rows, Relations.of_labels(torch.tensor([0, 0, 1, 1])))
    except (ValueError, TypeError, AttributeError, NotImplementedError) as e:
        raise _unfit(name) from e


def _unfit(name: str) -> ConfigError:
    return ConfigError(
        f"loss {PREFIX + name!r} needs more than the pairs of a batch",
        where="train.loss",
        hint="losses of pairs can be used, such as pml:CircleLoss; for classes: arcface, cosface",
    )
