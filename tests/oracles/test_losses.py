"""Losses equal those of pytorch-metric-learning, and of the written-out formula."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from gemel.train.losses import ByIdentity, Contrastive, CoSENT, InfoNCE, Loss, Triplet
from gemel.train.losses.classes import AngularMargin, Prototypical, ProxyAnchor
from gemel.train.losses.pairs import MarginRanking
from gemel.train.losses.softmax import MultiSimilarity, NTXent, SupCon
from gemel.train.losses.triplets import Angular
from gemel.train.losses.views import BarlowTwins, VICReg
from gemel.train.miners import distance_weights
from gemel.train.relations import Relations
from gemel.train.supervision import ByProxy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pytorch_metric_learning import distances, losses, miners


def batch(seed: int, b: int = 48, d: int = 8, n_identities: int = 9) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_identities, size=b)
    centres = rng.normal(size=(n_identities, d))
    rows = centres[labels] + rng.normal(size=(b, d))
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
    assert value == pytest.approx(expected, rel=1e-7)
    assert torch.allclose(gradient, expected_gradient, atol=1e-9)


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


@pytest.mark.parametrize("average", ["active", "all"])
@pytest.mark.parametrize("mining", ["all", "semi-hard"])
def test_weighted_triplets_with_references_equal_a_loop(mining: str, average: str) -> None:
    rows, labels = batch(4, b=20, n_identities=4)
    references, of_references = batch(5, b=9, n_identities=5)
    known = Relations.of_labels(labels, references=references, of_references=of_references)
    weight = torch.rand(20, 29, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    known = dataclasses.replace(known, weight=weight)
    cosine = (
        torch.nn.functional.normalize(rows, dim=1)
        @ torch.nn.functional.normalize(torch.cat([rows, references]), dim=1).T
    )
    total = mass = 0.0
    for a, p in known.positive.nonzero().tolist():
        for n in known.negative[a].nonzero().ravel().tolist():
            slack = float(cosine[a, p] - cosine[a, n])
            if (mining == "all" or 0 < slack <= 0.2) and (average == "all" or slack < 0.2):
                total += float(weight[a, p] * weight[a, n]) * max(0.0, 0.2 - slack)
                mass += float(weight[a, p] * weight[a, n])
    found = Triplet(0.2, mining, average=average)(rows, known)
    assert float(found) == pytest.approx(total / mass, rel=1e-9)


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


@pytest.mark.parametrize("seed", range(3))
def test_losses_that_weigh_by_exponentials_equal_pml(seed: int) -> None:
    same(SupCon(0.2), losses.SupConLoss(0.2), seed)
    same(MultiSimilarity(2, 50, 0.5), losses.MultiSimilarityLoss(2, 50, 0.5), seed)
    same(NTXent(0.2).double(), losses.NTXentLoss(0.2), seed)
    angular = losses.AngularLoss(40)  # it takes its columns for unit rows
    same(Angular(40.0), lambda x, y: angular(torch.nn.functional.normalize(x), y), seed)


def test_npair_equals_pml() -> None:
    rows, labels = batch(0, b=16, n_identities=8)
    order = labels.argsort(stable=True)
    rows, labels = rows[order], torch.arange(8).repeat_interleave(2)
    theirs = losses.NPairsLoss(distance=distances.CosineSimilarity())

    def ours(x: Tensor, y: Tensor) -> Tensor:
        first, second = x[::2], x[1::2]
        same = torch.eye(8, dtype=torch.bool)
        outside = torch.zeros(8, 8, dtype=torch.bool)
        positive, negative = torch.cat([outside, same], 1), torch.cat([outside, ~same], 1)
        return InfoNCE(1.0)(first, Relations(positive, negative, references=second))

    value, gradient = with_gradient(ours, rows, labels)
    expected, expected_gradient = with_gradient(theirs, rows, labels)
    assert value == pytest.approx(expected, rel=1e-7)
    assert torch.allclose(gradient, expected_gradient, atol=1e-9)


def test_margin_ranking_equals_torch_over_every_pair_of_pairs() -> None:
    def theirs(x: Tensor, y: Tensor) -> Tensor:
        x = torch.nn.functional.normalize(x, dim=1)
        upper = torch.ones(len(y), len(y)).triu(1).bool()
        score, together = (x @ x.T)[upper], (y[:, None] == y[None])[upper]
        near, far = score[together], score[~together]
        one, two = near.repeat_interleave(len(far)), far.repeat(len(near))
        return torch.nn.functional.margin_ranking_loss(one, two, torch.ones(1), margin=0.2)

    same(MarginRanking(0.2), theirs, 0)


def test_cosent_equals_the_formula_on_grades_with_ties() -> None:
    rows, _ = batch(1, b=20)
    grade = torch.from_numpy(np.random.default_rng(0).integers(0, 6, (10, 10)) / 5.0)
    grade[grade == 0.6] = float("nan")

    def of(x: Tensor) -> Relations:
        outside = torch.full((10, 10), float("nan"), dtype=torch.float64)
        return Relations.of_grades(torch.cat([outside, grade], 1), same_from=0.8, references=x)

    def theirs(x: Tensor, y: Tensor) -> Tensor:
        x = torch.nn.functional.normalize(x, dim=1)
        known = ~grade.isnan()
        score, g = 20 * (x[:10] @ x[10:].T)[known], grade[known]
        apart = (score[None] - score[:, None])[g[:, None] > g[None]]
        return torch.cat([torch.zeros(1, dtype=torch.float64), apart]).logsumexp(0)

    value, gradient = with_gradient(lambda x, _: CoSENT(0.05)(x[:10], of(x[10:])), rows, rows)
    expected, expected_gradient = with_gradient(theirs, rows, rows)
    assert value == pytest.approx(expected, rel=1e-7)
    assert torch.allclose(gradient, expected_gradient, atol=1e-9)


def test_distance_weights_are_the_inverse_density_of_distances_on_a_sphere() -> None:
    rows = torch.nn.functional.normalize(batch(0, b=12)[0], dim=1)
    labels = torch.arange(12) % 2
    negative = labels[:, None] != labels[None]
    weight = distance_weights(1 - rows @ rows.T, negative, n_dims=8)
    d = torch.cdist(rows, rows).clamp(min=0.5)
    density = d**6 * (1 - d.square() / 4) ** 2.5
    expected = negative * (d < 1.4) / density
    expected = 6 * expected / expected.sum(1, keepdim=True)
    assert torch.allclose(weight, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("ours", "make"),
    [
        (AngularMargin(), losses.ArcFaceLoss),
        (AngularMargin("cosface", margin=0.35), losses.CosFaceLoss),
        (ProxyAnchor(), losses.ProxyAnchorLoss),
    ],
)
def test_losses_of_proxies_equal_pml_in_rows_and_proxies(ours: Loss, make: type) -> None:
    rows, labels = batch(0)
    theirs, proxied = make(9, 8), ByProxy(ours, torch.randn(9, 8)).double()
    held = theirs.proxies if hasattr(theirs, "proxies") else theirs.W
    first = torch.nn.functional.normalize(torch.randn(9, 8, dtype=torch.float64))
    proxied.proxies.data = first.clone()
    held.data = first.clone() if held.shape == first.shape else first.T.clone()
    value, gradient = with_gradient(proxied, rows, labels)
    expected, expected_gradient = with_gradient(theirs, rows, labels)
    assert value == pytest.approx(expected, rel=1e-7)
    assert torch.allclose(gradient, expected_gradient, atol=1e-9)
    of_held = held.grad if held.shape == first.shape else held.grad.T
    assert torch.allclose(proxied.proxies.grad, of_held, atol=1e-9)


def test_vicreg_of_two_views_equals_pml_on_stretched_rows() -> None:
    rows, _ = batch(0, b=40)
    same_record = torch.eye(20, dtype=torch.bool)
    outside = torch.zeros_like(same_record)
    pairs = torch.cat([outside, same_record], 1)

    def ours(x: Tensor, y: Tensor) -> Tensor:
        return VICReg()(x[:20], Relations(pairs, torch.zeros_like(pairs), references=x[20:]))

    def theirs(x: Tensor, y: Tensor) -> Tensor:
        x = torch.nn.functional.normalize(x) * 8**0.5
        return losses.VICRegLoss()(x[:20], ref_emb=x[20:])

    value, gradient = with_gradient(ours, rows, rows)
    expected, expected_gradient = with_gradient(theirs, rows, rows)
    assert value == pytest.approx(expected, rel=1e-7)
    assert torch.allclose(gradient, expected_gradient, atol=1e-9)


def test_prototypical_equals_an_episode_with_all_others_as_support() -> None:
    rows, labels = batch(0, b=12, n_identities=3)
    labels = torch.arange(12) % 3
    x = torch.nn.functional.normalize(rows)
    cost = []
    for i in range(12):
        own = x[(labels == labels[i]) & (torch.arange(12) != i)].mean(0)
        others = [x[labels == c].mean(0) for c in range(3) if c != labels[i]]
        apart = torch.stack([(x[i] - mean).square().sum() for mean in (own, *others)])
        cost.append(torch.nn.functional.cross_entropy(-apart / 0.1, torch.tensor(0)))
    got = ByIdentity(Prototypical(0.1))(rows, labels)
    assert float(got) == pytest.approx(float(torch.stack(cost).mean()), rel=1e-9)


def test_barlow_twins_equals_the_formula() -> None:
    rows, _ = batch(0, b=40)
    eye = torch.eye(20, dtype=torch.bool)
    pairs = torch.cat([torch.zeros_like(eye), eye], 1)
    got = BarlowTwins()(rows[:20], Relations(pairs, ~pairs, references=rows[20:]))
    x = rows.numpy() / np.linalg.norm(rows, axis=1, keepdims=True) * 8**0.5
    one, two = ((v - v.mean(0)) / np.sqrt(v.var(0) + 1e-5) for v in (x[:20], x[20:]))
    c = one.T @ two / 20
    beside = (c**2).sum() - (np.diag(c) ** 2).sum()
    assert float(got) == pytest.approx(((1 - np.diag(c)) ** 2).sum() + 0.005 * beside, rel=1e-9)
