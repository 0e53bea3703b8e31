"""A tower that multiplies in bfloat16 learns as it does in float32, within what bfloat16 rounds."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from gemel.train import loop
from gemel.train.arrays import take, tensors
from gemel.train.scale import gradients
from gemel.train.scale.precision import InBfloat16

ROUNDING = 2.0**-8
"""Largest relative error of a number in bfloat16, whose fraction has eight bits."""


def test_rows_and_gradients_are_those_of_float32_within_its_rounding(problem, tower) -> None:
    inputs = tensors(take(problem.material.arrays, slice(0, 64)))
    labels = torch.from_numpy(problem.material.identities[:64])
    found = []
    for run in (lambda net: net, lambda net: InBfloat16(net, "cpu")):
        net = tower().eval()
        rows = run(net)(**inputs)
        loss = problem.objective.supervision(rows, labels)
        loss.backward()
        slopes = torch.cat([p.grad.reshape(-1) for p in net.parameters()])
        assert rows.dtype == slopes.dtype == loss.dtype == torch.float32
        found.append((rows.detach(), float(loss.detach()), slopes))
    (rows, loss, slopes), (rough, other, rough_slopes) = found
    # Inputs, weights and products of each layer are rounded once.
    n_layers = sum(isinstance(m, nn.Linear) for m in tower().modules())
    apart = (rows - rough).norm(dim=1)
    assert 0 < apart.max() <= 3 * n_layers * ROUNDING
    assert (rough.norm(dim=1) - 1).abs().max() < 1e-6
    # The loss is of cosines over a temperature of .2; each row of a pair is off by that much.
    assert abs(loss - other) <= 2 * 3 * n_layers * ROUNDING / 0.2
    assert torch.cosine_similarity(slopes, rough_slopes, dim=0) > 0.999


def test_it_learns_as_well_and_leaves_weights_of_float32(problem, tower) -> None:
    plan = loop.Plan(max_epochs=12, patience=12, learning_rate=5e-3, averaging=0.9)
    best, costs = [], []
    for bf16 in (False, True):
        net = tower()
        history = problem.fit(net, dataclasses.replace(plan, bf16=bf16))
        best.append(max(e.metric for e in history))
        costs.append(history[-1].loss)
        assert {p.dtype for p in net.parameters()} == {torch.float32}
    assert costs[0] != costs[1] == pytest.approx(costs[0], rel=0.02)
    assert best[1] == pytest.approx(best[0], abs=0.03)


def test_pieces_of_a_batch_have_the_gradients_of_all_of_it(problem, tower) -> None:
    inputs = tensors(take(problem.material.arrays, slice(0, 40)))
    labels = torch.from_numpy(problem.material.identities[:40])
    found = []
    for chunk in (0, 7):
        net = tower().eval()
        rows, back = gradients.forward(InBfloat16(net, "cpu"), inputs, chunk)
        problem.objective.supervision(rows, labels).backward()
        back()
        found.append(torch.cat([p.grad.reshape(-1) for p in net.parameters()]))
    assert torch.cosine_similarity(*found, dim=0) > 0.9999
