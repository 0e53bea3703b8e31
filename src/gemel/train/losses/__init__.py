"""The plug point for losses: what gemel brings, by name, and what packages add.

A loss takes unit rows and their relations and gives one number. Distances are cosine distances,
1 - cos, in [0, 2], and live inside this room only. A batch without a pair or triplet to learn from
costs zero, with zero gradients, never NaN. Memory grows with b x b, also when all b^3 triplets
count.
Whatever is registered under the entry point group `gemel.losses` passes `gemel.testing.check_loss`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from gemel.errors import ConfigError
from gemel.registry import Registry
from gemel.settings import Margin, Mining
from gemel.train.losses import packages
from gemel.train.losses.averages import Loss, cosine
from gemel.train.losses.classes import AngularMargin, Classwise, Prototypical, ProxyAnchor
from gemel.train.losses.pairs import Contrastive, CoSENT, MarginRanking
from gemel.train.losses.softmax import InfoNCE, MultiSimilarity, NTXent, SupCon
from gemel.train.losses.triplets import Angular, Triplet
from gemel.train.losses.views import BarlowTwins, VICReg
from gemel.train.relations import Relations

__all__ = ["REGISTRY", "ByIdentity", "CoSENT", "Contrastive", "InfoNCE", "Loss", "Triplet"]
__all__ += ["cosine", "named"]


@dataclass(frozen=True)
class ByIdentity:
    """A loss on rows that are of one identity or not: what a batch with labels is trained by."""

    loss: Loss

    def __call__(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (b, d) rows with (b,) int64 labels."""
        return self.loss(rows, Relations.of_labels(labels))


def contrastive(*, mining: Mining, margin: Margin) -> Loss:
    """The contrastive loss with its measured defaults."""
    return Contrastive(mining=mining, margin=margin)


def triplet(*, mining: Mining, margin: Margin) -> Loss:
    """The triplet loss with its measured defaults."""
    return Triplet(mining=mining, margin=margin)


@dataclass(frozen=True)
class Mined:
    """Maker of a loss that mines and has no margin to soften."""

    make: Callable[..., Loss]

    def __call__(self, *, mining: Mining, margin: Margin) -> Loss:
        """The loss."""
        return self.make(mining=mining)


@dataclass(frozen=True)
class Whole:
    """Maker of a loss that weighs all pairs of a batch itself.

    Args:
        name: of the loss.
        make: makes it.
    """

    name: str
    make: Callable[[], Loss]

    def __call__(self, *, mining: str, margin: Margin) -> Loss:
        """The loss.

        Raises:
            ConfigError: it is to mine.
        """
        if mining != "all":
            raise ConfigError(
                f"loss {self.name!r} weighs all pairs of a batch, it cannot mine {mining!r}",
                where="train.mining",
                hint="set train.mining = 'all', or train.loss = 'triplet'",
            )
        return self.make()


margin_ranking, angular = Mined(MarginRanking), Mined(Angular)
multi_similarity = Mined(MultiSimilarity)
infonce, ntxent = Whole("infonce", InfoNCE), Whole("ntxent", NTXent)
npair = Whole("npair", lambda: InfoNCE(temperature=1.0))
supcon, cosent = Whole("supcon", SupCon), Whole("cosent", CoSENT)
arcface = Whole("arcface", lambda: Classwise(AngularMargin()))
cosface = Whole("cosface", lambda: Classwise(AngularMargin("cosface", margin=0.35)))
proxy_anchor = Whole("proxy-anchor", lambda: Classwise(ProxyAnchor()))
prototypical = Whole("prototypical", Prototypical)
vicreg, barlow_twins = Whole("vicreg", VICReg), Whole("barlow-twins", BarlowTwins)

BUILT_IN = (
    *("contrastive", "triplet", "margin-ranking", "angular", "multi-similarity"),
    *("infonce", "ntxent", "npair", "supcon", "cosent", "arcface", "cosface", "proxy-anchor"),
    *("prototypical", "vicreg", "barlow-twins"),
)
REGISTRY = Registry(
    "loss",
    "gemel.losses",
    {name: f"gemel.train.losses:{name.replace('-', '_')}" for name in BUILT_IN},
    where="train.loss",
)
"""Makers by name, called with `mining` and `margin`; they raise ConfigError for what they lack."""


def named(name: str, *, mining: str = "all", margin: Margin = "hard") -> Loss:
    """The loss of that name with its measured defaults.

    Args:
        name: of a loss, or `pml:NAME`.
        mining: which pairs it looks at, or `pml:NAME`.
        margin: of a hinge, or none.
    Raises:
        ConfigError: there is none, or it cannot mine that way.
    """
    prefix = packages.PREFIX
    finds = packages.miner(mining.removeprefix(prefix)) if mining.startswith(prefix) else None
    if name.startswith(prefix):
        theirs = partial(packages.loss, name.removeprefix(prefix))
        return theirs(finds) if finds else Whole(name, theirs)(mining=mining, margin=margin)
    make = REGISTRY.load(name)
    if finds is None or isinstance(make, Whole):
        loss: Loss = make(mining=mining, margin=margin)
        return loss
    return packages.MinedBy(make(mining="all", margin=margin), finds)
