"""Losses equal those of pytorch-metric-learning, and of the written-out formula."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from gemel.train.losses import ByIdentity, Contrastive, InfoNCE, Loss, Triplet

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pytorch_metric_learning import distances, losses, miners


def batch(seed: int, b: int = 48, d: int = 8, n_identities: int = 9) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_identities, size=b)
    centres = rng.normal(size=(n_identities, d))
    rows = (centres[labels] + rng.normal(size=(b, d))).astype(np.float32)
    return torch.from_numpy(rows), torch.from_numpy(labels)


def with_gradient(
    loss: Callable[[Tensor, Tensor], Tensor], rows: Tensor, labels: Tensor
) -> tuple[float, Tensor]:
    rows = rows.clone().requires_grad_()
    value = loss(rows, labels)
    value.backward()
    return float(value.detach()), rows.grad


def same(ours: Loss, theirs: Callable[[Tensor, Tensor], Tensor], seed: int) -> None:
    rows, labels = batch(seed)
    value, gradient = with_gradient(ByIdentity(ours), rows, labels)
    expected, expected_gradient = with_gradient(theirs, rows, labels)
    assert value == pytest.approx(expected, abs=1e-5)
    assert torch.allclose(gradient, expected_gradient, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("margins", [(0.0, 0.7), (0.3, 0.5)])
def test_contrastive_equals_pml(seed: int, margins: tuple[float, float]) -> None:
    near, far = margins
    theirs = losses.ContrastiveLoss(1 - near, 1 - far, distance=distances.CosineSimilarity())
    same(Contrastive(near, far), theirs, seed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("smooth", [False, True])
def test_triplet_over_all_equals_pml(seed: int, smooth: bool) -> None:
    theirs = losses.TripletMarginLoss(
        0.2, distance=distances.CosineSimilarity(), smooth_loss=smooth
    )
    same(Triplet(0.2, "all", "soft" if smooth else "hard"), theirs, seed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mining", ["semi-hard", "hard"])
def test_mined_triplet_equals_pml(seed: int, mining: str) -> None:
    distance = distances.CosineSimilarity()
    if mining == "hard":
        miner = miners.BatchHardMiner(distance=distance)
    else:
        miner = miners.TripletMarginMiner(0.2, "semihard", distance=distance)
    loss = losses.TripletMarginLoss(0.2, distance=distance)
    same(Triplet(0.2, mining), lambda x, y: loss(x, y, miner(x, y)), seed)


@pytest.mark.parametrize("seed", range(3))
def test_infonce_equals_pml(seed: int) -> None:
    same(InfoNCE(0.2), losses.NTXentLoss(0.2), seed)


def test_soft_contrastive_equals_the_formula() -> None:
    rows, labels = batch(0)
    x = rows.numpy().astype(np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    d = 1 - x @ x.T
    y = labels.numpy()
    same_identity = (y[:, None] == y[None, :]) & ~np.eye(len(y), dtype=bool)
    other = y[:, None] != y[None, :]
    near = np.log1p(np.exp(10 * (d - 0.1)))[same_identity].mean() / 10
    far = np.log1p(np.exp(10 * (0.6 - d)))[other].mean() / 10
    got = ByIdentity(Contrastive(0.1, 0.6, margin="soft"))(rows, labels)
    assert float(got) == pytest.approx(near + far, abs=1e-5)
