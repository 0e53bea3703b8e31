"""Prepared records as the towers take them: named arrays, their variants, and their embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gemel.arrays import Float32, Int64
from gemel.encode import ragged

Arrays = dict[str, NDArray[Any]]
"""Network inputs by name, first axis = records."""

Views = Callable[[Arrays, np.random.Generator], Arrays]
"""A random variant of each row of a batch of prepared arrays; used in training only."""

Mix = Callable[[Arrays, Int64, np.random.Generator], tuple[Arrays, Int64]]
"""A batch with its labels to one of other identities, made of the old ones; in training only."""


def take(arrays: Arrays, idx: Int64 | slice) -> Arrays:
    """The rows of every array that idx selects."""
    return {name: a[idx] for name, a in arrays.items()}


def with_views(arrays: Arrays, views: Views, seed: int, *, both: bool) -> Arrays:
    """The records, or a view of each, and then one more view of each."""
    rng = np.random.default_rng(seed)
    if both:
        return views({name: np.concatenate([a, a]) for name, a in arrays.items()}, rng)
    varied = views(arrays, rng)
    return {name: np.concatenate([a, varied[name]]) for name, a in arrays.items()}


def tensors(arrays: Arrays, device: str = "cpu") -> dict[str, Tensor]:
    """The arrays as tensors; nothing is copied on the CPU."""
    return {k: torch.from_numpy(np.ascontiguousarray(v)).to(device) for k, v in arrays.items()}


@torch.no_grad()
def embed(tower: nn.Module, arrays: Arrays, *, batch: int = 512, device: str = "cpu") -> Float32:
    """Unit rows of prepared records, (n, d) float32, in evaluation mode."""
    n = len(next(iter(arrays.values())))
    was_training = tower.training
    tower.eval()
    parts = []
    for i in range(0, n, batch):
        for idx, run in ragged.runs(take(arrays, slice(i, i + batch))):
            parts.append((i + idx, tower(**tensors(run, device)).cpu().numpy()))
    tower.train(was_training)
    out = np.empty((n, parts[0][1].shape[1]), np.float32)
    for idx, rows in parts:
        out[idx] = rows
    return out
