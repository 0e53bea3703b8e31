"""Proxies learn and memories hold along with the tower, and survive a kill."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from gemel.arrays import unit_rows
from gemel.data.sampler import GivenPairs, Neighbours, PxK
from gemel.train import loop
from gemel.train.arrays import embed
from gemel.train.lessons import map_at_r
from gemel.train.losses import ByIdentity, Contrastive, InfoNCE, named
from gemel.train.losses.curriculum import Curriculum
from gemel.train.losses.nested import Nested
from gemel.train.losses.softmax import NTXent
from gemel.train.relations import Relations
from gemel.train.scale import gradients
from gemel.train.supervision import (
    Across,
    ByProxy,
    Remembering,
    by_identity,
    labels_of,
    one_of_each,
)
from gemel.train.tracking.hardness import Hardness

PLAN = loop.Plan(max_epochs=5, patience=5, learning_rate=5e-3)


def supervised(problem, name: str) -> tuple[loop.Objective, torch.nn.Module]:
    torch.manual_seed(0)
    n = int(problem.material.identities.max()) + 1
    if name == "memory":
        module: torch.nn.Module = Remembering(InfoNCE(0.2), by_identity, 80, 8)
        supervision = module
    elif name in ("ntxent", "matryoshka"):
        module = NTXent() if name == "ntxent" else Nested(NTXent())

        def supervision(rows, labels):
            return module(rows, Relations.of_labels(labels))
    else:
        supervision = module = ByProxy(named(name), torch.randn(n, 8))
    return dataclasses.replace(
        problem.objective, supervision=supervision, learned=torch.nn.ModuleList([module])
    ), module


@pytest.mark.parametrize("name", ["memory", "ntxent", "matryoshka", "arcface"])
def test_what_supervision_learns_and_remembers_survives_a_kill(
    problem, tower, tmp_path: Path, name: str
) -> None:
    objective, module = supervised(problem, name)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    whole = tower()
    history = dataclasses.replace(problem, objective=objective).fit(whole, PLAN)
    assert max(e.metric for e in history) > history[0].metric + 0.01
    after = module.state_dict()
    assert any(not torch.equal(before[k], after[k]) for k in before), "it has learned"

    class Stop(Exception):
        pass

    def stop(step: loop.Step) -> None:
        if (step.epoch, step.step) == (3, 2):
            raise Stop

    session = loop.Session(tmp_path / "c", key="k", progress=stop)
    with pytest.raises(Stop):
        killed, _ = supervised(problem, name)
        dataclasses.replace(problem, objective=killed).fit(tower(), PLAN, session)
    again, resumed = supervised(problem, name)
    session = dataclasses.replace(session, progress=None)
    net = tower(seed=9)
    assert dataclasses.replace(problem, objective=again).fit(net, PLAN, session) == history
    for key, value in after.items():
        assert torch.equal(value, resumed.state_dict()[key]), key
    for key, value in whole.state_dict().items():
        assert torch.equal(value, net.state_dict()[key]), key


def test_a_memory_holds_the_latest_rows_and_compares_with_them() -> None:
    memory = Remembering(Contrastive(), by_identity, 5, 2)
    rows = torch.nn.functional.normalize(torch.randn(4, 2), dim=1)
    labels = torch.arange(4)
    alone = float(Contrastive()(rows, Relations.of_labels(labels)))
    assert float(memory(rows, labels)) == pytest.approx(alone), "an empty memory says nothing"
    memory(rows.flip(0), labels + 4)
    assert memory.labels.tolist() == [5, 6, 7, 3, 4]
    beside = Relations.of_labels(
        labels, references=memory.rows.clone(), of_references=memory.labels.clone()
    )
    assert float(memory(rows, labels)) == pytest.approx(float(Contrastive()(rows, beside)))


def test_what_was_taught_to_be_cut_tells_records_apart_by_its_first_dimensions(
    problem, tower
) -> None:
    m, kept = problem.material, {}
    for name, loss in (("plain", InfoNCE(0.2)), ("nested", Nested(InfoNCE(0.2)))):
        objective = dataclasses.replace(problem.objective, supervision=ByIdentity(loss))
        net = tower(width=64)
        dataclasses.replace(problem, objective=objective).fit(net, PLAN)
        rows = embed(net, m.dev_arrays)
        kept[name] = [map_at_r(unit_rows(rows[:, :few]), m.dev_identities) for few in (16, 64)]
    assert kept["nested"][0] > kept["plain"][0] + 0.02
    assert kept["nested"][1] > kept["plain"][1] - 0.05


def test_records_of_two_kinds_survive_a_kill(problem, tower, tmp_path: Path) -> None:
    m = problem.material
    kinds = np.arange(len(m.identities)) % 2
    pairs = one_of_each(m.identities, kinds)
    material = dataclasses.replace(m, labels=labels_of(m.identities, kinds))

    def fit(net, session=None):
        loss = NTXent()
        objective = dataclasses.replace(problem.objective, supervision=Across(loss), learned=loss)
        return loop.fit(net, material, GivenPairs(pairs, 16, 3), objective, PLAN, session), loss

    class Stop(Exception):
        pass

    def stop(step: loop.Step) -> None:
        if (step.epoch, step.step) == (3, 2):
            raise Stop

    whole, net = tower(), tower(seed=9)
    history, learned = fit(whole)
    session = loop.Session(tmp_path / "c", key="k", progress=stop)
    with pytest.raises(Stop):
        fit(tower(), session)
    again, of_again = fit(net, dataclasses.replace(session, progress=None))
    assert again == history and max(e.metric for e in history) > history[0].metric
    for one, other in ((whole, net), (learned, of_again)):
        for key, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[key]), key


def test_gradients_by_pieces_are_those_of_the_whole_batch(tower) -> None:
    x = torch.randn(50, 12, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50) % 7
    found = []
    for chunk in (0, 8):
        net = tower(dropout=0.0).double()
        rows, back = gradients.forward(net, {"x": x.double()}, chunk)
        InfoNCE()(rows, Relations.of_labels(labels)).backward()
        back()
        found.append([p.grad.clone() for p in net.parameters()])
    for whole, pieces in zip(*found, strict=True):
        assert torch.allclose(whole, pieces, atol=1e-9)


def test_training_by_pieces_with_dropout_learns(problem, tower) -> None:
    history = problem.fit(tower(), dataclasses.replace(PLAN, chunk=10))
    assert max(e.metric for e in history) > history[0].metric + 0.1


def test_hardness_says_how_near_strangers_are_and_who_they_are_near_to() -> None:
    rows = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.7, 0.51**0.5]])
    labels = torch.tensor([0, 0, 1, 1])
    seen = Hardness(by_identity, np.array([0, 1]), ("ann", "bob"))
    assert seen.told() is None
    seen.see(rows, labels)
    found = seen.told()
    assert found is not None
    # Strangers to ann: 0 and .7 against a positive of 1; to bob: 0 and .7 against .71.
    assert found.active == pytest.approx(0.25)
    assert found.dominated_by == (("bob", 1.0), ("ann", 0.0))
    assert found.hardness[1] == pytest.approx(-0.3, abs=1e-4)
    assert seen.told() is None, "an epoch does not count the one before"


def test_batches_of_neighbours_are_harder_and_survive_a_kill(
    problem, tower, tmp_path: Path
) -> None:
    m = problem.material

    def fit(net, session=None, kind=Neighbours):
        sampler = kind(m.identities, 8, 4, seed=3)
        watch = Hardness(by_identity, np.arange(28), ())
        look = sampler.look if isinstance(sampler, Neighbours) else None
        objective = dataclasses.replace(problem.objective, watch=watch, look=look)
        return loop.fit(net, m, sampler, objective, PLAN, session)

    whole = tower()
    history, plain = fit(whole), fit(tower(), kind=PxK)
    assert max(e.metric for e in history) > history[0].metric + 0.1
    assert history[1].batches.active > plain[1].batches.active

    class Stop(Exception):
        pass

    def stop(step: loop.Step) -> None:
        if (step.epoch, step.step) == (3, 2):
            raise Stop

    session = loop.Session(tmp_path / "c", key="k", progress=stop)
    with pytest.raises(Stop):
        fit(tower(), session)
    assert fit(tower(seed=9), dataclasses.replace(session, progress=None)) == history


def test_a_curriculum_turns_to_the_hardest_once_dev_is_no_better() -> None:
    rows = torch.nn.functional.normalize(torch.randn(24, 6), dim=1)
    known = Relations.of_labels(torch.arange(24) % 6)
    first, then = named("triplet", mining="semi-hard"), named("triplet", mining="hard")
    course = Curriculum(first, then)
    for metric in (0.1, 0.4, 0.5):
        course.judge(metric)
        assert float(course(rows, known)) == float(first(rows, known)) and not course.note
    again = Curriculum(first, then)
    again.load_state_dict(course.state_dict())
    for one in (course, again):
        one.judge(0.5)
        assert float(one(rows, known)) == float(then(rows, known)) != float(first(rows, known))
        assert "from epoch 4 on" in one.note
        one.judge(0.9)
        assert "from epoch 4 on" in one.note, "it does not turn back"
