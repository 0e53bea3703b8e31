"""The loop learns, selects on dev, stops, and says why when it cannot go on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gemel.errors import CollapseError, TrainingError
from gemel.train import loop
from gemel.train.arrays import embed
from gemel.train.loop import checkpoint
from gemel.train.losses import ByIdentity, Contrastive, InfoNCE, Triplet

PLAN = loop.Plan(max_epochs=12, patience=12, learning_rate=5e-3, averaging=0.9)


def test_learning_makes_unseen_identities_easier_to_find(problem, tower) -> None:
    history = problem.fit(tower(), PLAN)
    assert history[0].epoch == 0
    assert history[0].loss is None
    assert max(e.metric for e in history) > history[0].metric + 0.4


@pytest.mark.parametrize("loss", [Triplet(0.2, "semi-hard"), Contrastive()], ids=repr)
def test_every_loss_learns(problem, tower, loss) -> None:
    other = dataclasses.replace(problem.objective, supervision=ByIdentity(loss))
    history = dataclasses.replace(problem, objective=other).fit(tower(), PLAN)
    assert max(e.metric for e in history) > history[0].metric + 0.4


def test_the_tower_ends_with_its_best_weights(problem, tower) -> None:
    net = tower()
    history = problem.fit(net, PLAN)
    m = problem.material
    got = problem.objective.metric(embed(net, m.dev_arrays), m.dev_identities)
    assert got == max(e.metric for e in history)
    assert not net.training


def test_training_stops_when_dev_no_longer_gets_better(problem, tower) -> None:
    def flat(rows: np.ndarray, identities: np.ndarray) -> float:
        return 0.5

    objective = dataclasses.replace(problem.objective, metric=flat)
    plan = dataclasses.replace(PLAN, patience=2)
    history = dataclasses.replace(problem, objective=objective).fit(tower(), plan)
    assert [e.epoch for e in history] == [0, 1, 2]


def test_same_seed_same_weights_and_other_seed_other_weights(problem, tower) -> None:
    plan = dataclasses.replace(PLAN, max_epochs=2)
    weights = []
    for seed in (0, 0, 1):
        net = tower()
        problem.fit(net, dataclasses.replace(plan, seed=seed))
        weights.append(net.state_dict()["layers.0.weight"].numpy().tobytes())
    assert weights[0] == weights[1] != weights[2]


def test_random_numbers_of_the_caller_are_left_alone(problem, tower) -> None:
    before = torch.random.get_rng_state()
    problem.fit(tower(), dataclasses.replace(PLAN, max_epochs=1))
    assert torch.equal(before, torch.random.get_rng_state())


def test_progress_counts_every_step(problem, tower) -> None:
    steps: list[loop.Step] = []
    plan = dataclasses.replace(PLAN, max_epochs=2)
    problem.fit(tower(), plan, loop.Session(progress=steps.append))
    n = len(problem.sampler())
    assert [(s.epoch, s.step) for s in steps] == [(e, i) for e in (1, 2) for i in range(1, n + 1)]
    assert {(s.n_epochs, s.n_steps) for s in steps} == {(2, n)}


class Constant(nn.Module):
    """Learns to say the same to everything: its input has no path to the output but a faint one."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.ones(8))
        self.faint = nn.Linear(12, 8)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(self.bias + 1e-4 * self.faint(x), dim=1)


def test_an_encoder_that_says_the_same_to_everything_is_stopped(problem) -> None:
    with pytest.raises(CollapseError, match="mean similarity") as caught:
        problem.fit(Constant(), PLAN)
    assert "epoch 2" in caught.value.where
    assert caught.value.hint


def test_attraction_alone_collapses_a_healthy_tower(problem, tower) -> None:
    """A negative margin of zero pulls positives and never pushes negatives."""
    objective = dataclasses.replace(
        problem.objective, supervision=ByIdentity(Contrastive(0.0, -1.0))
    )
    plan = loop.Plan(max_epochs=60, patience=60, learning_rate=3e-2)
    with pytest.raises(CollapseError):
        dataclasses.replace(problem, objective=objective).fit(tower(), plan)


def test_a_loss_that_is_not_finite_stops_training(problem, tower) -> None:
    objective = dataclasses.replace(problem.objective, supervision=lambda x, y: (x / 0).sum())
    with pytest.raises(TrainingError, match="loss became nan") as caught:
        dataclasses.replace(problem, objective=objective).fit(tower(), PLAN)
    assert "learning_rate" in caught.value.hint


@pytest.mark.parametrize(("averaging", "bf16"), [(0.0, False), (0.9, False), (0.9, True)])
def test_a_resumed_run_ends_with_the_same_bits(
    problem, tower, tmp_path: Path, averaging: float, bf16: bool
) -> None:
    plan = dataclasses.replace(PLAN, max_epochs=5, averaging=averaging, bf16=bf16)
    whole = tower()
    history = problem.fit(whole, plan)

    class Stop(Exception):
        pass

    def stop(step: loop.Step) -> None:
        if (step.epoch, step.step) == (3, 2):
            raise Stop

    session = loop.Session(tmp_path / "c", key="k", progress=stop)
    with pytest.raises(Stop):
        problem.fit(tower(), plan, session)
    resumed = tower(seed=9)
    again = problem.fit(resumed, plan, dataclasses.replace(session, progress=None))
    assert again == history
    for name, value in whole.state_dict().items():
        assert value.numpy().tobytes() == resumed.state_dict()[name].numpy().tobytes(), name


def test_a_checkpoint_of_another_run_is_not_resumed(problem, tower, tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, max_epochs=1)
    problem.fit(tower(), plan, loop.Session(tmp_path / "c", key="one"))
    seen: list[loop.Step] = []
    problem.fit(tower(), plan, loop.Session(tmp_path / "c", key="two", progress=seen.append))
    assert seen


def test_a_damaged_checkpoint_is_named(problem, tower, tmp_path: Path) -> None:
    path = tmp_path / "c"
    problem.fit(tower(), dataclasses.replace(PLAN, max_epochs=1), loop.Session(path))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TrainingError, match="cannot be read") as caught:
        problem.fit(tower(), PLAN, loop.Session(path))
    assert str(path) == caught.value.where
    assert "delete it" in caught.value.hint


def test_a_checkpoint_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "c"
    checkpoint.write(path, {"a": torch.arange(3)}, {"n": 1})
    checkpoint.write(path, {"a": torch.arange(4)}, {"n": 2})
    found = checkpoint.read(path)
    assert found is not None
    assert found[0]["a"].tolist() == [0, 1, 2, 3]
    assert found[1] == {"n": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_infonce_needs_negatives_to_cost_anything() -> None:
    rows = torch.nn.functional.normalize(torch.randn(4, 3), dim=1)
    assert float(ByIdentity(InfoNCE())(rows, torch.zeros(4, dtype=torch.int64))) == pytest.approx(
        0, abs=1e-6
    )
