"""Losses and miners of pytorch-metric-learning by their own name, such as `pml:CircleLoss`.

They see which pairs are positive and which negative; weights and grades they do not know.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from gemel.errors import ConfigError
from gemel.train.losses.averages import Loss
from gemel.train.relations import Relations

PREFIX = "pml:"
Part = Literal["loss", "miner"]
KINDS: dict[Part, tuple[str, str, str, str]] = {
    "loss": (
        "losses",
        "BaseMetricLossFunction",
        "train.loss",
        "pml:CircleLoss, pml:MultiSimilarityLoss or pml:FastAPLoss",
    ),
    "miner": (
        "miners",
        "BaseMiner",
        "train.mining",
        "pml:MultiSimilarityMiner, pml:BatchHardMiner or pml:PairMarginMiner",
    ),
}
"""Its module, the class that they are of, the setting that names one, and some that can be used."""

Indices = tuple[Tensor, ...]
"""Anchors, positives and negatives; or anchors, positives, other anchors and negatives."""

Finds = Callable[[Tensor, Relations], Indices]
"""The pairs or triplets of (b, d) rows that are worth looking at."""


def all_pairs(rows: Tensor, relations: Relations) -> Indices:
    """Every pair that something is known of."""
    return (*relations.positive.nonzero().T, *relations.negative.nonzero().T)


@dataclass(frozen=True, eq=False)
class Found:
    """What one of its miners finds among the pairs that something is known of.

    It looks at labels, so that it is told those that chains of positives make.

    Args:
        miner: takes rows and labels, and references with theirs.
    """

    miner: Any

    def __call__(self, rows: Tensor, relations: Relations) -> Indices:
        """Pairs or triplets of (b, d) rows."""
        rows, labels = rows.detach(), _labels(relations.positive)
        if relations.references is None:
            found = self.miner(rows, labels)
        else:
            columns = torch.cat([rows, relations.references.detach()])
            found = self.miner(rows, labels[: len(rows)], columns, labels)
        if len(found) == 3:
            anchor, positive, negative = found
            known = relations.positive[anchor, positive] & relations.negative[anchor, negative]
            return anchor[known], positive[known], negative[known]
        anchor, positive, other, negative = found
        near, far = relations.positive[anchor, positive], relations.negative[other, negative]
        return anchor[near], positive[near], other[far], negative[far]


def _labels(positive: Tensor) -> Tensor:
    """(c,) codes that rows and columns share which a chain of positives, (b, c) bool, joins."""
    b, c = positive.shape
    label = torch.arange(c, device=positive.device)
    while True:
        of_rows = torch.where(positive, label[None], c).amin(dim=1)
        own = torch.minimum(of_rows, label[:b])
        of_columns = torch.where(positive, own[:, None], c).amin(dim=0)
        new = torch.minimum(torch.cat([own, label[b:]]), of_columns)
        if torch.equal(new, label):
            return label
        label = new


@dataclass(frozen=True, eq=False)
class OfPairs:
    """One of its losses on the pairs of a batch.

    Args:
        loss: takes rows, labels, pairs, references and their labels.
        finds: the pairs or triplets that it takes.
    """

    loss: Any
    finds: Finds = all_pairs

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows; 0 where there is no pair."""
        found = self.finds(rows, relations)
        if not any(len(part) for part in found):
            return rows.sum() * 0.0
        columns = rows
        if relations.references is not None:
            columns = torch.cat([rows, relations.references])
        cost: Tensor = self.loss(rows, indices_tuple=found, ref_emb=columns)
        return cost


@dataclass(frozen=True, eq=False)
class MinedBy:
    """A loss of gemel's own on the pairs that one of its miners finds, or that triplets are of.

    Args:
        loss: of rows and relations.
        finds: pairs or triplets.
    """

    loss: Loss
    finds: Found

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        """Scalar loss of (b, d) rows."""
        found = self.finds(rows, relations)
        anchor, positive, other, negative = found if len(found) == 4 else (*found[:2], *found[::2])
        near, far = torch.zeros_like(relations.positive), torch.zeros_like(relations.negative)
        near[anchor, positive] = True
        far[other, negative] = True
        return self.loss(rows, replace(relations, positive=near, negative=far))


def loss(name: str, finds: Finds = all_pairs) -> Loss:
    """The loss of that name after `pml:`, with its own defaults.

    Raises:
        ConfigError: the package is not installed, or has no such loss of pairs.
    """
    made = OfPairs(_made("loss", name), finds)
    # Some want labels, of which a batch need not have any.
    _try("loss", name, made)
    return made


def miner(name: str) -> Found:
    """The miner of that name after `pml:`, with its own defaults.

    Raises:
        ConfigError: the package is not installed, or has no such miner.
    """
    made = Found(_made("miner", name))
    _try("miner", name, made)
    return made


def _made(part: Part, name: str) -> Any:
    module, kind_of, where, such_as = KINDS[part]
    try:
        with warnings.catch_warnings():
            # What it imports warns about itself.
            warnings.simplefilter("ignore")
            package = importlib.import_module(f"pytorch_metric_learning.{module}")
    except ImportError as e:
        raise ConfigError(
            f"{part} {PREFIX + name!r}: pytorch-metric-learning is not installed",
            where=where,
            hint="pip install 'gemel[pml]'",
        ) from e
    kind = getattr(package, name, None)
    if not inspect.isclass(kind) or not issubclass(kind, getattr(package, kind_of)):
        raise ConfigError(
            f"pytorch-metric-learning has no {part} {name!r}",
            where=where,
            hint=f"such as {such_as}",
        )
    try:
        return kind()
    except TypeError as e:
        raise _unfit(part, name) from e


def _try(part: Part, name: str, made: Callable[[Tensor, Relations], object]) -> None:
    rows = torch.nn.functional.normalize(torch.arange(12.0).reshape(4, 3).cos(), dim=1)
    try:
        made(rows, Relations.of_labels(torch.tensor([0, 0, 1, 1])))
    except (ValueError, TypeError, AttributeError, NotImplementedError) as e:
        raise _unfit(part, name) from e


def _unfit(part: Part, name: str) -> ConfigError:
    _, _, where, such_as = KINDS[part]
    hint = f"such as {such_as}"
    if part == "loss":
        hint = "losses of pairs can be used, such as pml:CircleLoss; for classes: arcface, cosface"
    return ConfigError(
        f"{part} {PREFIX + name!r} needs more than the pairs of a batch", where=where, hint=hint
    )
