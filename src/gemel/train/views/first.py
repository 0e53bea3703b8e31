"""What a tower learns before labels teach it: to tell each record from all others by two variants.

Records without labels take part. The projector that the loss looks through is thrown away. It has
a checkpoint of its own, so that a run that was killed goes on with the same bits.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import torch
from torch import nn

from gemel.data.sampler import PxK
from gemel.errors import ConfigError
from gemel.release.run import RunSettings
from gemel.train import loop
from gemel.train.arrays import Arrays, Views, embed, take
from gemel.train.losses import ByIdentity
from gemel.train.losses.projected import Projected
from gemel.train.losses.softmax import NTXent

SUFFIX = ".first"
"""Of its checkpoint, behind that of the run."""


def by_views(
    tower: nn.Module,
    arrays: Arrays,
    views: Views,
    judged: tuple[loop.Metric, Arrays, np.ndarray],
    settings: RunSettings,
    session: loop.Session,
) -> None:
    """Teach a tower by two variants of each record; it ends with the epoch that was best on dev.

    Args:
        tower: takes the arrays by name.
        arrays: prepared records, with labels or without.
        views: makes the variants.
        judged: the metric, prepared dev records, and their identities.
        settings: of the run.
        session: of the run.
    Raises:
        ConfigError: nothing varies what the tower takes.
    """
    some = take(arrays, slice(0, 2))
    twice = views({name: a.copy() for name, a in some.items()}, np.random.default_rng(0))
    if all(np.array_equal(some[name], twice[name]) for name in some):
        raise ConfigError(
            "what this network takes is not varied, so that variants teach it nothing",
            where="train.views_first",
            hint='leave train.views_first out; of images, train.tune = "all" varies them',
        )
    metric, dev, identities = judged
    labels = np.arange(len(next(iter(arrays.values()))))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        loss = Projected(NTXent(), embed(tower, some).shape[1])
    plan = msgspec.convert(settings, loop.Plan, from_attributes=True)
    epochs = settings.views_first
    place = session.checkpoint
    loop.fit(
        tower,
        loop.Material(arrays, labels, dev, identities),
        PxK(labels, settings.identities_per_batch * settings.views_per_identity // 2, 2),
        loop.Objective(ByIdentity(loss), metric, views, None, loss),
        replace(plan, max_epochs=epochs, patience=epochs),
        replace(
            session,
            checkpoint=None if place is None else place.with_name(place.name + SUFFIX),
            key=f"{session.key} {SUFFIX}",
            track=None,
        ),
    )
