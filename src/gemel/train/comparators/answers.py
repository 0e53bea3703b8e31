"""What answers about pairs teach a comparator whose blocks each speak for themselves.

Its curves are moved as little as the answers allow: the heights of their ramps are those that
explain the answers best, with a penalty on how far they move the scores of pairs that are open. A
curve of agreement still never falls. So few numbers, held where the records themselves put them,
are learned from a hundred answers. Which pair teaches most follows from the same: one whose answer
is open, and whose score would move most. No torch, so that questions can be chosen where nothing is
trained.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, softmax

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.blocks import Blocks

BENDS = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Where a curve of cosines may bend; one of what is missing, at its ends."""
PENALTIES = (20.0, 3.0, 1.0)
"""On half the mean square of the change of an open pair's score: the estimate counts as 80 answers
about pairs as likely as not, as 12, or as 4; see the lab log."""
DOUBT = 2.0
"""Log of the odds for each against the next one, before any answer."""
AGAINST = 5.0
"""Log of how much better another start has to explain the answers: very strong evidence."""
HELD = 0.05
"""The same on the change of a height, for what no open pair tells of."""
HELD_LEVEL = 0.005
"""The same of the level of all scores."""
STRETCH = 1.0
"""Deviation of a last slope and level of all scores from none; measured, see the lab log."""
FLAT = 1e-6


@dataclass(frozen=True, eq=False)
class Held:
    """Penalties on half the square of what moves: (r + 1, r + 1) each, see `Curves`.

    Attributes:
        ways: from the firmest on.
    """

    ways: tuple[Float64, ...]


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of a comparator, as ramps from 0 to 1 between neighbouring bends.

    Attributes:
        comparator: whose they are.
        column: (r,) of the evidence.
        start: (r,) where each ramp begins.
        stop: (r,) where it ends, above `start`.
        least: (r,) how far its height may go down: never to a falling curve of agreement.
    """

    comparator: Blocks
    column: Int64
    start: Float32
    stop: Float32
    least: Float64

    @classmethod
    def of(cls, comparator: Comparator) -> Curves | None:
        """The curves of a comparator; None of one that is no sum of curves."""
        if not isinstance(comparator, Blocks) or len(comparator.weights) != 2:
            return None
        (matrix, bias), (by, _) = comparator.weights
        if (np.count_nonzero(matrix, axis=0) > 1).any():
            return None
        n_blocks = len(comparator.blocks)
        n_agreements = n_blocks + len(comparator.swaps) + 1
        ramps: list[tuple[int, float, float, float]] = []
        for column in range(len(matrix)):
            own = matrix[column] != 0
            agrees, at, change = column < n_agreements, -bias[own], by[own, 0]
            ends = BENDS if agrees else (0.0, 1.0) if column >= n_agreements + n_blocks else ()
            bends = np.unique(np.concatenate([np.array(ends, np.float32), at])).tolist()
            for start, stop in pairwise(bends):
                climbs = change @ (np.maximum(stop - at, 0) - np.maximum(start - at, 0))
                least = -max(float(climbs), 0.0) if agrees else -np.inf
                ramps.append((column, start, stop, least))
        columns, starts, stops, least_of = (np.array(v) for v in zip(*ramps, strict=True))
        return cls(
            comparator,
            columns.astype(np.int64),
            starts.astype(np.float32),
            stops.astype(np.float32),
            least_of.astype(np.float64),
        )

    def climbed(self, seen: Float32) -> Float64:
        """How far up each ramp pairs are: (n, r) in [0, 1], then a column of ones.

        Args:
            seen: (n, A + 2 B) evidence, as `encode.comparators.blocks.evidence` gives it.
        """
        part = (seen[:, self.column] - self.start) / (self.stop - self.start)
        return np.append(np.clip(part, 0, 1), np.ones((len(seen), 1)), axis=1).astype(np.float64)

    def held_by(self, pool: Float32, weight: Float64 | None = None) -> Held:
        """What holds the curves where they are: the scores of the pairs that are open.

        Args:
            pool: (m, A + 2 B) evidence of pairs that scores are for.
            weight: (m,) how many each stands for; None is one.
        """
        x = self.climbed(pool)
        open_ = expit(self.comparator.of_evidence(pool).astype(np.float64))
        open_ *= (1 - open_) * (1.0 if weight is None else weight)
        heights = np.diag(np.append(np.full(len(self.column), HELD), HELD_LEVEL))
        scores: Float64 = (x.T * (open_ / max(open_.sum(), FLAT))) @ x
        return Held(tuple(penalty * scores + heights for penalty in PENALTIES))

    def moved_by(self, seen: Float32, genuine: Bool, held: Held) -> Float64:
        """How much the answers move each height, and the level of all: (r + 1,).

        The mean over how firmly they are held, weighted by how well that explains the answers.

        Args:
            seen: evidence of the pairs that were asked about.
            genuine: (n,) what was said.
            held: what holds them.
        Source: Hoeting et al. 1999, Bayesian model averaging; MacKay 1992, The evidence framework
            applied to classification networks.
        """
        by, told = self._ways(seen, genuine, held)
        return np.asarray(softmax(told) @ by)

    def explains(self, seen: Float32, genuine: Bool, held: Held) -> float:
        """Log of how well curves that are held so explain the answers.

        Args:
            seen: evidence of the pairs that were asked about.
            genuine: (n,) what was said.
            held: what holds them.
        """
        return float(logsumexp(self._ways(seen, genuine, held)[1]))

    def _ways(self, seen: Float32, genuine: Bool, held: Held) -> tuple[Float64, Float64]:
        """What moves by each penalty, (w, r + 1), and how well that explains the answers, (w,)."""
        x, said = self.climbed(seen), genuine.astype(np.float64)
        before = self.comparator.of_evidence(seen).astype(np.float64)
        fitted = [self._fitted(x, before, said, way) for way in held.ways]
        by, told = (np.array(part) for part in zip(*fitted, strict=True))
        return by, told - DOUBT * np.arange(len(told))

    def _fitted(
        self, x: Float64, before: Float64, said: Float64, held: Float64
    ) -> tuple[Float64, float]:
        """What moves, and the log of how well a penalty explains the answers."""

        def cost(by: Float64) -> tuple[float, Float64]:
            score, pull = before + x @ by, held @ by
            loss = np.logaddexp(0, score) - said * score
            return float(loss.sum() + 0.5 * pull @ by), x.T @ (expit(score) - said) + pull

        bounds = [*((low, np.inf) for low in self.least), (-np.inf, np.inf)]
        found = minimize(cost, np.zeros(len(held)), jac=True, method="L-BFGS-B", bounds=bounds)
        by = np.asarray(found.x, np.float64)
        open_ = expit(before + x @ by)
        told = (x.T * (open_ * (1 - open_))) @ x
        volume = np.linalg.slogdet(held)[1] - np.linalg.slogdet(held + told)[1]
        return by, float(0.5 * volume - found.fun)

    def learned(self, seen: Float32, genuine: Bool, held: Held) -> Blocks:
        """The comparator that answers teach.

        What is held near its start comes out too flat, and unlikely pairs are taken for likelier
        than answers say: in the end all scores get the slope and the level that explain them best.

        Args:
            seen: evidence of the pairs that were asked about.
            genuine: (n,) what was said.
            held: what holds the curves.
        """
        moved = self.taught(self.moved_by(seen, genuine, held))
        said = genuine.astype(np.float32)
        return levelled(moved, seen, said, np.ones(len(said)), held=1 / STRETCH**2)

    def taught(self, by: Float64) -> Blocks:
        """The comparator whose heights are moved."""
        (matrix, bias), (last, level) = self.comparator.weights
        change: dict[tuple[int, float], float] = {}

        def bend(column: int, at: float, more: float) -> None:
            change[column, at] = change.get((column, at), 0.0) + more

        for hinge in range(matrix.shape[1]):
            (columns,) = np.nonzero(matrix[:, hinge])
            bend(int(columns[0]) if len(columns) else 0, float(-bias[hinge]), float(last[hinge, 0]))
        slope = by[:-1] / (self.stop - self.start)
        for column, start, stop, rate in zip(
            self.column.tolist(),
            self.start.tolist(),
            self.stop.tolist(),
            slope.tolist(),
            strict=True,
        ):
            bend(column, start, rate)
            bend(column, stop, -rate)
        kept = {at: more for at, more in change.items() if abs(more) > FLAT} or {(0, 0.0): 0.0}
        first = np.zeros((len(matrix), len(kept)), np.float32)
        first[[column for column, _ in kept], np.arange(len(kept))] = 1
        where = -np.array([at for _, at in kept], np.float32)
        more = np.array([*kept.values()], np.float32)[:, None]
        weights = ((first, where), (more, (level + by[-1]).astype(np.float32)))
        return replace(self.comparator, weights=weights)

    def doubt(
        self, by: Float64, asked: Float64, pool: Float64, score: Float64, held: Held
    ) -> Float64:
        """How much an answer would teach of each pair of a pool, in squares of log-odds: (m,).

        Args:
            by: how far answers have moved the heights.
            asked: (n, r + 1) of the pairs that were asked about, as `climbed` gives them.
            pool: (m, r + 1) of the pairs to choose from.
            score: (n + m,) of both, before any answer.
            held: what holds the curves.
        """
        open_ = expit(score + np.concatenate([asked, pool]) @ by)
        open_ *= 1 - open_
        n = len(asked)
        known = (asked.T * open_[:n]) @ asked + held.ways[0]
        variance = np.einsum("ij,ij->i", pool @ np.linalg.inv(known), pool)
        return np.asarray(open_[n:] * variance)


def levelled(
    comparator: Blocks,
    seen: Float32,
    genuine: Float32,
    weight: Float64,
    *,
    held: float = 0.0,
) -> Blocks:
    """The comparator with the slope and level of all scores that explain some pairs best.

    Args:
        comparator: whose scores are about log-odds.
        seen: (n, A + 2 B) evidence of the pairs.
        genuine: (n,) how probable it is that each belongs together.
        weight: (n,) how many pairs each stands for.
        held: penalty on half the square of the distance to a slope of 1 and a level of 0.
    Source: Platt 1999, Probabilistic outputs for support vector machines.
    """
    score, said = comparator.of_evidence(seen).astype(np.float64), genuine.astype(np.float64)

    def cost(at: Float64) -> tuple[float, Float64]:
        level, slope = at
        odds, away = level + slope * score, at - (0, 1)
        off = weight * (expit(odds) - said)
        loss = weight @ (np.logaddexp(0, odds) - said * odds) + 0.5 * held * away @ away
        return float(loss), np.array([off.sum(), off @ score]) + held * away

    bounds = [(-np.inf, np.inf), (FLAT, np.inf)]
    level, slope = minimize(cost, [0.0, 1.0], jac=True, method="L-BFGS-B", bounds=bounds).x
    *first, (last, lowest) = comparator.weights
    end = (slope * last).astype(np.float32), (slope * lowest + level).astype(np.float32)
    return replace(comparator, weights=(*first, end))
