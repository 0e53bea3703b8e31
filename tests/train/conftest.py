"""Small numeric problems that train in a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gemel.data.sampler import PxK
from gemel.train import loop
from gemel.train.arrays import Arrays
from gemel.train.lessons import map_at_r
from gemel.train.losses import ByIdentity, InfoNCE


class Mlp(nn.Module):
    """A tower for `x` (b, 12) float32, with dropout so that random numbers are drawn."""

    def __init__(self, seed: int = 0, dropout: float = 0.1, width: int = 8) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Linear(12, 24), nn.GELU(), nn.Dropout(dropout), nn.Linear(24, width)
            )

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(self.layers(x), dim=1)


def noise(arrays: Arrays, rng: np.random.Generator) -> Arrays:
    x = arrays["x"]
    return {"x": x + 0.1 * rng.standard_normal(x.shape, dtype=np.float32)}


@dataclass(frozen=True)
class Problem:
    material: loop.Material
    objective: loop.Objective

    def sampler(self) -> PxK:
        return PxK(self.material.identities, 8, 4, seed=3)

    def fit(self, tower: nn.Module, plan: loop.Plan, session: loop.Session | None = None):
        return loop.fit(tower, self.material, self.sampler(), self.objective, plan, session)


@pytest.fixture
def tower() -> type[Mlp]:
    return Mlp


@pytest.fixture
def problem() -> Problem:
    """40 identities that differ in 4 of 12 directions, the others being noise."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(40), 6)
    x = rng.normal(size=(len(y), 12)) * np.repeat([0.25, 1.2], [4, 8])
    x[:, :4] += rng.normal(size=(40, 4))[y]
    x = x.astype(np.float32)
    train = y < 28
    material = loop.Material({"x": x[train]}, y[train], {"x": x[~train]}, y[~train])
    return Problem(material, loop.Objective(ByIdentity(InfoNCE(0.2)), map_at_r, noise))
