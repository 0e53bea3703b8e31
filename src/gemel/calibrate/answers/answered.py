"""Error rates in use, from the decisions that people looked at.

Which decisions are looked at depends on their score, so a plain share of them is wrong: at one
threshold of a simulated service the reviewed band alone read an FMR of .16 where it was .0002. Each
answer therefore counts for as many decisions as its probability of being asked about says. How the
answers were collected, and what to do about the threshold, is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
import scipy  # which imports its parts when they are used

from gemel.arrays import Bool, Float64, Int64
from gemel.calibrate.rates.intervals import Estimate, upper_bound, wilson
from gemel.calibrate.scores.sweep import Sweep, weighted_sweep
from gemel.decide.bands import in_review, matches
from gemel.errors import DataError

WEIGHTED = "inverse probability of review, Wilson on effective answers"
NONE_SEEN = "no error among the answers: exact bound on effective answers"


@dataclass(frozen=True, eq=False)
class Answers:
    """Decisions with a person's answer, each standing for others that nobody looked at.

    Args:
        score: (n,) float64, finite.
        genuine: (n,) bool, the answer; or float64, the probability that it is right to say genuine.
        weight: (n,) float64 >= 1, one over the probability that this decision was asked about and
            answered.
        audited: (n,) bool, drawn at random outside of the review band.
    Raises:
        DataError: the arrays contradict each other.
    """

    score: Float64
    genuine: Bool | Float64
    weight: Float64
    audited: Bool

    def __post_init__(self) -> None:
        n = self.score.shape
        if len(n) != 1 or not n == self.genuine.shape == self.weight.shape == self.audited.shape:
            raise DataError("score, genuine, weight and audited must be vectors of one length")
        if not (np.isfinite(self.score).all() and np.isfinite(self.weight).all()):
            raise DataError("a score or a weight is not finite")
        if (self.weight < 1 - 1e-9).any():
            raise DataError("a weight is below 1", hint="it is one over a probability")

    def __len__(self) -> int:
        return len(self.score)

    def taken(self, which: Int64 | slice) -> Answers:
        """Some of the answers, in another order if so asked."""
        return Answers(
            self.score[which], self.genuine[which], self.weight[which], self.audited[which]
        )

    @cached_property
    def prior(self) -> float:
        """Estimated share of genuine comparisons in use."""
        return float(self.true.sum() / max(self.weight.sum(), 1e-300))

    @cached_property
    def true(self) -> Float64:
        """(n,) genuine comparisons that each answer stands for."""
        return self.weight * self.genuine

    @cached_property
    def false(self) -> Float64:
        """(n,) impostor comparisons that each answer stands for."""
        return self.weight - self.true


def n_effective(weight: Float64) -> float:
    """Answers of equal weight that would be as informative (Kish)."""
    squares = float(np.square(weight).sum())
    return float(weight.sum() ** 2) / squares if squares else 0.0


def newest(answers: Answers, enough: float, *, sides: tuple[Bool, Bool], audited: int) -> int:
    """Where the newest answers start that say as much as is needed.

    Args:
        answers: the oldest first.
        enough: effective answers of each class that are needed.
        sides: (n,) bool, above and below the review band.
        audited: answers outside of the band that are needed from each side.
    """
    audits = [(side & answers.audited).astype(np.float64) for side in sides]
    needed = [(answers.true, enough), (answers.false, enough), *((a, audited) for a in audits)]
    start = len(answers)
    for part, n in needed:
        total, squares = np.cumsum(part[::-1]), np.cumsum(np.square(part[::-1]))
        held = np.flatnonzero((total > 0) & (total**2 >= n * squares))
        start = min(start, len(answers) - 1 - int(held[0]) if held.size else 0)
    return start


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What a threshold does in use, as far as answers tell.

    Args:
        threshold: see the policy.
        fmr: false matches among impostor comparisons.
        fnmr: false non-matches among genuine comparisons.
        precision: genuine among matches.
        prior: genuine among all.
        review_share: decisions inside the review band among all.
    """

    threshold: float
    fmr: Estimate
    fnmr: Estimate
    precision: Estimate
    prior: Estimate
    review_share: float


def rates(
    answers: Answers, threshold: float, *, band: tuple[float, float], confidence: float = 0.95
) -> Rates:
    """Error rates at a threshold, corrected for which decisions were looked at.

    Args:
        answers: at least one.
        threshold: a comparison matches if its score is at least this.
        band: scores in [low, high) go to a person.
        confidence: level of the intervals.
    Raises:
        DataError: there is no answer.
    Source: Hájek 1971; variance of the ratio by linearisation, Särndal, Swensson and Wretman 1992.
    Example:
        >>> answers = Answers(np.array([.9, .8, .2]), np.array([True, False, False]),
        ...                   np.array([1.0, 1.0, 50.0]), np.array([False, False, True]))
        >>> round(rates(answers, 0.5, band=(0.5, 0.5)).fmr.value, 4)
        0.0196
    """
    if not len(answers):
        raise DataError("there is no answer yet", hint="send verdicts on what is asked about")
    match, weight = matches(answers.score, threshold), answers.weight
    said = answers.genuine.astype(np.float64)
    inside = in_review(answers.score, *band)
    return Rates(
        threshold=threshold,
        fmr=share(match.astype(np.float64), answers.false, confidence),
        fnmr=share((~match).astype(np.float64), answers.true, confidence),
        precision=share(said[match], weight[match], confidence),
        prior=share(said, weight, confidence),
        review_share=float(answers.weight[inside].sum() / answers.weight.sum()),
    )


def share(hit: Float64, weight: Float64, confidence: float) -> Estimate:
    """A weighted share with its interval.

    Args:
        hit: (n,) in [0, 1], what is counted.
        weight: (n,) float64 >= 0, what it is a share of.
        confidence: level of the interval.
    """
    y, w = hit[weight > 0], weight[weight > 0]
    if not w.size:
        return Estimate(value=0.0, low=0.0, high=1.0, n_effective=0.0, method="nothing observed")
    total = float(w.sum())
    value = min(float((w * y).sum() / total), 1.0)
    kish = total**2 / float(np.square(w).sum())
    if value in (0.0, 1.0):
        bound = upper_bound(0, kish, confidence)
        low, high = (1 - bound, 1.0) if value else (0.0, bound)
        return Estimate(value=value, low=low, high=high, n_effective=kish, method=NONE_SEEN)
    # A hit that is only likely is one or none.
    variance = float((w**2 * (y * (1 - value) ** 2 + (1 - y) * value**2)).sum()) / total**2
    n = min(value * (1 - value) / variance, float(w.size))
    low, high = wilson(value, n, float(scipy.special.ndtri((1 + confidence) / 2)))
    return Estimate(value=value, low=low, high=high, n_effective=n, method=WEIGHTED)


def answered_sweep(answers: Answers, times: Float64 | None = None) -> Sweep:
    """Weighted errors at every score.

    Args:
        answers: of both classes.
        times: (n,) how often each answer counts, for resampling; once if None.
    Raises:
        DataError: nobody answered for one of the classes.
    """
    n = np.ones(len(answers)) if times is None else times
    curve = _swept(answers, answers.true * n, answers.false * n)
    if not (curve.n_genuine and curve.n_impostor):
        raise DataError("all answers are of one kind", hint="both need to be asked about")
    return curve


def _swept(answers: Answers, true: Float64, false: Float64) -> Sweep:
    order = np.argsort(-answers.score, kind="stable")
    order = order[(true + false)[order] > 0]
    return weighted_sweep(answers.score[order].astype(np.float32), true[order], false[order])


def fmr_bounds(answers: Answers, confidence: float) -> Float64:
    """One-sided upper bounds of the FMR at each point of the answers' sweep: (m,) float64.

    Source: variance as for `rates`; Clopper and Pearson 1934 with effective numbers.
    """
    curve = _swept(answers, answers.true, answers.false)
    squared = answers.weight * answers.true, answers.weight * answers.false
    squares, fmr = _swept(answers, *squared).n_false_match, curve.fmr()
    # Σ w²(y - f)² over both sides of the threshold
    spread = squares * (1 - fmr) ** 2 + (squares[-1] - squares) * fmr**2
    with np.errstate(invalid="ignore", divide="ignore"):
        n = fmr * (1 - fmr) * curve.n_impostor**2 / spread
    kish = curve.n_impostor**2 / squares[-1]
    return upper_bounds(fmr, np.where((fmr > 0) & (fmr < 1), n, kish), confidence)


def upper_bounds(value: Float64, n: Float64, confidence: float) -> Float64:
    """One-sided upper bounds of shares on effective numbers: (m,) float64.

    Source: Clopper and Pearson 1934, with a number of trials that need not be whole.
    """
    errors = value * n
    possible = np.isfinite(errors) & (errors < n)
    bound = np.ones_like(value)
    bound[possible] = scipy.special.betaincinv(
        errors[possible] + 1, (n - errors)[possible], confidence
    )
    return bound
