"""What a run is taught by: supervision, the labels it reads, the order of batches, the dev metric.

Given pairs are taken as they are given, all else by identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from gemel.arrays import Float32, Int64
from gemel.data.pairing import Pairing
from gemel.data.sampler import GivenPairs, PxK
from gemel.encode.comparators.cosine import Cosine
from gemel.release.run import MAP_AT_R, RunSettings
from gemel.tasks import given
from gemel.tasks.retrieval import retrieve
from gemel.train import losses
from gemel.train.arrays import Arrays
from gemel.train.given import AsGiven, OfGiven
from gemel.train.loop import Metric, Sampler, Supervision
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
        keeps_identities: whether batches may be mixed into new identities.
    """

    supervision: Supervision
    labels: Int64
    sampler: Sampler
    metric: Metric
    measure: str
    keeps_identities: bool


def lesson(
    half: Trainable,
    settings: RunSettings,
    known: tuple[nn.Module, Arrays, Int64],
    sides: tuple[Pairing, Pairing],
) -> Lesson:
    """The lesson that records and settings ask for.

    Args:
        half: of the modality.
        settings: resolved.
        known: tower, prepared training records and their identities.
        sides: the pairing of train, and of dev.
    Raises:
        ConfigError: no such loss, or it cannot mine.
        DataError: no identities, or no pairs, to make a batch of.
    """
    tower, arrays, identities = known
    loss = losses.named(settings.loss, mining=settings.mining, margin=settings.margin)
    p, k = settings.identities_per_batch, settings.views_per_identity
    of_train, of_dev = sides
    if of_train.given is not None:
        return Lesson(
            AsGiven.of(loss, settings.loss, of_train, identities),
            np.arange(len(identities)),
            GivenPairs(of_train.given, max(1, p * k // 2), settings.seed),
            OfGiven(of_dev),
            given.measure_of(of_dev),
            keeps_identities=True,
        )
    supervision, labels = half.aim(tower, arrays, identities, loss)
    first = labels.reshape(len(labels), -1)[:, 0]
    sampler = PxK(first, p, k, settings.seed)
    return Lesson(supervision, labels, sampler, map_at_r, MAP_AT_R, keeps_identities=False)


def map_at_r(rows: Float32, identities: Int64) -> float:
    """The dev metric of identities: mean average precision at R of the cosine, in [0, 1]."""
    return retrieve(rows, identities, Cosine(), k=(1,)).map_at_r
