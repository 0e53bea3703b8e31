"""The threshold of one set of records, from its own scores and the share of genuine pairs in it.

A goal such as the best F1 asks for another threshold where genuine pairs are rarer than they were
in the data that it was chosen on. How many pairs of the set reach each score is counted; what those
data say about false matches is continued to scores that they are too few to show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float64
from gemel.calibrate.goals.choose import is_nearly_best, observed
from gemel.calibrate.goals.target import Target
from gemel.calibrate.probability.fit import pav_of
from gemel.calibrate.probability.precision_recall import precision_at
from gemel.calibrate.scores.sweep import Sweep
from gemel.decide.ratio import Likelihood, Pav
from gemel.errors import DataError

TAIL = 100
"""Impostor comparisons that tell how fast their share falls: the mean excess within 10 %."""
BINS = 40
MAX_STEPS = 500
PRECISION = 1e-4
MOST = 0.99
TINY = 1e-300
Stay = Callable[[Float64], Float64]
MAX_BEND = 0.1
"""Of a step, in the logarithm for each unit of score."""
BELIEVED = 0.5
"""Of the bend: among 200,000 and 1,000,000 rows, all of it told half the false matches that there
were at high scores, and none of it twice as many."""


class Curve(Protocol):
    """Genuine comparisons that were measured: how many, and which share misses each threshold."""

    @property
    def n_genuine(self) -> int:
        """Genuine comparisons."""

    @property
    def n_impostor(self) -> int:
        """Impostor comparisons."""

    @property
    def threshold(self) -> Sequence[float]:
        """(m,) falling."""

    @property
    def fnmr(self) -> Sequence[float]:
        """(m,) share of genuine comparisons below each."""

    @property
    def fmr(self) -> Sequence[float]:
        """(m,) share of impostor comparisons that reach each."""


@dataclass(frozen=True, eq=False)
class Expected:
    """What a set of pairs holds, at each of its scores from the highest on.

    Attributes:
        share: of genuine pairs among all pairs of the set.
        curve: pairs expected to be genuine and false, at each threshold.
    """

    share: float
    curve: Sweep

    def false_at(self, threshold: float, stay: Stay | None = None) -> float:
        """False matches that are expected at a threshold.

        Args:
            threshold: of a match; nothing that was not scored reaches it.
            stay: which share of those at (m,) scores is left, where linking takes some away.
        """
        n = max(min(self.curve.point(threshold) + 1, len(self.curve.threshold) - 1), 1)
        wrong = self.curve.n_false_match[:n]
        if stay is None:
            return float(wrong[-1])
        score = self.curve.threshold[:n].astype(np.float64)
        return float((np.diff(wrong, prepend=0.0) * stay(score)).sum())

    def threshold(self, target: Target, present: float = -np.inf) -> float | None:
        """The threshold that reaches a goal here; None if none does, or the share changes nothing.

        A proven goal is reached in expectation only: what was proven holds at the share that it
        was proven for.

        Args:
            target: the goal.
            present: a threshold that stays where it is nearly as good as the best. Pairs below it
                were hardly scored, so that what is as good there is not seen, and the middle of
                what is seen would be too high.
        """
        n_points = len(self.curve.threshold)
        if not target.by_share or n_points == 1:
            return None
        if not target.is_proven:
            if present > -np.inf:
                at = max(present, float(self.curve.threshold[-2]))
                if is_nearly_best(self.curve, target, self.share, at):
                    return present
            return observed(self.curve, target, self.share)
        precision = precision_at(self.curve.fmr(), self.curve.fnmr(), self.share)
        enough = np.flatnonzero(precision[1:] >= (target.value or 0))
        return self.curve.between(int(enough[-1]) + 1) if enough.size else None

    def left(self, stay: Stay, n_displaced: int) -> Expected:
        """What is left of the set where linking took some of its pairs away.

        Args:
            stay: which share of the false matches at (m,) scores is left.
            n_displaced: scored pairs that were taken away; they scored as false matches do.
        """
        score = self.curve.threshold[1:-1].astype(np.float64)
        if not len(score):
            return self
        wrong, right = self.curve.n_false_match[:-1], self.curve.n_true_match[:-1]
        still = np.concatenate([[0.0], np.cumsum(np.diff(wrong) * stay(score))])
        gone = n_displaced * wrong / max(float(wrong[-1]), TINY)
        sure = np.maximum.accumulate(np.maximum(right + wrong - gone - still, 0.0))
        n_pairs = float(self.curve.n_false_match[-1] + self.curve.n_true_match[-1])
        n_genuine = max(self.curve.n_genuine, float(sure[-1]))
        n_false = max(n_pairs - n_genuine, float(still[-1]))
        curve = Sweep(self.curve.threshold, np.append(still, n_false), np.append(sure, n_genuine))
        return Expected(self.share, curve)

    def likelihood(self) -> Pav | None:
        """What the scores of the set tell of each of its pairs; None where they tell nothing.

        No more than its own pairs can show: one false match could always score highest of all.
        """
        try:
            found = pav_of(self.curve)
        except DataError:
            return None
        # The lowest knot is that of all pairs below, which says nothing of one that was scored.
        low, below = (float(t) for t in self.curve.threshold[-2:])
        score, value = [below, *found.score[1:]], [*found.value]
        if score[1] > low:
            score[1:1], value[1:1] = [low], [value[1]]
        return Pav(tuple(score), tuple(value))


def expected(
    score: Float64, n_pairs: int, measured: Sequence[Curve], prior: float, share: float | None
) -> Expected:
    """What a set of pairs holds, by the scores of its best ones.

    The counts are explained by genuine pairs and false matches that score as measured; how many of
    either is fitted. False matches count as often as measured and genuine pairs once in 1 / prior,
    which decides sets of a few records and is little in large ones.

    Args:
        score: (p,) of every pair that reaches some score.
        n_pairs: pairs in all.
        measured: comparisons of other data; at least one curve.
        prior: share of genuine pairs where nothing is known of the set.
        share: of genuine pairs, where it is known; None estimates it.
    Source: Shepp and Vardi 1982 (expectation maximization of Poisson counts).
    """
    values, counts = np.unique(score.astype(np.float32), return_counts=True)
    values, reach = values[::-1], np.cumsum(counts[::-1]).astype(np.float64)
    if not len(values):
        share = share or 1 / (n_pairs + 1 / prior)
        return Expected(share, Sweep(np.full(1, np.inf, np.float32), np.zeros(1), np.zeros(1)))
    found, fmr = _genuine(values, measured), _false(values, measured)
    edges = np.unique(np.linspace(0, len(values) - 1, BINS + 1).astype(int)[1:])
    seen, true, false = (np.diff(x[edges], prepend=0.0) for x in (reach, found, fmr * n_pairs))
    n_genuine, times = (share or prior) * n_pairs, 1.0
    n_events = fmr[-1] * sum(curve.n_impostor for curve in measured)
    bend = _Bend.of(values, edges, fmr)
    for _ in range(MAX_STEPS):
        of_genuine, of_false = n_genuine * true, false * bend.at_edges
        part = seen * of_genuine / np.maximum(of_genuine + times * of_false, TINY)
        excess = float((seen - part).sum())
        times = (n_events + 1 + excess) / (n_events + 1 + float(of_false.sum()))
        bend = bend.stepped(seen - part, times * of_false)
        if share is None:
            least = n_pairs * (float(part.sum()) + 1) / (n_pairs * float(true.sum()) + 1 / prior)
            before, n_genuine = n_genuine, min(least, MOST * n_pairs)
            if abs(n_genuine - before) <= PRECISION * before and bend.is_settled:
                break
    fmr = bend.bent(fmr)
    wrong = np.minimum.accumulate(np.minimum(times * fmr * n_pairs, reach)[::-1])[::-1]
    right = np.maximum.accumulate(reach - wrong)
    # All that was not scored lies below.
    last = np.nextafter(values[-1:], np.float32(-np.inf))
    threshold = np.concatenate([[np.float32(np.inf)], values, last])
    right = np.concatenate([[0.0], right, [max(n_genuine, right[-1])]])
    wrong = np.concatenate([[0.0], wrong, [max(n_pairs - n_genuine, wrong[-1])]])
    return Expected(n_genuine / n_pairs, Sweep(threshold, wrong, right))


def by_ratio(
    score: Float64,
    n_pairs: int,
    likelihood: Likelihood,
    missed: float,
    prior: float,
    share: float | None,
) -> Expected:
    """What a set of pairs holds, where the scores themselves say how probable each pair is.

    Args:
        score: (p,) of every pair that reaches some score; at least one.
        n_pairs: pairs in all.
        likelihood: that scores stand for.
        missed: share of genuine pairs that are expected to score lower than all of these.
        prior: share of genuine pairs where nothing is known of the set.
        share: of genuine pairs, where it is known; None estimates it.
    Source: Saerens, Latinne and Decaestecker 2002, for the share.
    """
    value = np.sort(score)[::-1]
    ratio, held, before = likelihood.llrs(value), share or prior, 0.0
    probable = _probable(ratio, held)
    for _ in range(MAX_STEPS if share is None else 0):
        if abs(held - before) <= PRECISION * held:
            break
        before = held
        held = (float(probable.sum()) + 1) / (n_pairs * (1 - missed) + 1 / prior)
        held = min(held, MOST)
        probable = _probable(ratio, held)
    right = np.cumsum(probable)
    wrong = np.arange(1, len(value) + 1) - right
    at = value.astype(np.float32)
    last = np.append(np.flatnonzero(np.diff(at)), len(at) - 1)
    n_genuine = max(held * n_pairs, float(right[-1]))
    n_false = max(n_pairs - n_genuine, float(wrong[-1]))
    # All that was not scored lies below.
    below = np.nextafter(at[-1], np.float32(-np.inf))
    curve = Sweep(
        np.concatenate([[np.float32(np.inf)], at[last], [below]]),
        np.concatenate([[0.0], wrong[last], [n_false]]),
        np.concatenate([[0.0], right[last], [n_genuine]]),
    )
    return Expected(n_genuine / n_pairs, curve)


def _probable(ratio: Float64, share: float) -> Float64:
    """How probable pairs of these log-likelihood ratios are genuine."""
    log_odds = ratio + np.log(share / (1 - share))
    return np.asarray(0.5 * (1 + np.tanh(log_odds / 2)))


@dataclass(frozen=True, eq=False)
class _Bend:
    """How much faster the share of false matches falls here than where it was measured.

    The excesses of `TAIL` comparisons tell a rate of falling to a tenth of itself; that is how far
    it is believed to differ before the set has said anything.

    Attributes:
        above: (p,) score of each point above the lowest.
        at: (b,) the same of the middle of each bin.
        weight: of the belief that nothing differs.
        rate: by which the logarithm falls faster.
        step: by which `rate` was changed last.
    """

    above: Float64
    at: Float64
    weight: float
    rate: float = 0.0
    step: float = 0.0

    @classmethod
    def of(cls, values: NDArray[np.floating], edges: NDArray[np.int64], fmr: Float64) -> _Bend:
        """No bend yet, of scores from the highest on and the share that reaches each."""
        above = values.astype(np.float64) - float(values[-1])
        ends = above[edges]
        mean = float(np.trapezoid(fmr[::-1], above[::-1])) / max(float(fmr[-1]), TINY)
        weight = TAIL * max(mean, TINY) ** 2
        return cls(above, (ends + np.concatenate([above[:1], ends[:-1]])) / 2, weight)

    @property
    def at_edges(self) -> Float64:
        """What false matches of each bin are multiplied by."""
        return np.exp(-self.rate * self.at)

    @property
    def is_settled(self) -> bool:
        """Whether the last step was small."""
        return abs(self.step) < PRECISION

    def stepped(self, seen: Float64, told: Float64) -> _Bend:
        """Nearer to what makes counts of false matches that are told for each bin those seen."""
        slope = float((self.at * (told - seen)).sum()) - self.weight * self.rate
        curve = float((self.at**2 * told).sum()) + self.weight
        step = float(np.clip(slope / max(curve, TINY), -MAX_BEND, MAX_BEND))
        return replace(self, rate=self.rate + step, step=step)

    def bent(self, fmr: Float64) -> Float64:
        """The share that reaches each score: in all as bent, falling as much as is believed."""
        each, rates = np.diff(fmr, prepend=0.0), (self.rate, BELIEVED * self.rate)
        whole, part = (each * np.exp(-rate * self.above) for rate in rates)
        found: Float64 = np.cumsum(part) * (whole.sum() / max(part.sum(), TINY))
        return found


def _genuine(score: NDArray[np.floating], measured: Sequence[Curve]) -> Float64:
    """Share of genuine comparisons that reach each of (p,) scores."""
    total = np.zeros(len(score))
    for curve in measured:
        at, missed = np.asarray(curve.threshold)[::-1], np.asarray(curve.fnmr)[::-1]
        total += curve.n_genuine * (1 - np.interp(score, at, missed))
    return total / sum(curve.n_genuine for curve in measured)


def _false(score: NDArray[np.floating], measured: Sequence[Curve]) -> Float64:
    """Share of impostor comparisons that reach each of (p,) scores, told beyond the last ones seen.

    Above the score that `TAIL` impostor comparisons reach, the share falls as a generalised Pareto
    distribution with the mean and the spread of the excesses that were seen there.

    Source: Pickands 1975; Hosking and Wallis 1987 for the moments.
    """
    n = sum(curve.n_impostor for curve in measured)
    at = np.unique(np.concatenate([curve.threshold for curve in measured]))
    fmr = np.zeros(len(at))
    for curve in measured:
        rising = np.asarray(curve.threshold)[::-1]
        rate = np.interp(at, rising, np.asarray(curve.fmr)[::-1], right=0.0)
        fmr += curve.n_impostor / n * rate
    start = max(int(np.searchsorted(-fmr, -TAIL / n, side="right")) - 1, 0)
    over, excess = fmr[start:] / max(fmr[start], TINY), at[start:] - at[start]
    mean = float(np.trapezoid(over, excess))
    spread = 2 * float(np.trapezoid(over * excess, excess)) - mean**2
    # By the method of moments, between an exponential tail and one that ends where a line does.
    shape = float(np.clip((1 - mean**2 / max(spread, TINY)) / 2, -0.5, -1e-6))
    scale = max(mean * (1 - shape), TINY)
    told: Float64 = np.interp(score, at, fmr)
    beyond = score > at[start]
    left = np.maximum(1 + shape * (score[beyond] - at[start]) / scale, 0.0)
    told[beyond] = fmr[start] * left ** (-1 / shape)
    return told
