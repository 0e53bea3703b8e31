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
from gemel.settings import Mining
from gemel.tasks import given
from gemel.tasks.retrieval import retrieve
from gemel.train import losses
from gemel.train.arrays import Arrays, embed, take
from gemel.train.given import AsGiven, OfGiven
from gemel.train.hardness import Hardness
from gemel.train.loop import Look, Metric, Sampler, Supervision
from gemel.train.losses import ByIdentity
from gemel.train.losses.classes import Classwise
from gemel.train.supervision import ByProxy, Knows, Remembering, by_identity
from gemel.train.towers import Trainable


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
    across = settings.mining == "neighbours"
    mining: Mining = "all" if across else settings.mining
    loss = losses.named(settings.loss, mining=mining, margin=settings.margin)
    p, k = settings.identities_per_batch, settings.views_per_identity
    of_train, of_dev = sides
    supervision: Supervision
    if of_train.given is not None:
        if across:
            raise ConfigError(
                "given pairs are taken as they come, not by identity",
                where="train.mining",
                hint='leave train.mining out, or choose "hard" with the loss contrastive',
            )
        as_given = AsGiven.of(loss, settings.loss, of_train, identities)
        supervision, labels, knows = as_given, np.arange(len(identities)), as_given.knows
        sampler: Sampler = GivenPairs(of_train.given, max(1, p * k // 2), settings.seed)
        metric: Metric = OfGiven(of_dev)
        measure = given.measure_of(of_dev)
    else:
        supervision, labels = half.aim(tower, arrays, identities, loss)
        first = labels.reshape(len(labels), -1)[:, 0]
        sampler = (Neighbours if across else PxK)(first, p, k, settings.seed)
        metric, measure = map_at_r, MAP_AT_R
        knows = by_identity
    supervision, labels = _more(half, settings, known, (supervision, labels, knows))
    first = labels.reshape(len(labels), -1)[:, 0]
    of_label = np.zeros(int(first.max()) + 1, np.int64)
    of_label[first] = identities
    modules = [m for m in (supervision, loss) if isinstance(m, nn.Module)]
    keeps = of_train.given is not None or isinstance(supervision, ByProxy | Remembering)
    return Lesson(
        supervision,
        labels,
        sampler,
        metric,
        measure,
        keeps_identities=keeps,
        learned=nn.ModuleList(modules),
        watch=Hardness(
            lambda labels: knows(labels.reshape(len(labels), -1)[:, 0], None, None),
            of_label,
            names if keeps or half.mix is None else None,
        ),
        look=sampler.look if isinstance(sampler, Neighbours) else None,
    )


def _more(
    half: Trainable,
    settings: RunSettings,
    known: tuple[nn.Module, Arrays, Int64],
    taught: tuple[Supervision, Int64, Knows],
) -> tuple[Supervision, Int64]:
    """Supervision and labels with proxies of the classes, or a memory, where they are asked for.

    Raises:
        ConfigError: a memory of records that are taught field by field.
    """
    supervision, labels, knows = taught
    if not isinstance(supervision, AsGiven | ByIdentity):
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
        return Remembering(loss, knows, settings.memory, n_dims), labels
    labels = np.unique(labels, return_inverse=True)[1].reshape(-1).astype(np.int64)
    rows = torch.from_numpy(embed(tower, arrays))
    return ByProxy.at_means(loss, rows, torch.from_numpy(labels)), labels


def map_at_r(rows: Float32, identities: Int64) -> float:
    """The dev metric of identities: mean average precision at R of the cosine, in [0, 1]."""
    return retrieve(rows, identities, Cosine(), k=(1,)).map_at_r
