"""Given pairs are learned from as they are: nothing is inferred from chains of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from gemel.data.pairing import Pairing
from gemel.data.sampler import GivenPairs
from gemel.errors import DataError
from gemel.train import loop
from gemel.train.given import AsGiven, OfGiven
from gemel.train.losses import named

CHAIN = Pairing(
    given=np.array([[0, 1], [1, 2], [0, 3], [4, 3], [3, 4]]),
    same=np.array([True, True, False, True, False]),
)
IDENTITIES = np.array([0, 0, 0, 3, 3])


def test_what_nobody_judged_is_unknown() -> None:
    found = AsGiven.of(named("contrastive"), "contrastive", CHAIN, IDENTITIES)
    known = found.knows(torch.tensor([0, 1, 2, 3, 0]))
    assert known.positive.int().tolist() == [
        [0, 1, 0, 0, 0], [1, 0, 1, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0],
    ]  # fmt: skip
    assert known.negative.nonzero().tolist() == [[0, 3], [3, 0], [3, 4], [4, 3]]


def test_a_loss_that_recognises_among_others_takes_strangers_of_the_batch_for_negatives() -> None:
    found = AsGiven.of(named("infonce"), "infonce", CHAIN, IDENTITIES)
    known = found.knows(torch.tensor([0, 1, 2, 3]))
    assert known.negative.int().tolist() == [[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1], [1, 1, 1, 0]]


def test_a_pair_that_was_judged_twice_has_the_mean_grade() -> None:
    found = AsGiven.of(named("cosent"), "cosent", CHAIN, IDENTITIES)
    grade = found.knows(torch.tensor([3, 4])).grade
    assert grade is not None and grade[0, 1] == grade[1, 0] == 0.5


def test_no_pair_in_train_is_named() -> None:
    nothing = dataclasses.replace(CHAIN, given=CHAIN.given[:0], same=CHAIN.same[:0])
    with pytest.raises(DataError, match="no given pair"):
        AsGiven.of(named("cosent"), "cosent", nothing, IDENTITIES)


def pairs_of(identities: np.ndarray, n: int, seed: int) -> Pairing:
    rng = np.random.default_rng(seed)
    mates = np.array([(i, j) for i in range(len(identities)) for j in range(i)])
    same = identities[mates[:, 0]] == identities[mates[:, 1]]
    chosen = np.concatenate([rng.choice(np.flatnonzero(same == s), n) for s in (True, False)])
    return Pairing(given=mates[chosen], same=same[chosen])


@pytest.mark.parametrize("loss", ["cosent", "contrastive", "infonce", "margin-ranking"])
def test_judged_pairs_alone_teach_and_a_resumed_run_ends_with_the_same_bits(
    problem, tower, tmp_path: Path, loss: str
) -> None:
    m = problem.material
    given, of_dev = pairs_of(m.identities, 300, 0), pairs_of(m.dev_identities, 60, 1)
    material = dataclasses.replace(m, labels=np.arange(len(m.identities)))
    supervision = AsGiven.of(named(loss), loss, given, m.identities)
    objective = loop.Objective(supervision, OfGiven(of_dev), problem.objective.views)
    plan = loop.Plan(max_epochs=4, patience=4, learning_rate=1e-2)

    def fit(net: torch.nn.Module, session: loop.Session | None = None) -> list[loop.Epoch]:
        sampler = GivenPairs(given.given, 64, seed=3)
        return loop.fit(net, material, sampler, objective, plan, session)

    whole = tower()
    history = fit(whole)
    assert max(e.metric for e in history) > history[0].metric + 0.1

    class Stop(Exception):
        pass

    def stop(step: loop.Step) -> None:
        if (step.epoch, step.step) == (3, 2):
            raise Stop

    session = loop.Session(tmp_path / "c", key="k", progress=stop)
    with pytest.raises(Stop):
        fit(tower(), session)
    resumed = tower(seed=9)
    assert fit(resumed, dataclasses.replace(session, progress=None)) == history
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_an_epoch_has_every_pair_once() -> None:
    pairs = np.arange(46).reshape(-1, 2)
    batches = list(GivenPairs(pairs, 5, seed=1))
    assert [len(b) for b in batches] == [10, 10, 10, 8, 8]
    seen = np.concatenate([b.reshape(2, -1).T for b in batches])
    assert sorted(seen.tolist()) == pairs.tolist()


def test_a_record_of_several_pairs_stands_in_a_batch_once() -> None:
    (batch,) = GivenPairs(np.array([[4, 1], [4, 2], [2, 4], [3, 1]]), 4)
    assert sorted(batch.tolist()) == [1, 2, 3, 4]
