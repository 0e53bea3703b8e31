"""Reviewers err: how often, by decisions that several answered, and what their answers then mean.

Where genuine comparisons are rare, a few wrong answers about the many impostors below the band look
like many missed matches. Second answers tell: the errors of either kind, and the share of genuine
comparisons as a rising function of the score, are fitted together. Pairs in the review band are
harder than others, so errors there have shares of their own; apart from that they are taken to be
independent of each other and of the score. Which decisions are answered twice may depend on the
score and on the first answer.

Source: Dawid and Skene 1979; Hui and Walter 1980 for why strata tell the errors of one test.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gemel.arrays import Bool, Float64, Int64

N_BINS = 100
MAX_STEPS = 300
PRECISION = 1e-4
STRENGTH = 30.0
"""Answers of known truth that the assumed share of wrong ones counts for in a fit."""
LEAST_DOUBLE = 30
MOST_UNCONFIRMED = 0.2
SPREAD = (1.0, 0.0, 2.0)
"""Times the assumed share of wrong answers, while no second ones tell; the likeliest first."""
TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Belief:
    """What the answers mean, if reviewers err so often.

    Attributes:
        genuine: (n,) probability of each decision to be about a genuine comparison.
        share: (N_BINS,) share of genuine comparisons, by the rank of the score.
        wrong: (2, 2) share of wrong answers, outside of the band and inside, about impostor and
            about genuine comparisons.
        times: (n,) how often each decision counts.
        start: (2, 2) `wrong` before the answers were looked at.
    """

    genuine: Float64
    share: Float64
    wrong: Float64
    times: Float64
    start: Float64


@dataclass(frozen=True, eq=False)
class Reviewers:
    """What all reviewers said about n answered decisions.

    Args:
        score: (n,) float64.
        yes: (n,) int64, how many said genuine.
        no: (n,) int64, how many said impostor; one of the two is above 0.
        inside: (n,) bool, in the review band.
        against: (n,) bool, outside of the review band, and some answer contradicts the decision.
        assumed: share of wrong answers until second ones tell, in (0, .25).
    """

    score: Float64
    yes: Int64
    no: Int64
    inside: Bool
    against: Bool
    assumed: float

    @property
    def n_double(self) -> int:
        """Decisions with two answers or more."""
        return int((self.yes + self.no > 1).sum())

    @property
    def n_missing(self) -> int:
        """Second answers that are missing before errors can be told; 0 if none is."""
        unconfirmed = int((self.against & (self.yes + self.no == 1)).sum())
        if unconfirmed <= MOST_UNCONFIRMED * self.against.sum():
            unconfirmed = 0
        return max(unconfirmed, LEAST_DOUBLE - self.n_double, 0)

    def beliefs(self) -> list[Belief]:
        """What the answers may mean, the likeliest first: several until second ones tell."""
        once, assumed = np.ones(len(self.score)), np.full((2, 2), self.assumed)
        if not self.n_missing:
            return [self._fit(once, assumed, STRENGTH)]
        return [self._fit(once, times * assumed, np.inf) for times in SPREAD]

    def again(self, belief: Belief, rng: np.random.Generator) -> Belief:
        """The same of as many decisions drawn from these, with other errors to start from."""
        n = len(self.score)
        times = np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)
        if self.n_missing:
            return self._fit(times, belief.start, np.inf, belief.share)
        start = rng.beta(1.5, 1.5 / belief.start - 1.5)
        return self._fit(times, start, STRENGTH, belief.share)

    @cached_property
    def _cells(self) -> tuple[Int64, Int64, Int64]:
        """Cell of each decision by place, score and answers; the answers of each kind of cell.

        A fit over cells takes as long for a million answers as for a thousand.
        """
        n = len(self.score)
        bins = np.empty(n, np.int64)
        bins[np.argsort(self.score, kind="stable")] = np.arange(n) * N_BINS // max(n, 1)
        said, pattern = np.unique(np.stack([self.yes, self.no]), axis=1, return_inverse=True)
        at = (self.inside * N_BINS + bins) * said.shape[1] + pattern.ravel()
        return at, said[0], said[1]

    def _fit(
        self, times: Float64, start: Float64, strength: float, share: Float64 | None = None
    ) -> Belief:
        """Expectation maximization; an infinite strength keeps the errors that it starts from."""
        from scipy.optimize import isotonic_regression

        at, yes, no = self._cells
        count = np.bincount(at, times, minlength=2 * N_BINS * len(yes)).reshape(2, N_BINS, -1)
        total = count.sum((0, 2))
        seen = total > 0
        if share is None:
            share = (count.sum(0) @ (yes > no) + 0.5) / (total + 1)
        wrong = start
        for _ in range(MAX_STEPS):
            wrong_yes, wrong_no = wrong.T[:, :, None, None]
            genuine = share[:, None] * (1 - wrong_no) ** yes * wrong_no**no
            impostor = (1 - share[:, None]) * wrong_yes**yes * (1 - wrong_yes) ** no
            part = genuine / (genuine + impostor + TINY)
            raw = (count * part).sum((0, 2))[seen] / total[seen]
            before, share = share, share.copy()
            share[seen] = isotonic_regression(raw, weights=total[seen]).x
            if np.isfinite(strength):
                of_impostor = _wrong(count * (1 - part), yes, no, start[:, 0], strength)
                of_genuine = _wrong(count * part, no, yes, start[:, 1], strength)
                wrong = np.stack([of_impostor, of_genuine], axis=1)
            if float(np.abs(share - before).max()) < PRECISION:
                break
        return Belief(part.ravel()[at], share, wrong, times, start)


def _wrong(count: Float64, wrong: Int64, right: Int64, start: Float64, strength: float) -> Float64:
    """Share of wrong answers at either place, what was assumed counted in: (2,)."""
    of_cells = count.sum(1)
    n_wrong, n = of_cells @ wrong, of_cells @ (wrong + right)
    return np.asarray((n_wrong + strength * start) / (n + strength))
