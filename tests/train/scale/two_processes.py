"""What each of several processes does that torchrun has started; told in one file by the first."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from gemel.data.sampler import GivenPairs
from gemel.errors import TrainingError
from gemel.train import loop
from gemel.train.losses import InfoNCE
from gemel.train.relations import Relations
from gemel.train.scale import gradients, ranks


class Tower(nn.Module):
    """`x` (b, 6) float32 to unit rows (b, 4)."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(ranks.is_first())  # the first one's weights are those that count
            self.layers = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.layers(x), dim=1)


def supervision(rows: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return InfoNCE(0.1)(rows, Relations.of_labels(labels))


def apart(n: int, chunk: int) -> float:
    """Largest difference of a gradient of n rows to that of one process, in float64.

    In float32 it would be that of the order of sums, which differs from processor to processor.
    """
    tower = Tower().double()
    ranks.same_start([tower])
    rng = np.random.default_rng(n)
    x = torch.from_numpy(rng.standard_normal((n, 6)))
    labels = torch.arange(n) // 2
    found = []
    for forward in (gradients.forward, ranks.forward):
        tower.zero_grad(set_to_none=True)
        rows, back = forward(tower, {"x": x}, chunk)
        torch.autograd.backward(supervision(rows, labels))
        back()
        found.append(torch.cat([p.grad.reshape(-1) for p in tower.parameters()]))
    return float((found[0] - found[1]).abs().max())


class Stopped(Exception):
    """A run ends in the middle of an epoch."""


def stop(step: loop.Step) -> None:
    if (step.epoch, step.step) == (3, 2):
        raise Stopped


def trained(checkpoint: Path, progress: loop.Progress | None = None) -> list[float]:
    """Weights after four epochs of batches of 5, 5 and 4 pairs."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((28, 6), dtype=np.float32)
    codes = np.repeat(np.arange(14), 2)
    tower = Tower()
    loop.fit(
        tower,
        loop.Material({"x": x}, codes, {"x": x[:8]}, codes[:8]),
        GivenPairs(np.arange(28).reshape(14, 2), 5),
        loop.Objective(supervision, lambda rows, y: float(np.abs(rows).sum())),
        loop.Plan(max_epochs=4, learning_rate=0.01, seed=1),
        loop.Session(checkpoint, "a run", progress),
    )
    return torch.cat([p.detach().reshape(-1) for p in tower.parameters()]).tolist()


def resumed(checkpoint: Path) -> list[float]:
    """The same of a run that stopped and went on."""
    try:
        trained(checkpoint, stop)
    except Stopped:
        return trained(checkpoint)
    return []


def refused(ask: Callable[[], None]) -> str:
    """What is said to processes that cannot go on."""
    try:
        ask()
    except TrainingError as e:
        return str(e)
    return ""


def main() -> None:
    """Do all of it, and write it down."""
    folder = Path(sys.argv[1])
    with ranks.group():
        said = {
            "processes": ranks.count(),
            "apart": {f"{n}/{c}": apart(n, c) for n, c in ((8, 0), (7, 0), (1, 0), (9, 2))},
            "steps": refused(lambda: ranks.require_same(3 if ranks.is_first() else 4)),
            "batch": refused(lambda: ranks.require_rows_alone(nn.BatchNorm1d(4))),
            "whole": trained(folder / "whole"),
            "resumed": resumed(folder / "resumed"),
        }
        if ranks.is_first():
            (folder / "said.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main()
