"""The gradients of a batch whose activations do not fit: rows first, then a piece at a time.

A loss over a whole batch needs all of its rows, but only their gradients to go back through the
network. So the rows are made without activations, the loss is taken of them, and each piece runs
through the network again with the gradients of its rows. The result is that of the whole batch.

Source: Gao et al. 2021, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import get_device_states, set_device_states

from gemel.arrays import Int64
from gemel.encode import ragged
from gemel.train.arrays import tensors


def forward(
    tower: nn.Module, inputs: dict[str, Tensor], chunk: int
) -> tuple[Tensor, Callable[[], None]]:
    """The rows of a batch, and what brings their gradients to the weights.

    Args:
        tower: takes the inputs by name, gives (b, d) rows.
        inputs: of b records.
        chunk: records of a piece; 0, or b and more: the batch is one piece.
    Returns:
        (b, d) rows to take a loss of, and what to call after its backward pass.
    """
    n = len(next(iter(inputs.values())))
    if not chunk or chunk >= n:
        return _rows(tower, inputs), _nothing
    pieces = [
        {name: value[i : i + chunk] for name, value in inputs.items()} for i in range(0, n, chunk)
    ]
    states, parts = [], []
    with torch.no_grad():
        for piece in pieces:
            # Dropout must draw the same once more.
            states.append(_generators(piece))
            parts.append(tower(**piece))
    after = _generators(inputs)
    rows = torch.cat(parts).requires_grad_()

    def back() -> None:
        if rows.grad is None:
            return
        for piece, state, gradient in zip(pieces, states, rows.grad.split(chunk), strict=True):
            _go_back(state)
            torch.autograd.backward(tower(**piece), gradient)
        _go_back(after)

    return rows, back


def _rows(tower: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """The rows of a batch; on a CPU, records of different lengths run with those of their own."""
    there = inputs.get(ragged.THERE)
    if there is None or there.device.type != "cpu":
        rows: Tensor = tower(**inputs)
        return rows
    order, parts = list[Int64](), list[Tensor]()
    for idx, run in ragged.runs({name: value.numpy() for name, value in inputs.items()}):
        order.append(idx)
        parts.append(tower(**tensors(run)))
    back = torch.from_numpy(np.argsort(np.concatenate(order)))
    return torch.cat(parts)[back]


def _generators(inputs: dict[str, Tensor]) -> tuple[Tensor, tuple[list[int], list[Tensor]]]:
    """Where the generators are that may draw for these inputs: the CPU's and the device's."""
    return torch.random.get_rng_state(), get_device_states(*inputs.values())


def _go_back(state: tuple[Tensor, tuple[list[int], list[Tensor]]]) -> None:
    """Have the generators draw what they drew from there."""
    torch.random.set_rng_state(state[0])
    set_device_states(*state[1])


def _nothing() -> None:
    """Nothing is left to do."""
