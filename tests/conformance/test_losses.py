"""Every shipped loss passes the suite that a plugged-in loss has to pass."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gemel.errors import ConfigError
from gemel.testing import check_loss
from gemel.train import losses
from gemel.train.losses import ByIdentity, Contrastive, InfoNCE, Triplet, packages
from gemel.train.losses.nested import Nested
from gemel.train.relations import Relations
from gemel.train.supervision import by_identity

MINING = ("contrastive", "triplet", "margin-ranking", "angular", "multi-similarity")
SETTINGS = [
    *((name, "all", "hard") for name in losses.BUILT_IN if name not in MINING),
    *((n, m, "hard") for n in MINING for m in ("all", "semi-hard", "hard", "distance-weighted")),
    *((n, m, "soft") for n in MINING[:2] for m in ("all", "semi-hard", "hard")),
]


@pytest.mark.parametrize(("name", "mining", "margin"), SETTINGS)
def test_shipped_loss_conforms(name: str, mining: str, margin: str) -> None:
    check_loss(losses.named(name, mining=mining, margin=margin))


def test_a_loss_of_rows_that_can_be_cut_conforms() -> None:
    check_loss(Nested(InfoNCE(0.2)))
    check_loss(Nested(Triplet(mining="hard")))


# Averages over "active" pairs may rise when a pair becomes free, so the property is one of sums.
# Barlow Twins brings every dimension to variance 1 first, so that one pair moves all others.
MONOTONE = [
    Contrastive(average="all"),
    Contrastive(margin="soft", average="all"),
    Contrastive(mining="hard", average="all"),
    Triplet(average="all"),
    Triplet(margin="soft", average="all"),
    Triplet(mining="hard", average="all"),
    InfoNCE(0.1),
    InfoNCE(1.0),
    *(losses.named(n) for n in ("ntxent", "supcon", "cosent", "margin-ranking", "angular")),
    *(losses.named(n) for n in ("multi-similarity", "arcface", "cosface", "proxy-anchor")),
    *(losses.named(n) for n in ("prototypical", "vicreg")),
]


@pytest.mark.parametrize("loss", MONOTONE, ids=repr)
@given(
    before=st.floats(-0.9, 0.9),
    closer=st.floats(0.0, 1.0),
    others=st.lists(st.floats(-0.99, 0.99), min_size=1, max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_no_loss_rises_when_a_positive_comes_closer(
    loss: losses.Loss, before: float, closer: float, others: list[float]
) -> None:
    """Only the cosine of the positive pair changes; all others stay as they are."""
    after = before + closer * (0.99 - before)
    n = 2 + len(others)
    # The cosines with the anchor must leave room for rows of length one.
    room = 0.99 * (1 - max(before**2, after**2))
    anchor = torch.tensor(others, dtype=torch.float64)
    anchor = anchor * (room / anchor.square().sum().clamp(min=room)).sqrt()
    labels = torch.tensor([0, 0, *range(1, n - 1)])

    def at(cosine: float) -> float:
        gram = torch.eye(n, dtype=torch.float64)
        gram[0, 1] = gram[1, 0] = cosine
        gram[0, 2:] = gram[2:, 0] = anchor
        return float(ByIdentity(loss)(torch.linalg.cholesky(gram), labels).detach())

    assert at(after) <= at(before) + 1e-9


def test_unknown_loss_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="unknown loss") as caught:
        losses.named("magic")
    assert "triplet" in caught.value.hint


ANGULAR = '''
import torch
from gemel.train.losses import Contrastive, cosine

def angular(*, mining, margin):
    return Angular()

class Angular:
    """Squared difference of each judged pair's cosine from 1 or 0."""
    def __call__(self, rows, relations):
        away = (cosine(rows, relations.references) - relations.positive.float()).square()
        known = (relations.positive | relations.negative).float()
        weight = known if relations.weight is None else known * relations.weight
        return (away * weight).sum() / weight.sum().clamp(min=1)
'''


def test_a_package_can_add_one(install) -> None:
    install("angular_loss", ANGULAR, "gemel.losses", angular="angular")
    check_loss(losses.named("angular"))


@dataclass(frozen=True)
class Deaf:
    """A loss that heeds labels and nothing else that relations say."""

    heeds: str

    def __call__(self, rows: Tensor, relations: Relations) -> Tensor:
        weight = relations.weight if self.heeds != "references" else None
        references = relations.references
        if references is not None and self.heeds == "weights":
            references = torch.ones_like(references)
        negative = relations.negative if self.heeds != "labels" else ~relations.positive
        return InfoNCE()(rows, Relations(relations.positive, negative, weight, references))


@pytest.mark.parametrize(
    ("heeds", "says"),
    [
        ("references", "weights do not count"),
        ("weights", "references do not count"),
        ("labels", "nothing is known"),
    ],
)
def test_the_suite_catches_a_loss_that_is_deaf_to_relations(heeds: str, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_loss(Deaf(heeds))


def test_infonce_refuses_mining() -> None:
    with pytest.raises(ConfigError, match="cannot mine"):
        losses.named("infonce", mining="hard")


@pytest.mark.parametrize("margin", ["hard", "soft"])
def test_many_triplets_give_the_mean_over_all_of_them(margin: str) -> None:
    """Fourteen million, more than are ever looked at in one piece."""
    rows = torch.randn(384, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.arange(384) % 2
    whole = ByIdentity(Triplet(0.2, margin=margin))(rows, labels)
    whole.backward()
    distance = 1 - losses.cosine(rows.detach())
    anchor, positive = ((labels[:, None] == labels) & ~torch.eye(384, dtype=bool)).nonzero().T
    cost = 0.0, 0
    for a, p in zip(anchor.split(4000), positive.split(4000), strict=True):
        excess = distance[a, p, None] - distance[a][:, :] + 0.2
        excess = excess if margin == "hard" else torch.nn.functional.softplus(excess)
        active = (excess > 0) & (labels[a][:, None] != labels)
        cost = cost[0] + float(excess[active].double().sum()), cost[1] + int(active.sum())
    assert float(whole.detach()) == pytest.approx(cost[0] / cost[1], rel=1e-5)
    assert torch.isfinite(rows.grad).all()


def test_losses_of_pytorch_metric_learning_come_by_name() -> None:
    rows = torch.nn.functional.normalize(torch.randn(12, 5), dim=1)
    labels = torch.arange(12) % 4
    circle = losses.named("pml:CircleLoss")
    theirs = circle.loss(rows, labels)  # type: ignore[attr-defined]
    assert float(ByIdentity(circle)(rows, labels)) == pytest.approx(float(theirs), rel=1e-6)
    for name, says in (("pml:Magic", "has no loss"), ("pml:ArcFaceLoss", "needs more than")):
        with pytest.raises(ConfigError, match=says):
            losses.named(name)


def unit(n: int, d: int, *, seed: int) -> Tensor:
    rows = torch.randn(n, d, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=1)


@pytest.mark.parametrize(
    ("loss", "miner"),
    [
        ("TripletMarginLoss", "TripletMarginMiner"),
        ("CircleLoss", "MultiSimilarityMiner"),
        ("ContrastiveLoss", "BatchHardMiner"),
    ],
)
def test_miners_of_pytorch_metric_learning_find_what_they_find_there(loss: str, miner: str) -> None:
    import pytorch_metric_learning.losses
    import pytorch_metric_learning.miners

    rows = unit(24, 5, seed=0)
    labels = torch.arange(24) % 6
    finds = getattr(pytorch_metric_learning.miners, miner)()
    theirs = getattr(pytorch_metric_learning.losses, loss)()
    ours = losses.named(f"pml:{loss}", mining=f"pml:{miner}")
    found = finds(rows[:16], labels[:16])
    alone = ByIdentity(ours)(rows[:16], labels[:16])
    assert float(alone) == pytest.approx(float(theirs(rows[:16], labels[:16], found)), rel=1e-6)
    # Against rows of earlier batches, of which one has an unknown identity.
    beside = labels[16:].clone()
    beside[0] = -1
    relations = by_identity(labels[:16], rows[16:], beside)
    told = labels.clone()
    told[16] = 99
    found = finds(rows[:16], labels[:16], rows, told)
    other = found[2] if len(found) == 4 else found[0]
    near, far = relations.positive[found[0], found[1]], relations.negative[other, found[-1]]
    known = (near & far,) * 3 if len(found) == 3 else (near, near, far, far)
    kept = tuple(part[which] for part, which in zip(found, known, strict=True))
    wanted = theirs(rows[:16], indices_tuple=kept, ref_emb=rows)
    assert float(ours(rows[:16], relations)) == pytest.approx(float(wanted), rel=1e-6)


def test_gemels_own_losses_take_their_miners() -> None:
    rows = unit(24, 5, seed=1)
    labels = torch.arange(24) % 6
    theirs = ByIdentity(losses.named("triplet", mining="pml:BatchHardMiner"))(rows, labels)
    own = ByIdentity(losses.named("triplet", mining="hard"))(rows, labels)
    assert float(theirs) == pytest.approx(float(own), rel=1e-6)
    for mining, says in (
        ("pml:Magic", "has no miner"),
        ("pml:BaseMiner", "needs more than the pairs"),
    ):
        with pytest.raises(ConfigError, match=says) as caught:
            losses.named("triplet", mining=mining)
        assert "pml:BatchHardMiner" in caught.value.hint
    with pytest.raises(ConfigError, match="cannot mine 'pml:BatchHardMiner'"):
        losses.named("infonce", mining="pml:BatchHardMiner")


def test_a_miner_sees_no_pair_that_nobody_judged() -> None:
    """A chain of judged pairs makes labels for it, and what it finds beyond them is left out."""
    rows = unit(6, 3, seed=2)
    grade = torch.full((6, 6), torch.nan)
    for i, j, said in ((0, 1, 1.0), (1, 2, 1.0), (0, 3, 0.0), (4, 5, 0.0)):
        grade[i, j] = grade[j, i] = said
    relations = Relations.of_grades(grade)
    anchor, positive, other, negative = packages.miner("MultiSimilarityMiner")(rows, relations)
    assert relations.positive[anchor, positive].all() and len(anchor)
    assert relations.negative[other, negative].all() and len(other)
