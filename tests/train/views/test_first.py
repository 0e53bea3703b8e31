"""Variants teach before labels do, through a projector, and survive a kill."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from gemel.errors import ConfigError
from gemel.settings import TrainSettings
from gemel.train import loop, towers
from gemel.train.arrays import embed
from gemel.train.lessons import map_at_r
from gemel.train.task import resolve
from gemel.train.views import first

SETTINGS = resolve(
    TrainSettings(views_first=3, learning_rate=1e-2, identities_per_batch=16, views_per_identity=4),
    towers.Defaults(),
    n_drawn=28,
)


class Stop(Exception):
    """The run ends here."""


def stop(step: loop.Step) -> None:
    if (step.epoch, step.step) == (2, 2):
        raise Stop


def varied(arrays, rng):
    """Views that move what says nothing, so that there is something to learn from them."""
    x = arrays["x"]
    moved = rng.standard_normal(x.shape, dtype=np.float32) * np.repeat([0.1, 1.0], [4, 8])
    return {"x": (x + moved).astype(np.float32)}


def taught(problem, net: torch.nn.Module, session: loop.Session) -> float:
    m = problem.material
    judged = map_at_r, m.dev_arrays, m.dev_identities
    first.by_views(net, m.arrays, varied, judged, SETTINGS, session)
    return map_at_r(embed(net, m.dev_arrays), m.dev_identities)


def test_variants_alone_teach_and_a_killed_run_goes_on(problem, tower, tmp_path: Path) -> None:
    untaught = map_at_r(
        embed(tower(), problem.material.dev_arrays), problem.material.dev_identities
    )
    whole = tower()
    assert taught(problem, whole, loop.Session()) > untaught + 0.1
    session = loop.Session(tmp_path / "c", "k", stop)
    with pytest.raises(Stop):
        taught(problem, tower(), session)
    assert [p.name for p in tmp_path.iterdir()] == ["c.first"], "that of the run is another"
    resumed = tower(seed=9)
    taught(problem, resumed, dataclasses.replace(session, progress=None))
    for name, value in whole.state_dict().items():
        assert value.numpy().tobytes() == resumed.state_dict()[name].numpy().tobytes(), name


def test_what_is_not_varied_is_refused(problem, tower) -> None:
    m = problem.material
    judged = map_at_r, m.dev_arrays, m.dev_identities
    with pytest.raises(ConfigError, match="variants teach it nothing"):
        first.by_views(tower(), m.arrays, lambda a, rng: a, judged, SETTINGS, loop.Session())
