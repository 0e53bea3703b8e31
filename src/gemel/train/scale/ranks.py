"""Several processes that train one encoder, as torchrun starts them; alone, nothing changes.

Every process draws the same batch and runs its share of it through the network. The rows of all are
gathered, each process takes the loss of the whole batch, and sends the gradients of its own rows
back; summed over processes they are those of one process with all of the batch. Shares may be of
unequal size. The first process writes the files of a run; the others wait for it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gemel.errors import TrainingError
from gemel.train.scale import gradients

BACKEND = "gloo"


@contextlib.contextmanager
def group() -> Iterator[None]:
    """Join the processes that torchrun has started, if it has, until the end of the block."""
    if not are_launched() or dist.is_initialized():
        yield
        return
    dist.init_process_group(BACKEND)
    try:
        yield
        dist.barrier()
    finally:
        dist.destroy_process_group()


def are_launched() -> bool:
    """Whether torchrun has started this process, with others or alone."""
    return dist.is_available() and dist.is_torchelastic_launched()


@contextlib.contextmanager
def one_voice() -> Iterator[None]:
    """Only the first process is heard; what the others would say is the same."""
    if is_first():
        yield
        return
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


def count() -> int:
    """How many processes train; 1 where one trains alone."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return count() == 1 or dist.get_rank() == 0


def together() -> None:
    """Wait until every process has come here."""
    if count() > 1:
        dist.barrier()


def agreed(values: list[float]) -> list[float]:
    """The numbers that the first process has: what all of them decide by."""
    if count() == 1:
        return values
    said = torch.tensor(values, dtype=torch.float64)
    dist.broadcast(said, 0)
    return said.tolist()


def require_same(n: int) -> None:
    """Raise unless every process has the same number.

    Raises:
        TrainingError: they have not: they did not go on from one checkpoint.
    """
    if count() == 1:
        return
    seen = [torch.zeros(1, dtype=torch.int64) for _ in range(count())]
    dist.all_gather(seen, torch.tensor([n], dtype=torch.int64))
    steps = sorted({int(one) for one in seen})
    if len(steps) > 1:
        raise TrainingError(
            f"the processes would go on from different steps: {', '.join(map(str, steps))}",
            where="train",
            hint="give all of them the same folder, on a disk that they share",
        )


def require_rows_alone(tower: nn.Module) -> None:
    """Raise if several processes train a network whose row depends on the rest of the batch.

    Raises:
        TrainingError: it normalises over the batch, of which a process sees a part.
    """
    norms = [n for n, m in tower.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if count() > 1 and norms:
        raise TrainingError(
            f"the layer {norms[0]} normalises over a batch, of which each process sees a part",
            where="torchrun",
            hint='train in one process, or only a layer behind the network: train.tune = "head"',
        )


def same_start(modules: Iterable[nn.Module]) -> None:
    """Give all processes the weights and buffers of the first one."""
    if count() == 1:
        return
    with torch.no_grad():
        for module in modules:
            for value in module.state_dict().values():
                dist.broadcast(value, 0)


def forward(
    tower: nn.Module, inputs: dict[str, Tensor], chunk: int
) -> tuple[Tensor, Callable[[], None]]:
    """The rows of a batch, whoever made them, and what brings their gradients to the weights.

    Args:
        tower: takes the inputs by name, gives (b, d) rows.
        inputs: of b records, the same in every process.
        chunk: records whose activations are in memory at a time, see `gradients.forward`.
    Returns:
        (b, d) rows to take a loss of, and what to call after its backward pass.
    """
    n = len(next(iter(inputs.values())))
    if count() == 1:
        return gradients.forward(tower, inputs, chunk)
    sizes = [n // count() + (rank < n % count()) for rank in range(count())]
    begin = sum(sizes[: dist.get_rank()])
    own = slice(begin, begin + sizes[dist.get_rank()])
    # A process without a share runs a record that counts for nothing, so that all do the same.
    share = own if own.start < own.stop else slice(0, 1)
    made, made_back = gradients.forward(tower, {k: v[share] for k, v in inputs.items()}, chunk)
    rows = _gathered(made.detach()[: own.stop - own.start], sizes).requires_grad_()

    def back() -> None:
        if rows.grad is not None:
            gradient = torch.zeros_like(made)
            gradient[: own.stop - own.start] = rows.grad[own]
            torch.autograd.backward(made, gradient)
            made_back()
        _sum_gradients(tower)

    return rows, back


def _gathered(own: Tensor, sizes: list[int]) -> Tensor:
    """The rows of all processes in their order; what is gathered has one size, and is cut."""
    padded = own.new_zeros(max(sizes), own.shape[1])
    padded[: len(own)] = own
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def _sum_gradients(tower: nn.Module) -> None:
    """Add up the gradients of all processes, in one message."""
    found = [p.grad for p in tower.parameters() if p.grad is not None]
    if not found:
        return
    flat = torch.cat([g.reshape(-1) for g in found])
    dist.all_reduce(flat)
    for gradient, whole in zip(found, flat.split([g.numel() for g in found]), strict=True):
        gradient.copy_(whole.view_as(gradient))
