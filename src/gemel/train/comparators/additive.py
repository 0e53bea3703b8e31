"""A comparator in which every block speaks for itself, fitted as a logistic regression.

A block adds a curve of its agreement that never falls, a curve of how much evidence there is on
both sides, and a level for a value that one side lacks. Curves are sums of ramps. With so little
freedom it holds for identities it was not fitted on, however few they were; that more agreement is
never less evidence is worth more than any penalty (lab log, 2026-11-27). Written as the layers of
a small network, it is served like any other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gemel.arrays import Float32, Float64, Int64
from gemel.train.comparators.pairs import Candidates, Layout

Layers = tuple[tuple[Float32, Float32], ...]

AGREEMENT = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Where a curve of cosines bends."""
MASS = (0.1, 0.9)
"""Between which quantiles of pairs with a value on both sides evidence counts, if they differ."""
APART = 1.1
"""How much larger the upper one has to be; masses of numbers differ by rounding only."""
SHRINKAGE = 10.0
"""Penalty on half the square of each ramp's height, in weighted pairs."""
PRIOR = -3.0
MAX_STEPS = 30
TOLERANCE = 1e-5
MIN_SHARE = 1e-3
FLAT = 1e-6
MAX_BLOCK_EXCHANGES = 20
PIECE = 1 << 16


class Ramps(NamedTuple):
    """Ramps from 0 at `start` to 1 at `stop` of a column of the evidence.

    Args:
        column: (r,) of the evidence.
        start: (r,) where each begins.
        stop: (r,) where each ends, above `start`.
        rising: (r,) bool, whether its height may not be negative.
    """

    column: Int64
    start: Float32
    stop: Float32
    rising: Tensor

    def climbed(self, seen: Float32) -> Tensor:
        """How far up each ramp pairs are: (n, ramps) float32 in [0, 1], then a column of ones."""
        out = np.ones((len(seen), len(self.column) + 1), np.float32)
        for i in range(0, len(seen), PIECE):
            part = seen[i : i + PIECE, self.column]
            out[i : i + PIECE, :-1] = np.clip((part - self.start) / (self.stop - self.start), 0, 1)
        return torch.from_numpy(out)


def fit(seen: Float32, pairs: Candidates, layout: Layout) -> Layers:
    """Layers whose output is the log-odds of a match.

    Args:
        seen: (n, A + 2 B) evidence of the pairs, as `encode.comparators.blocks.evidence` gives it.
        pairs: their labels and weights.
        layout: how the evidence is made up.
    """
    ramps = _ramps(seen, layout)
    heights = _heights(
        ramps.climbed(seen),
        torch.from_numpy(pairs.genuine).double(),
        torch.from_numpy(pairs.weight).double(),
        ramps.rising,
    )
    return _layers(ramps, heights.numpy(), layout, seen.shape[1])


def _ramps(seen: Float32, layout: Layout) -> Ramps:
    n_blocks, n_agreements = len(layout.blocks), layout.n_agreements
    bends: list[tuple[int, tuple[float, ...]]] = [(c, AGREEMENT) for c in range(n_agreements)]
    for block in range(n_blocks):
        least, missing = (n_agreements + k * n_blocks + block for k in (0, 1))
        there = seen[:, least]
        there = there[there > 0]
        if there.size:
            low, high = np.quantile(there, MASS).tolist()
            # From nothing to a little is one step: there is a value on both sides.
            varied = (low, high) if high > APART * low else ()
            bends.append((least, (0.0, 0.5 * low, *varied)))
        bends.append((missing, (0.0, 1.0)))
    column = np.concatenate([[c] * (len(at) - 1) for c, at in bends]).astype(np.int64)
    start = np.concatenate([at[:-1] for _, at in bends]).astype(np.float32)
    stop = np.concatenate([at[1:] for _, at in bends]).astype(np.float32)
    return Ramps(column, start, stop, torch.from_numpy(column < n_agreements))


def _heights(x: Tensor, genuine: Tensor, weight: Tensor, rising: Tensor) -> Tensor:
    """Penalised maximum likelihood, no rising height below zero; the last is the intercept.

    Newton's method: each step goes towards the lowest allowed point of the parabola that touches
    the cost, which is always downhill.
    """
    penalty = torch.full((x.shape[1],), SHRINKAGE, dtype=torch.float64)
    penalty[-1] = 1e-6
    bounded = F.pad(rising, (0, 1))
    heights = torch.zeros_like(penalty)
    heights[-1] = PRIOR

    def cost(at: Tensor) -> tuple[float, Tensor]:
        z = (x @ at.float()).double()
        label = (weight * (F.softplus(z) - genuine * z)).sum()
        return float(label + 0.5 * (penalty * at * at).sum()), z

    now, z = cost(heights)
    for _ in range(MAX_STEPS):
        p = torch.sigmoid(z)
        slope = (x.T @ (weight * (p - genuine)).float()).double() + penalty * heights
        bend = _bend(x, (weight * p * (1 - p)).float()) + torch.diag(penalty)
        step = _lowest(bend, bend @ heights - slope, bounded) - heights
        before, share = now, 1.0
        now, z = cost(heights + step)
        while now > before and share > MIN_SHARE:
            share /= 2
            now, z = cost(heights + share * step)
        if now > before:
            break
        heights = heights + share * step
        if before - now < TOLERANCE * before:
            break
    return heights


def _lowest(bend: Tensor, pull: Tensor, bounded: Tensor) -> Tensor:
    """Where u' bend u / 2 - pull' u is lowest, with u >= 0 where bounded; bend is definite.

    Source: Judice and Pires 1994, A block principal pivoting algorithm (with Murty's exchange of
        single indices against cycles).
    """
    held = torch.zeros_like(bounded)
    exchanges = 0
    while True:
        free = torch.nonzero(~held)[:, 0]
        u = torch.zeros_like(pull)
        u[free] = torch.linalg.solve(bend[free][:, free], pull[free])
        slope = bend @ u - pull
        wrong = (bounded & ~held & (u < 0)) | (held & (slope < -1e-9 * pull.abs().max()))
        if not bool(wrong.any()):
            return u
        exchanges += 1
        if exchanges > MAX_BLOCK_EXCHANGES:
            last = torch.nonzero(wrong)[-1]
            wrong = torch.zeros_like(wrong)
            wrong[last] = True
        held = held ^ wrong


def _bend(x: Tensor, weight: Tensor) -> Tensor:
    """Second derivative of the weighted log-loss, (p, p) float64."""
    total = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64)
    for part, w in zip(x.split(PIECE), weight.split(PIECE), strict=True):
        total += (part.T @ (part * w[:, None])).double()
    return total


def _layers(ramps: Ramps, heights: Float64, layout: Layout, n_columns: int) -> Layers:
    """The ramps as hinges: one where the slope of a curve changes; the last layer adds them up."""
    slope = heights[:-1] / (ramps.stop - ramps.start)
    change: dict[tuple[int, float], float] = {}
    for column, start, stop, rate in zip(*ramps[:3], slope, strict=True):
        for at, more in ((float(start), rate), (float(stop), -rate)):
            change[int(column), at] = change.get((int(column), at), 0.0) + more
    hinges = [
        (column, at, by)
        for (column, at), by in change.items()
        # No cosine is above one, so that no slope of theirs need end there.
        if abs(by) > FLAT and (column >= layout.n_agreements or at < 1)
    ] or [(0, 0.0, 0.0)]
    columns, bends, by = (np.array(v) for v in zip(*hinges, strict=True))
    matrix = np.zeros((n_columns, len(hinges)), np.float32)
    matrix[columns, np.arange(len(hinges))] = 1
    bias = -bends.astype(np.float32)
    last = by.astype(np.float32)[:, None]
    return (matrix, bias), (last, heights[-1:].astype(np.float32))
