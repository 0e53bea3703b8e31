"""Everything that changes while a tower learns: begun, averaged, kept in a file, taken up again."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from gemel.release.run import Epoch
from gemel.train.loop import checkpoint
from gemel.train.loop.plan import Plan, Sampler, Session
from gemel.train.losses.projected import Projector
from gemel.train.scale import ranks

FASTER = 30.0
"""How much faster than the tower learns what supervision learns: a proxy is met in few batches."""


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


def begin(tower: nn.Module, learned: nn.Module, plan: Plan) -> State:
    """The state before the first step."""
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
    return State(tower, judged, weights(tower), optimizer, learned)


def weights(tower: nn.Module) -> dict[str, Tensor]:
    """A copy of what a tower holds, by name."""
    return {name: value.detach().clone() for name, value in tower.state_dict().items()}


@torch.no_grad()
def follow(state: State, decay: float) -> None:
    """Move the running average towards the weights; faster while there are few steps to average."""
    decay = min(decay, (1 + state.n_steps) / (10 + state.n_steps))
    live = state.tower.state_dict()
    for name, value in state.judged.state_dict().items():
        if value.is_floating_point():
            value.lerp_(live[name], 1.0 - decay)
        else:
            value.copy_(live[name])


def keep(state: State, sampler: Sampler, session: Session) -> None:
    """Show the history, and write the checkpoint of a session that has one."""
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


def resume(state: State, sampler: Sampler, session: Session) -> bool:
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
