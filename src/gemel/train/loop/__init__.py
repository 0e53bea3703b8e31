"""One readable training loop for every modality.

It takes prepared arrays, indices from a sampler and views, and leaves the tower with the weights
that were best on dev. It knows no modality, no dataset and no file but its own checkpoint.
Everything random is a function of (seed, epoch, step), so that a run that was killed and resumed
ends with the same bits as one that was not.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from gemel.arrays import Int64
from gemel.encode.profile import Profile
from gemel.errors import CollapseError, TrainingError
from gemel.figures import number_of
from gemel.release.run import Epoch
from gemel.train.arrays import Arrays, embed, take, tensors
from gemel.train.loop.plan import (
    Look,
    Material,
    Metric,
    Objective,
    Plan,
    Progress,
    Sampler,
    Session,
    Step,
    Supervision,
    Watch,
    numbered,
)
from gemel.train.loop.state import State, begin, follow, keep, resume, weights
from gemel.train.scale import ranks
from gemel.train.scale.precision import InBfloat16

__all__ = ["Epoch", "Look", "Material", "Metric", "Objective", "Plan", "Progress", "Sampler"]
__all__ += ["Session", "Step", "Supervision", "Watch", "fit", "numbered"]

COLLAPSED_EPOCHS = 2
PROFILE_ROWS, PROFILE_SHARE = (256, 1024), 1 / 8
"""Training records that the embeddings are described by after each epoch: a share, in bounds."""
MAX_GRADIENT = 5.0
WATCHED = 4
"""Every so many batches one is looked at."""


def fit(
    tower: nn.Module,
    material: Material,
    sampler: Sampler,
    objective: Objective,
    plan: Plan,
    session: Session | None = None,
) -> list[Epoch]:
    """Train the tower in place; it ends with its best weights, on the CPU, in evaluation mode.

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
    state = begin(tower, learned, plan)
    resumed = resume(state, sampler, session)
    ranks.require_same(state.n_steps)
    if not resumed:
        _judge(state, material, objective, plan, loss=None)
        keep(state, sampler, session)
    while not _finished(state, plan):
        loss = _epoch(state, material, sampler, objective, plan, session)
        _judge(state, material, objective, plan, loss=loss)
        keep(state, sampler, session)
    tower.load_state_dict(state.best)
    learned.cpu()
    tower.cpu().eval()
    return state.history


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
    tower = InBfloat16(state.tower, plan.device) if plan.bf16 else state.tower
    rows, back = ranks.forward(tower, inputs, plan.chunk)
    if watch is not None:
        watch.see(rows.detach(), labels)
    cost = objective.supervision(rows, labels)
    value = float(cost.detach())
    if not math.isfinite(value):
        raise TrainingError(
            f"the loss became {value} after {number_of(state.n_steps, 'step')}",
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
        follow(state, plan.averaging)
    return value


def _judge(
    state: State, material: Material, objective: Objective, plan: Plan, *, loss: float | None
) -> None:
    """Append an epoch to the history, keep its weights if they are the best, stop on collapse."""
    rows = embed(state.judged, material.dev_arrays, device=plan.device)
    n = len(material.identities)
    n_looked_at = min(n, int(np.clip(n * PROFILE_SHARE, *PROFILE_ROWS)))
    some = np.unique(np.linspace(0, n - 1, n_looked_at).astype(np.int64))
    profile = Profile.of(embed(state.judged, take(material.arrays, some), device=plan.device))
    epoch = state.history[-1].epoch + 1 if state.history else 0
    (metric,) = ranks.agreed([float(objective.metric(rows, material.dev_identities))])
    batches = objective.watch.told() if objective.watch is not None else None
    state.history.append(
        Epoch(epoch, loss, metric, profile.mean_similarity, profile.effective_rank, batches)
    )
    if state.best_epoch == epoch:
        state.best = weights(state.judged)
    reason = profile.collapsed(n_identities=len(np.unique(material.identities[some])))
    state.n_collapsed = state.n_collapsed + 1 if reason and epoch > 0 else 0
    if reason and state.n_collapsed >= COLLAPSED_EPOCHS:
        raise CollapseError(
            f"{reason}, for {state.n_collapsed} epochs",
            where=f"train, epoch {epoch}",
            hint="lower train.learning_rate, or raise train.identities_per_batch",
        )
