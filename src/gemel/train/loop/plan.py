"""What a training loop is given: material, an aim, how long and how fast, and who watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from gemel.arrays import Float32, Int64
from gemel.release.run import Batches, Epoch
from gemel.train.arrays import Arrays, Mix, Views

Metric = Callable[[Float32, Int64], float]
"""How well (n, d) unit rows retrieve their own identity, (n,) codes; higher is better."""

Supervision = Callable[[Tensor, Tensor], Tensor]
"""The loss of (b, d) unit rows, a scalar, given the labels of their records, (b, ...) int64."""

Look = Callable[[Float32], None]
"""Takes in the (n, d) rows of all training records."""


class Sampler(Protocol):
    """Indices of P x K batches; iterating once is one epoch."""

    def __iter__(self) -> Iterator[Int64]:
        """Index arrays of about p * k rows."""

    def __len__(self) -> int:
        """Batches of one epoch."""

    def state_dict(self) -> dict[str, Any]:
        """What continues the sequence, as JSON values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue a sequence."""


@dataclass(frozen=True)
class Material:
    """What is learned from, and what is judged on.

    Args:
        arrays: prepared training records, n rows each.
        identities: (n,) int64, no unknown ones: a record of its own has a code of its own.
        dev_arrays: prepared dev records, m rows each.
        dev_identities: (m,) int64, disjoint from `identities`.
        labels: what supervision sees of each record, (n, ...) int64; None = `identities`.
    """

    arrays: Arrays
    identities: Int64
    dev_arrays: Arrays
    dev_identities: Int64
    labels: Int64 | None = None


class Watch(Protocol):
    """What looks at batches and says at the end of an epoch what they were like."""

    def see(self, rows: Tensor, labels: Tensor) -> None:
        """Take in one batch."""

    def told(self) -> Batches | None:
        """What was seen since the last time."""


@dataclass(frozen=True)
class Objective:
    """What training aims at.

    Args:
        supervision: makes relations of labels, and a loss of them: `losses.ByIdentity`, say.
        metric: on dev; the epoch where it is highest is kept.
        views: variants of each batch, or None to train on the records as they are.
        mix: makes new identities of a batch before its views are made, or None.
        learned: what supervision learns or remembers, trained and kept along with the tower.
        watch: looks at every fourth batch, or None.
        look: shown all training records before each epoch, or None.
    """

    supervision: Supervision
    metric: Metric
    views: Views | None = None
    mix: Mix | None = None
    learned: nn.Module | None = None
    watch: Watch | None = None
    look: Look | None = None


@dataclass(frozen=True)
class Plan:
    """How long and how fast; every value resolved.

    Args:
        max_epochs: epochs at most.
        patience: epochs without a better dev metric before stopping.
        learning_rate: at its highest, after warm-up; a cosine takes it to zero.
        warmup_ratio: share of all steps over which the rate rises from zero.
        weight_decay: of AdamW, on matrices.
        averaging: decay per step of the averaged weights that are judged and kept; 0 = none.
        seed: of everything random.
        chunk: records of a batch whose activations are in memory at a time; 0 = all.
        bf16: whether the tower multiplies in bfloat16 while it learns.
        device: that the tower learns on.
    """

    max_epochs: int = 20
    patience: int = 5
    learning_rate: float = 1e-3
    warmup_ratio: float = 0.1
    weight_decay: float = 1e-4
    averaging: float = 0.0
    seed: int = 0
    chunk: int = 0
    bf16: bool = False
    device: str = "cpu"


@dataclass(frozen=True)
class Step:
    """Where training is; epochs and steps count from 1, `metric` is the last dev metric.

    `encoder` counts those that are trained one after another, and how many they are.
    """

    epoch: int
    n_epochs: int
    step: int
    n_steps: int
    loss: float
    metric: float
    encoder: tuple[int, int] = (1, 1)


Progress = Callable[[Step], None]


def numbered(progress: Progress | None, at: int, n: int) -> Progress | None:
    """The same, told of one of several encoders."""
    if progress is None:
        return None
    return lambda step: progress(replace(step, encoder=(at, n)))


@dataclass(frozen=True)
class Session:
    """The surroundings of a run, none of which changes its result.

    Args:
        checkpoint: file to resume from and to write after each epoch, or None.
        key: says which run a checkpoint belongs to; one with another key is not resumed.
        progress: called after each step.
        track: shown all epochs so far after each.
    """

    checkpoint: Path | None = None
    key: str = ""
    progress: Progress | None = None
    track: Callable[[Sequence[Epoch]], None] | None = None
