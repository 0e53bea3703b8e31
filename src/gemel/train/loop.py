"""One readable training loop for every modality.

It takes prepared arrays, indices from a sampler and views, and leaves the tower with the weights
that were best on dev. It knows no modality, no dataset and no file but its own checkpoint.
Everything random is a function of (seed, epoch, step), so that a run that was killed and resumed
ends with the same bits as one that was not.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from gemel.arrays import Float32, Int64
from gemel.encode.profile import Profile
from gemel.errors import CollapseError, TrainingError
from gemel.release.run import Batches, Epoch
from gemel.train import checkpoint
from gemel.train.arrays import Arrays, Mix, Views, embed, take, tensors
from gemel.train.losses.projected import Projector
from gemel.train.scale import ranks

Metric = Callable[[Float32, Int64], float]
"""How well (n, d) unit rows retrieve their own identity, (n,) codes; higher is better."""

Supervision = Callable[[Tensor, Tensor], Tensor]
"""The loss of (b, d) unit rows, a scalar, given the labels of their records, (b, ...) int64."""

Look = Callable[[Float32], None]
"""Takes in the (n, d) rows of all training records."""

COLLAPSED_EPOCHS = 2
PROFILE_ROWS = 1024
MAX_GRADIENT = 5.0
FASTER = 30.0
"""How much faster than the tower learns what supervision learns: a proxy is met in few batches."""
WATCHED = 4
"""Every so many batches one is looked at."""


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
        device: a torch device.
    """

    max_epochs: int = 20
    patience: int = 5
    learning_rate: float = 1e-3
    warmup_ratio: float = 0.1
    weight_decay: float = 1e-4
    averaging: float = 0.0
    seed: int = 0
    chunk: int = 0
    device: str = "cpu"


@dataclass(frozen=True)
class Step:
    """Where training is; epochs and steps count from 1, `metric` is the last dev metric."""

    epoch: int
    n_epochs: int
    step: int
    n_steps: int
    loss: float
    metric: float


Progress = Callable[[Step], None]


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


@dataclass
class State:
    """Everything that changes while training; `judged` is the tower or its running average."""

    tower: nn.Module
    judged: nn.Module
    best: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    learned: nn.Module
    history: list[Epoch] = field(default_factory=list)
    n_steps: int = 0
    n_collapsed: int = 0

    @property
    def best_epoch(self) -> int:
        """The first epoch with the highest dev metric."""
        return max(self.history, key=lambda e: (e.metric, -e.epoch)).epoch


def fit(
    tower: nn.Module,
    material: Material,
    sampler: Sampler,
    objective: Objective,
    plan: Plan,
    session: Session | None = None,
) -> list[Epoch]:
    """Train the tower in place; it ends with its best weights, in evaluation mode.

    Args:
        tower: takes the arrays by name, gives (b, d) unit rows.
        material: training and dev records.
        sampler: gives the rows of each batch.
        objective: loss, views and the metric that selects.
        plan: how long and how fast.
        session: where to checkpoint and whom to tell.
    Returns:
        The history, from epoch 0 (untrained) to the last one.
    Raises:
        CollapseError: the embeddings became indistinguishable and stayed so.
        TrainingError: the loss is not finite, or the checkpoint is damaged.
    """
    session = session or Session()
    tower.to(plan.device)
    learned = objective.learned or nn.Module()
    ranks.require_rows_alone(tower)
    ranks.same_start([tower, learned.to(plan.device)])
    state = _start(tower, learned, plan)
    resumed = _resume(state, sampler, session)
    ranks.require_same(state.n_steps)
    if not resumed:
        _judge(state, material, objective, plan, loss=None)
        _save(state, sampler, session)
    while not _finished(state, plan):
        loss = _epoch(state, material, sampler, objective, plan, session)
        _judge(state, material, objective, plan, loss=loss)
        _save(state, sampler, session)
    tower.load_state_dict(state.best)
    tower.eval()
    return state.history


def _start(tower: nn.Module, learned: nn.Module, plan: Plan) -> State:
    trained = [p for p in tower.parameters() if p.requires_grad]
    projectors = [p for m in learned.modules() if isinstance(m, Projector) for p in m.parameters()]
    known = set(map(id, projectors))
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        {
            "params": [p for p in learned.parameters() if id(p) not in known],
            "weight_decay": 0.0,
            "faster": FASTER,
        },
        {"params": projectors, "weight_decay": 0.0},
    ]
    # A tower that is used as it is has nothing to optimise; the optimizer wants something.
    groups = [g for g in groups if g["params"]] or [{"params": [nn.Parameter(torch.zeros(0))]}]
    # Fused: one pass over the weights instead of eight, which is what a large table costs.
    optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate, fused=True)
    judged = copy.deepcopy(tower) if plan.averaging else tower
    return State(tower, judged, _copy(tower), optimizer, learned)


def _copy(tower: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in tower.state_dict().items()}


def _finished(state: State, plan: Plan) -> bool:
    last = state.history[-1].epoch
    return last >= plan.max_epochs or last - state.best_epoch >= plan.patience


def _rate(step: int, n_steps: int, plan: Plan) -> float:
    """Learning rate of a step counted from 0: linear warm-up, then a cosine to zero."""
    warmup = max(1, round(plan.warmup_ratio * n_steps))
    if step < warmup:
        return plan.learning_rate * (step + 1) / warmup
    share = min(1.0, (step - warmup) / max(1, n_steps - warmup))
    return plan.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))


def _epoch(
    state: State,
    material: Material,
    sampler: Sampler,
    objective: Objective,
    plan: Plan,
    session: Session,
) -> float:
    """One pass over the sampler; returns the mean loss of its steps."""
    last = state.history[-1]
    epoch, n_batches = last.epoch + 1, len(sampler)
    losses: list[float] = []
    known = material.identities if material.labels is None else material.labels
    if objective.look is not None:
        objective.look(embed(state.tower, material.arrays, device=plan.device))
    state.tower.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed * 1_000_003 + epoch)
        for i, idx in enumerate(sampler):
            for group in state.optimizer.param_groups:
                rate = _rate(state.n_steps, plan.max_epochs * n_batches, plan)
                group["lr"] = rate * group.get("faster", 1.0)
            batch = take(material.arrays, idx), known[idx]
            arrays, labels = _varied(batch, objective, np.random.default_rng((plan.seed, epoch, i)))
            watch = objective.watch if i % WATCHED == 0 else None
            losses.append(_step(state, (arrays, labels), objective, plan, watch))
            if session.progress is not None:
                step = Step(epoch, plan.max_epochs, i + 1, n_batches, losses[-1], last.metric)
                session.progress(step)
    return float(np.mean(losses))


def _varied(
    batch: tuple[Arrays, Int64], objective: Objective, rng: np.random.Generator
) -> tuple[Arrays, Int64]:
    """The batch as the objective wants it seen, with its labels."""
    arrays, labels = batch
    if objective.mix is not None:
        arrays, labels = objective.mix(arrays, labels, rng)
    if objective.views is not None:
        arrays = objective.views(arrays, rng)
    return arrays, labels


def _step(
    state: State,
    batch: tuple[Arrays, Int64],
    objective: Objective,
    plan: Plan,
    watch: Watch | None,
) -> float:
    """One update of the weights; returns the loss before it."""
    labels = torch.from_numpy(batch[1]).to(plan.device)
    inputs = tensors(batch[0], plan.device)
    rows, back = ranks.forward(state.tower, inputs, plan.chunk)
    if watch is not None:
        watch.see(rows.detach(), labels)
    cost = objective.supervision(rows, labels)
    value = float(cost.detach())
    if not math.isfinite(value):
        raise TrainingError(
            f"the loss became {value} after {state.n_steps} steps",
            where="train",
            hint="lower train.learning_rate, and look for extreme numbers in the data",
        )
    state.optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(cost)
    back()
    nn.utils.clip_grad_norm_(state.tower.parameters(), MAX_GRADIENT)
    state.optimizer.step()
    state.n_steps += 1
    if state.judged is not state.tower:
        _follow(state, plan.averaging)
    return value


@torch.no_grad()
def _follow(state: State, decay: float) -> None:
    """Move the running average towards the weights; faster while there are few steps to average."""
    decay = min(decay, (1 + state.n_steps) / (10 + state.n_steps))
    live = state.tower.state_dict()
    for name, value in state.judged.state_dict().items():
        if value.is_floating_point():
            value.lerp_(live[name], 1.0 - decay)
        else:
            value.copy_(live[name])


def _judge(
    state: State, material: Material, objective: Objective, plan: Plan, *, loss: float | None
) -> None:
    """Append an epoch to the history, keep its weights if they are the best, stop on collapse."""
    rows = embed(state.judged, material.dev_arrays, device=plan.device)
    n = len(material.identities)
    some = np.unique(np.linspace(0, n - 1, min(n, PROFILE_ROWS)).astype(np.int64))
    profile = Profile.of(embed(state.judged, take(material.arrays, some), device=plan.device))
    epoch = state.history[-1].epoch + 1 if state.history else 0
    (metric,) = ranks.agreed([float(objective.metric(rows, material.dev_identities))])
    batches = objective.watch.told() if objective.watch is not None else None
    state.history.append(
        Epoch(epoch, loss, metric, profile.mean_similarity, profile.effective_rank, batches)
    )
    if state.best_epoch == epoch:
        state.best = _copy(state.judged)
    reason = profile.collapsed(n_identities=len(np.unique(material.identities[some])))
    state.n_collapsed = state.n_collapsed + 1 if reason and epoch > 0 else 0
    if reason and state.n_collapsed >= COLLAPSED_EPOCHS:
        raise CollapseError(
            f"{reason}, for {state.n_collapsed} epochs",
            where=f"train, epoch {epoch}",
            hint="lower train.learning_rate, or raise train.identities_per_batch",
        )


def _save(state: State, sampler: Sampler, session: Session) -> None:
    if session.track is not None:
        session.track(state.history)
    if session.checkpoint is None or not ranks.is_first():
        return
    named = {f"best/{k}": v for k, v in state.best.items()}
    named |= {f"tower/{k}": v for k, v in state.tower.state_dict().items()}
    named |= {f"judged/{k}": v for k, v in state.judged.state_dict().items()}
    named |= {f"learned/{k}": v for k, v in state.learned.state_dict().items()}
    named |= checkpoint.optimizer_tensors(state.optimizer, "optimizer/")
    scalars = {
        "key": session.key,
        "sampler": sampler.state_dict(),
        "history": msgspec.to_builtins(state.history),
        "n_steps": state.n_steps,
        "n_collapsed": state.n_collapsed,
    }
    checkpoint.write(session.checkpoint, named, scalars)


def _resume(state: State, sampler: Sampler, session: Session) -> bool:
    """Whether a checkpoint of the same run was there and has been loaded."""
    found = checkpoint.read(session.checkpoint) if session.checkpoint is not None else None
    if found is None or found[1].get("key") != session.key:
        return False
    named, scalars = found

    def under(prefix: str) -> dict[str, Tensor]:
        return {k[len(prefix) :]: v for k, v in named.items() if k.startswith(prefix)}

    state.best = under("best/")
    state.tower.load_state_dict(under("tower/"))
    state.judged.load_state_dict(under("judged/"))
    checkpoint.load_optimizer(state.optimizer, named, "optimizer/")
    sampler.load_state_dict(scalars["sampler"])
    state.learned.load_state_dict(under("learned/"))
    state.history = msgspec.convert(scalars["history"], list[Epoch])
    state.n_steps, state.n_collapsed = scalars["n_steps"], scalars["n_collapsed"]
    return True
