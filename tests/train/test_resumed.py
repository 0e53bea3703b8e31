"""A run that was killed ends with the bits of one that was not, whatever it is taught by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from gemel.data.pairing import ALL, Pairing
from gemel.release.run import RunSettings
from gemel.settings import TrainSettings
from gemel.train import lessons, loop, towers
from gemel.train.task import resolve

EPOCHS = 3


@dataclass(frozen=True)
class Case:
    """How a run is taught.

    Attributes:
        supervision: `identity`, `given`, `graded` or `across`.
        loss: its name.
        mining: `neighbours` decides which batches there are.
        memory: rows of earlier batches.
        chunk: rows that run through the tower at once.
        averaging: of the weights.
    """

    supervision: str
    loss: str
    mining: str
    memory: int
    chunk: int
    averaging: float

    def __str__(self) -> str:
        return f"{self.supervision}-{self.loss}-{self.mining}-{self.memory}-{self.chunk}"


LOSSES = {
    "identity": ("infonce", "ntxent", "arcface", "triplet"),
    "given": ("contrastive", "ntxent"),
    "graded": ("cosent",),
    "across": ("ntxent", "proxy-anchor"),
}
PROXIES = ("arcface", "proxy-anchor")
MINING = {"infonce": ("all", "neighbours"), "triplet": ("semi-hard", "neighbours", "curriculum")}
CASES = [
    Case(supervision, loss, mining, memory, *how)
    for supervision, taught_by in LOSSES.items()
    for loss in taught_by
    for mining in (MINING.get(loss, ("all",)) if supervision == "identity" else ("all",))
    for memory, *how in ((0, 0, 0.9), (0 if loss in PROXIES else 70, 10, 0.0))
]


class Stop(Exception):
    """The run ends here."""


def stop(step: loop.Step) -> None:
    if (step.epoch, step.step) == (2, 2):
        raise Stop


def pairing_of(supervision: str, identities: np.ndarray) -> Pairing:
    n = len(identities)
    if supervision == "identity":
        return ALL
    if supervision == "across":
        return Pairing(files=np.arange(n) % 2)
    given = np.random.default_rng(n).integers(0, n, (n // 2, 2))
    given = np.concatenate([given, np.stack([np.arange(0, n - 1, 2), np.arange(1, n, 2)], axis=1)])
    given = given[given[:, 0] != given[:, 1]]
    same = identities[given[:, 0]] == identities[given[:, 1]]
    grade = np.where(same, 0.8, 0.1) + 0.2 * np.random.default_rng(1).random(len(given))
    return Pairing(
        given=given,
        same=same,
        grade=grade if supervision == "graded" else None,
        same_from=0.7 if supervision == "graded" else 1.0,
    )


def settings_of(case: Case) -> RunSettings:
    said = TrainSettings(
        loss=case.loss,
        mining=case.mining,  # type: ignore[arg-type]
        memory=case.memory,
        chunk=case.chunk,
        projector=case.averaging > 0 and case.loss not in PROXIES,
        max_epochs=EPOCHS,
        patience=EPOCHS,
        learning_rate=5e-3,
        identities_per_batch=8,
        views_per_identity=4,
    )
    defaults = towers.Defaults(averaging=case.averaging)
    return resolve(said, defaults, n_drawn=28)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_killed_run_ends_with_the_bits_of_a_whole_one(
    case: Case, problem, tower, tmp_path: Path
) -> None:
    m, settings = problem.material, settings_of(case)
    half = towers.Trainable(
        "toy",
        prepare=lambda payloads, fields: None,  # type: ignore[arg-type, return-value]
        tower=lambda prepare, arrays, size: tower(),  # type: ignore[misc]
        views=lambda prepare: problem.objective.views,
        across=lambda tower, arrays, pairs: None,
    )
    sides = (
        pairing_of(case.supervision, m.identities),
        pairing_of(case.supervision, m.dev_identities),
    )

    def fit(session: loop.Session, seed: int = 0) -> tuple[list[loop.Epoch], torch.nn.Module]:
        net = tower(seed=seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            taught = lessons.lesson(half, settings, (net, m.arrays, m.identities), sides)
        history = loop.fit(
            net,
            loop.Material(m.arrays, m.identities, m.dev_arrays, m.dev_identities, taught.labels),
            taught.sampler,
            loop.Objective(
                taught.supervision,
                taught.metric,
                problem.objective.views,
                None,
                taught.learned,
                taught.watch,
                taught.look,
            ),
            msgspec.convert(settings, loop.Plan, from_attributes=True),
            session,
        )
        return history, torch.nn.ModuleList([net, taught.learned])

    history, whole = fit(loop.Session())
    place = tmp_path / "c"
    with pytest.raises(Stop):
        fit(loop.Session(place, "k", stop))
    again, resumed = fit(loop.Session(place, "k"), seed=9)
    assert again == history and len(history) == EPOCHS + 1
    for name, value in whole.state_dict().items():
        assert value.numpy().tobytes() == resumed.state_dict()[name].numpy().tobytes(), name
