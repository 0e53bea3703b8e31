"""What a run is taught by: supervision, the labels it reads, the order of batches, the dev metric.

Given pairs are taken as they are given, all else by identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from gemel.arrays import Float32, Int64
from gemel.data.pairing import Pairing
from gemel.data.sampler import GivenPairs, Neighbours, PxK
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import ConfigError
from gemel.release.run import MAP_AT_R, RunSettings
from gemel.tasks import given
from gemel.tasks.retrieval import retrieve
from gemel.train import losses
from gemel.train.arrays import Arrays, embed, take
from gemel.train.given import AsGiven, OfGiven
from gemel.train.loop import Look, Metric, Sampler, Supervision
from gemel.train.losses import ByIdentity, Loss
from gemel.train.losses.classes import Classwise
from gemel.train.losses.curriculum import Curriculum
from gemel.train.losses.nested import Nested
from gemel.train.losses.projected import Projected
from gemel.train.supervision import (
    Across,
    ByProxy,
    Knows,
    Remembering,
    by_identity,
    by_kind,
    labels_of,
    one_of_each,
)
from gemel.train.towers import Trainable
from gemel.train.tracking.hardness import Hardness

MRR = "MRR across"
"""Name of the dev metric of records of two kinds."""


@dataclass(frozen=True)
class Lesson:
    """How a tower is taught on training records, and how it is judged on dev.

    Attributes:
        supervision: the loss of a batch.
        labels: (n, ...) what supervision reads of each record.
        sampler: makes batches of records.
        metric: on dev.
        measure: its name.
        keeps_identities: whether batches may not be mixed into new identities.
        look: what is shown all training records before each epoch, or None.
        curriculum: how negatives become harder, or None.
        learned: what supervision learns or remembers.
        watch: looks at batches.
    """

    supervision: Supervision
    labels: Int64
    sampler: Sampler
    metric: Metric
    measure: str
    keeps_identities: bool
    learned: nn.Module
    watch: Hardness
    look: Look | None = None
    curriculum: Curriculum | None = None


@dataclass(frozen=True)
class _Judging:
    """The dev metric, which a curriculum takes in as well."""

    metric: Metric
    curriculum: Curriculum

    def __call__(self, rows: Float32, identities: Int64) -> float:
        """The metric."""
        value = self.metric(rows, identities)
        self.curriculum.judge(value)
        return value


@dataclass(frozen=True)
class _Taught:
    """What depends on how records are supervised; attributes as those of `Lesson`."""

    supervision: Supervision
    labels: Int64
    knows: Knows
    sampler: Sampler
    metric: Metric
    measure: str


def lesson(
    half: Trainable,
    settings: RunSettings,
    known: tuple[nn.Module, Arrays, Int64],
    sides: tuple[Pairing, Pairing],
    names: Sequence[str] = (),
) -> Lesson:
    """The lesson that records and settings ask for.

    Args:
        half: of the modality.
        settings: resolved.
        known: tower, prepared training records and their identities.
        sides: the pairing of train, and of dev.
        names: of the identities.
    Raises:
        ConfigError: no such loss, or it cannot mine.
        DataError: no identities, or no pairs, to make a batch of.
    """
    tower, arrays, identities = known
    neighbours = settings.mining == "neighbours"
    loss = _mined(settings)
    curriculum = loss if isinstance(loss, Curriculum) else None
    of_train, of_dev = sides
    if settings.matryoshka:
        loss = _nested(loss, settings.loss)
    if settings.projector:
        loss = _projected(loss, settings, embed(tower, take(arrays, slice(0, 2))).shape[1])
    if of_train.given is not None:
        taught = _as_given(settings, loss, identities, sides)
    elif half.across is not None and of_train.files is not None and of_dev.files is not None:
        pairs = one_of_each(identities, of_train.files)
        half.across(tower, arrays, pairs)
        taught = _across(half, settings, loss, (identities, of_train.files, pairs), of_dev.files)
    else:
        supervision, labels = half.aim(tower, arrays, identities, loss)
        first = labels.reshape(len(labels), -1)[:, 0]
        p, k = settings.identities_per_batch, settings.views_per_identity
        drawn = (Neighbours if neighbours else PxK)(first, p, k, settings.seed)
        taught = _Taught(supervision, labels, by_identity, drawn, map_at_r, MAP_AT_R)
    supervision, labels = _more(half, settings, known, taught)
    first = labels.reshape(len(labels), -1)[:, 0]
    of_label = np.zeros(int(first.max()) + 1, np.int64)
    of_label[first] = identities
    modules = [m for m in (supervision, loss, curriculum) if isinstance(m, nn.Module)]
    keeps = of_train.given is not None or isinstance(supervision, ByProxy | Remembering)
    return Lesson(
        supervision,
        labels,
        taught.sampler,
        taught.metric if curriculum is None else _Judging(taught.metric, curriculum),
        taught.measure,
        keeps_identities=keeps,
        learned=nn.ModuleList(modules),
        watch=Hardness(
            lambda labels: taught.knows(labels.reshape(len(labels), -1)[:, 0], None, None),
            of_label,
            names if keeps or half.mix is None else None,
        ),
        look=taught.sampler.look if isinstance(taught.sampler, Neighbours) else None,
        curriculum=curriculum,
    )


def _nested(loss: Loss, name: str) -> Loss:
    """The loss of rows and of their first parts.

    Raises:
        ConfigError: it compares rows with a column of each class, which is of one length.
    """
    if isinstance(loss, Classwise):
        raise ConfigError(
            f"loss {name!r} learns a row for each class, which cannot be cut",
            where="train.matryoshka",
            hint="leave train.matryoshka out, or choose train.loss = 'infonce'",
        )
    return Nested(loss)


def _mined(settings: RunSettings) -> Loss:
    """The loss by its name, mining as it is told to.

    Raises:
        ConfigError: no such loss, or it cannot mine.
    """

    def named(mining: str) -> Loss:
        return losses.named(settings.loss, mining=mining, margin=settings.margin)

    if settings.mining == "curriculum":
        return Curriculum(named("semi-hard"), named("hard"))
    return named("all" if settings.mining == "neighbours" else settings.mining)


def _projected(loss: Loss, settings: RunSettings, dim: int) -> Loss:
    """The loss of what a projector makes of rows of so many numbers.

    Raises:
        ConfigError: it compares rows with a column of each class, or with what is to be cut.
    """
    if isinstance(loss, Classwise | Nested):
        reason = f"loss {settings.loss!r} learns a row for each class"
        raise ConfigError(
            f"{'what is cut afterwards' if settings.matryoshka else reason}, behind no projector",
            where="train.projector",
            hint="leave train.projector out, or choose train.loss = 'infonce'",
        )
    return Projected(loss, dim)


def _as_given(
    settings: RunSettings, loss: Loss, identities: Int64, sides: tuple[Pairing, Pairing]
) -> _Taught:
    """Pairs as they were given.

    Raises:
        ConfigError: neighbours are to be mined.
    """
    of_train, of_dev = sides
    if of_train.given is None or settings.mining == "neighbours":
        raise ConfigError(
            "given pairs are taken as they come, not by identity",
            where="train.mining",
            hint='leave train.mining out, or choose "hard" with the loss contrastive',
        )
    m = max(1, settings.identities_per_batch * settings.views_per_identity // 2)
    as_given = AsGiven.of(loss, settings.loss, of_train, identities)
    return _Taught(
        as_given,
        np.arange(len(identities)),
        as_given.knows,
        GivenPairs(of_train.given, m, settings.seed),
        OfGiven(of_dev),
        given.measure_of(of_dev),
    )


def _across(
    half: Trainable,
    settings: RunSettings,
    loss: Loss,
    train: tuple[Int64, Int64, Int64],
    dev_kinds: Int64,
) -> _Taught:
    """Records of two kinds, in pairs of one of each; `train` is identities, kinds and pairs.

    Raises:
        ConfigError: neighbours are to be mined.
    """
    identities, kinds, pairs = train
    if settings.mining == "neighbours":
        raise ConfigError(
            f"{half.modality} records are drawn in pairs of one of each kind",
            where="train.mining",
            hint="leave train.mining out",
        )
    m = max(1, settings.identities_per_batch * settings.views_per_identity // 2)
    sampler, metric = GivenPairs(pairs, m, settings.seed), RankAcross(dev_kinds)
    if isinstance(loss, Classwise):  # a class has one proxy, whatever the kind of its records
        return _Taught(ByIdentity(loss), identities, by_identity, sampler, metric, MRR)
    labels = labels_of(identities, kinds)
    return _Taught(Across(loss), labels, by_kind, sampler, metric, MRR)


def _more(
    half: Trainable,
    settings: RunSettings,
    known: tuple[nn.Module, Arrays, Int64],
    taught: _Taught,
) -> tuple[Supervision, Int64]:
    """Supervision and labels with proxies of the classes, or a memory, where they are asked for.

    Raises:
        ConfigError: a memory of records that are taught field by field.
    """
    supervision, labels = taught.supervision, taught.labels
    if not isinstance(supervision, AsGiven | ByIdentity | Across):
        if settings.memory:
            raise ConfigError(
                f"{half.modality} records are taught field by field and remember no batches",
                where="train.memory",
                hint="leave train.memory out",
            )
        return supervision, labels
    loss = supervision.loss
    by_class = isinstance(loss, Classwise) and isinstance(supervision, ByIdentity)
    if not by_class and not settings.memory:
        return supervision, labels
    tower, arrays, _ = known
    if not by_class:
        n_dims = embed(tower, take(arrays, slice(0, 2))).shape[1]
        return Remembering(loss, taught.knows, settings.memory, n_dims), labels
    labels = np.unique(labels, return_inverse=True)[1].reshape(-1).astype(np.int64)
    rows = torch.from_numpy(embed(tower, arrays))
    return ByProxy.at_means(loss, rows, torch.from_numpy(labels)), labels


@dataclass(frozen=True)
class RankAcross:
    """The dev metric: how early a record of one kind finds its own among those of the other.

    Args:
        kinds: (n,) 0 or 1, of the dev records.
    """

    kinds: Int64

    def __call__(self, rows: Float32, identities: Int64) -> float:
        """Mean of one over the rank of the first right one, both ways, in [0, 1]."""
        return retrieve(rows, identities, Cosine(), k=(1,), files=self.kinds).mrr


def metric_of(pairing: Pairing) -> Metric:
    """The dev metric of records of one kind, by which pairs of them are comparisons."""
    return map_at_r if pairing.given is None else OfGiven(pairing)


def map_at_r(rows: Float32, identities: Int64) -> float:
    """The dev metric of identities: mean average precision at R of the cosine, in [0, 1]."""
    return retrieve(rows, identities, Cosine(), k=(1,)).map_at_r
