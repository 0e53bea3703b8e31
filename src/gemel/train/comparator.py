"""Fits the comparator of block embeddings on the training split.

For each training record it sees its mates, the records that the cosine takes for its mates, and
some drawn at random (weighted up to all of them). One part of the objective is the likelihood of
each label, so that scores are log-odds; the other asks that mates come before all others, so that
search is served too.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.arrays import Float32, Int64
from gemel.encode.blocks import Blocks, agreement, evidence, take_apart

MIN_GENUINE = 50
N_NEAREST = 30
N_RANDOM = 20
MAX_MATES = 20
MAX_QUERIES = 8_000
MAX_WEIGHT = 30.0
HIDDEN = (32, 16)
EPOCHS = 15
QUERIES_PER_STEP = 64
RANKING = 0.5
LEARNING_RATE = 5e-3
WEIGHT_DECAY = 1e-2


class Layout(NamedTuple):
    """Widths of the blocks of an embedding, and pairs of blocks that may have changed places."""

    blocks: tuple[int, ...]
    swaps: tuple[tuple[int, int], ...]


class Lists(NamedTuple):
    """Queries with their candidates: row indices, labels, weights, and which query each is of."""

    query: Int64
    candidate: Int64
    genuine: Float32
    weight: Float32
    start: Int64


@dataclass(frozen=True)
class Standard:
    """Mean and scale that bring the evidence to about unit range."""

    mean: Float32
    scale: Float32


def enough(identities: Int64) -> bool:
    """Whether there are genuine pairs enough to learn from, 50 or more."""
    counts = np.unique(identities, return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum()) >= MIN_GENUINE


def fit(embeddings: Float32, identities: Int64, layout: Layout, *, seed: int = 0) -> Blocks:
    """The comparator that fits these records.

    Args:
        embeddings: (n, 1 + sum(blocks)) unit rows of the training split.
        identities: (n,) codes, one per person or thing.
        layout: how an embedding is made of blocks.
        seed: of candidates, weights and order.
    Returns:
        Learned weights of the evidence in each block.
    """
    rng = np.random.default_rng(seed)
    lists = _lists(embeddings, identities, rng)
    seen = _evidence(embeddings, layout, lists)
    standard = Standard(seen.mean(0), seen.std(0) + 1e-3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _train((seen - standard.mean) / standard.scale, lists, rng)
    return Blocks(layout.blocks, layout.swaps, _weights(network, standard))


def _lists(embeddings: Float32, identities: Int64, rng: np.random.Generator) -> Lists:
    n = len(embeddings)
    has_mate = np.bincount(identities)[identities] > 1
    queries = rng.permutation(n)
    # Records with mates first, so that none is left out when there are too many.
    queries = queries[np.argsort(~has_mate[queries], kind="stable")][:MAX_QUERIES]
    rows: list[tuple[Int64, Float32, Float32]] = []
    for part in np.array_split(queries, max(1, len(queries) // 256)):
        cosines = embeddings[part] @ embeddings.T
        for i, row in zip(part, cosines, strict=True):
            rows.append(_candidates(int(i), row, identities, rng))
    sizes = np.array([len(r[0]) for r in rows])
    return Lists(
        np.repeat(queries, sizes),
        np.concatenate([r[0] for r in rows]),
        np.concatenate([r[1] for r in rows]),
        np.concatenate([r[2] for r in rows]),
        np.concatenate([[0], np.cumsum(sizes)]),
    )


def _candidates(
    i: int, cosines: Float32, identities: Int64, rng: np.random.Generator
) -> tuple[Int64, Float32, Float32]:
    """Candidates of record i with label and weight."""
    n = len(identities)
    mate = identities == identities[i]
    mates = np.flatnonzero(mate)
    mates = mates[mates != i]
    if len(mates) > MAX_MATES:
        mates = rng.choice(mates, MAX_MATES, replace=False)
    others = np.where(mate, -np.inf, cosines)
    n_near = min(N_NEAREST, int((~mate).sum()))
    near = np.argpartition(-others, max(0, n_near - 1))[:n_near]
    drawn = rng.integers(0, n, N_RANDOM)
    drawn = drawn[~mate[drawn]]
    each = min(MAX_WEIGHT, n / N_RANDOM)
    sizes = (len(mates), len(near), len(drawn))
    genuine = np.repeat(np.array([1, 0, 0], np.float32), sizes)
    weight = np.repeat(np.array([1, 1, each], np.float32), sizes)
    return np.concatenate([mates, near, drawn]), genuine, weight


def _evidence(embeddings: Float32, layout: Layout, lists: Lists) -> Float32:
    side = take_apart(embeddings, layout.blocks)
    parts = []
    for start in range(0, len(lists.query), 1 << 15):
        q, c = (side.take(i[start : start + (1 << 15)]) for i in (lists.query, lists.candidate))
        parts.append(evidence(agreement(q, c, layout.swaps), q.mass, c.mass))
    return np.concatenate(parts)


def _train(seen: Float32, lists: Lists, rng: np.random.Generator) -> nn.Sequential:
    sizes = (seen.shape[1], *HIDDEN)
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    n = len(lists.start) - 1
    per_step = min(QUERIES_PER_STEP, n)
    n_steps = EPOCHS * (n // per_step)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=max(2, n_steps)
    )
    x = torch.from_numpy(seen)
    for _ in range(EPOCHS):
        order = rng.permutation(n)
        for i in range(n // per_step):
            cost = _cost(network, x, lists, order[i * per_step : (i + 1) * per_step])
            optimizer.zero_grad(set_to_none=True)
            cost.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def _cost(network: nn.Sequential, x: Tensor, lists: Lists, queries: Int64) -> Tensor:
    """Weighted log-loss of the labels, and minus the log of the mates' share of each softmax."""
    spans = [np.arange(lists.start[q], lists.start[q + 1]) for q in queries]
    idx = np.concatenate(spans)
    group = torch.from_numpy(np.repeat(np.arange(len(queries)), [len(s) for s in spans]))
    z = network(x[idx])[:, 0]
    genuine = torch.from_numpy(lists.genuine[idx])
    weight = torch.from_numpy(lists.weight[idx])
    label = F.binary_cross_entropy_with_logits(z, genuine, weight=weight)
    n = len(queries)
    top = torch.zeros(n).scatter_reduce(0, group, z.detach(), "amax", include_self=False)
    share = torch.exp(z - top[group])
    total = torch.zeros(n).index_add(0, group, share)
    mates = torch.zeros(n).index_add(0, group, share * genuine)
    asked = mates > 0
    if not bool(asked.any()):
        return label
    ranking = (torch.log(total[asked]) - torch.log(mates[asked] + 1e-9)).mean()
    return label + RANKING * ranking


def _weights(network: nn.Sequential, standard: Standard) -> tuple[tuple[Float32, Float32], ...]:
    """The layers as plain arrays, with the standardisation folded into the first."""
    layers = [m for m in network if isinstance(m, nn.Linear)]
    out = []
    for layer in layers:
        matrix = layer.weight.detach().numpy().T.astype(np.float32)
        out.append((matrix, layer.bias.detach().numpy().astype(np.float32)))
    matrix, bias = out[0]
    matrix = matrix / standard.scale[:, None]
    out[0] = (np.ascontiguousarray(matrix), bias - standard.mean @ matrix)
    return tuple(out)
