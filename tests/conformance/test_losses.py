"""Every shipped loss passes the suite that a plugged-in loss has to pass."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import ConfigError
from gemel.testing import check_loss
from gemel.train import losses
from gemel.train.losses import Contrastive, InfoNCE, Triplet

SETTINGS = [
    (name, mining, margin)
    for name in losses.LOSSES
    for mining in ("all", "semi-hard", "hard")
    for margin in ("hard", "soft")
    if name != "infonce" or mining == "all"
]


@pytest.mark.parametrize(("name", "mining", "margin"), SETTINGS)
def test_shipped_loss_conforms(name: str, mining: str, margin: str) -> None:
    check_loss(losses.named(name, mining=mining, margin=margin))


# Averages over "active" pairs may rise when a pair becomes free, so the property is one of sums.
MONOTONE = [
    Contrastive(average="all"),
    Contrastive(margin="soft", average="all"),
    Contrastive(mining="hard", average="all"),
    Triplet(average="all"),
    Triplet(margin="soft", average="all"),
    Triplet(mining="hard", average="all"),
    InfoNCE(0.1),
    InfoNCE(1.0),
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
        return float(loss(torch.linalg.cholesky(gram), labels))

    assert at(after) <= at(before) + 1e-9


def test_unknown_loss_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="unknown loss") as caught:
        losses.named("magic")
    assert "triplet" in caught.value.hint


def test_infonce_refuses_mining() -> None:
    with pytest.raises(ConfigError, match="cannot mine"):
        losses.named("infonce", mining="hard")


def test_triplets_are_looked_at_in_pieces_of_bounded_size() -> None:
    """Fourteen million triplets: over the size of a piece, and still the mean over all of them."""
    rows = torch.randn(384, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.arange(384) % 2
    whole = Triplet(0.2)(rows, labels)
    whole.backward()
    distance = 1 - losses.cosine(rows.detach())
    anchor, positive = ((labels[:, None] == labels) & ~torch.eye(384, dtype=bool)).nonzero().T
    cost = 0.0, 0
    for a, p in zip(anchor.split(4000), positive.split(4000), strict=True):
        excess = distance[a, p, None] - distance[a][:, :] + 0.2
        active = (excess > 0) & (labels[a][:, None] != labels)
        cost = cost[0] + float(excess[active].double().sum()), cost[1] + int(active.sum())
    assert float(whole.detach()) == pytest.approx(cost[0] / cost[1], rel=1e-5)
    assert torch.isfinite(rows.grad).all()
