"""Fits the learned comparator of embeddings on the training split, and asks dev whether it pays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.arrays import Bool, Float32, Int64
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.difference import Difference
from gemel.data.pairing import Pairing
from gemel.decide.bands import Band
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.comparators.pairwise import Pairwise
from gemel.figures import percent
from gemel.release.evidence import differences
from gemel.release.evidence.part import Part
from gemel.release.evidence.schema import Sampling
from gemel.train.comparators import pairs as drawn

NARROW, HIDDEN = 32, 16
EPOCHS, PATIENCE, BATCH = 30, 4, 8192
RATE, DECAY = 3e-3, 1e-2
HELD = 0.2
"""Share of the training queries that choose the epoch."""
COMPARED = 2_000_000
"""Comparisons of dev that decide."""


@dataclass(frozen=True)
class Compared:
    """Embeddings of one side of a split.

    Args:
        rows: (n, d) float32, unit rows.
        identities: (n,) codes.
        pairing: which pairs of them are comparisons.
    """

    rows: Float32
    identities: Int64
    pairing: Pairing


def chosen(train: Compared, dev: Compared, seed: int) -> tuple[Comparator, str]:
    """The learned comparator where it misses fewer of dev beyond its interval, else the cosine.

    Returns:
        The comparator, and a sentence on the choice.
    """
    found = fit(train, seed)
    gain = gained(found, dev, seed)
    better = gain.high < 0
    told = (
        f"a learned comparator brings {gain.measure} on dev from {percent(round(gain.before, 4))} "
        f"to {percent(round(gain.after, 4))} (change {gain.low:+.3f} to {gain.high:+.3f}): "
    )
    return (found, told + "it scores") if better else (Cosine(), told + "the cosine scores")


def gained(found: Comparator, dev: Compared, seed: int) -> Difference:
    """What the comparator misses of dev less what the cosine does, at the strictest rate."""
    sampling = Sampling(COMPARED, seed)
    parts = [
        Part.of(dev.rows, dev.identities, c, sampling=sampling, pairing=dev.pairing)
        for c in (Cosine(), found)
    ]
    nowhere = Band(threshold=0.0, review_low=0.0, review_high=0.0)
    one, two = (differences.Contender(part, nowhere) for part in parts)
    return differences.of_curves((one, two), Target(kind="f1").confidence)[-1]


def fit(train: Compared, seed: int) -> Pairwise:
    """The comparator that fits the pairs of training records, of the best epoch on some of them."""
    rng = np.random.default_rng(seed)
    pairs = drawn.draw(train.rows, train.identities, rng, train.pairing)
    queries = rng.permutation(np.unique(pairs.query))
    held = np.isin(pairs.query, queries[: max(1, int(HELD * len(queries)))])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _Network(torch.from_numpy(train.rows))
        _learn(network, train.rows, pairs, held)
    return network.exported()


class _Network(nn.Module):
    """The comparator as torch trains it; it starts as a line of the cosine."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        centred = rows - rows.mean(dim=0)
        axes = torch.linalg.eigh((centred.T @ centred).double())[1].flip(1).float()
        n = min(NARROW, rows.shape[1])
        self.narrow = nn.Parameter(axes[:, :n] * n**0.5)
        self.hidden = nn.Linear(2 * n + 1, HIDDEN)
        self.last = nn.Parameter(torch.zeros(HIDDEN))
        self.line = nn.Parameter(torch.tensor([10.0, -5.0]))

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Log-odds of pairs of rows, (n, d) each."""
        cosine = (left * right).sum(dim=1)
        a, b = left @ self.narrow, right @ self.narrow
        seen = torch.cat([a * b, (a - b).abs(), cosine[:, None]], dim=1)
        return F.relu(self.hidden(seen)) @ self.last + self.line[0] * cosine + self.line[1]

    @torch.no_grad()
    def exported(self) -> Pairwise:
        """The comparator as it is served."""
        hidden = self.hidden.weight.T.contiguous()
        parts = (self.narrow, hidden, self.hidden.bias, self.last, self.line)
        return Pairwise(*(part.detach().numpy().copy() for part in parts))


def _learn(network: _Network, rows: Float32, pairs: drawn.Candidates, held: Bool) -> None:
    """Logistic regression by Adam; the weights of the best epoch on held-out queries stay."""
    x = torch.from_numpy(rows)
    query, candidate = torch.from_numpy(pairs.query), torch.from_numpy(pairs.candidate)
    genuine, weight = torch.from_numpy(pairs.genuine), torch.from_numpy(pairs.weight)
    # Both classes weigh the same, so that the few genuine pairs are heard.
    share = {c: float(weight[genuine == c].sum()) for c in (0, 1)}
    weight = weight / torch.where(genuine > 0, share[1], share[0]).clamp(min=1e-9)

    def cost(at: Tensor) -> Tensor:
        z = network(x[query[at]], x[candidate[at]])
        each = F.binary_cross_entropy_with_logits(z, genuine[at], reduction="none")
        return (each * weight[at]).sum() / weight[at].sum()

    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    learns = torch.from_numpy(np.flatnonzero(~held))
    judges = torch.from_numpy(np.flatnonzero(held))
    best, kept, since = float("inf"), network.state_dict(), 0
    for _ in range(EPOCHS):
        for at in learns[torch.randperm(len(learns))].split(BATCH):
            optimizer.zero_grad()
            cost(at).backward()
            optimizer.step()
        with torch.no_grad():
            now = float(cost(judges)) if len(judges) else 0.0
        if now < best - 1e-4:
            best, since = now, 0
            kept = {name: value.clone() for name, value in network.state_dict().items()}
        else:
            since += 1
        if since >= PATIENCE:
            break
    network.load_state_dict(kept)
