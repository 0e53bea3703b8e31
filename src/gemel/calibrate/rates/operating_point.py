"""What a threshold does on a set of comparisons: rates with intervals by identity.

FMR and FNMR belong to the encoder; precision, F1 and accuracy also depend on how rare genuine
comparisons are, so they are computed from the two rates and a stated prior, never from raw counts.
How a threshold is found is not known here.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Bool, Int64
from gemel.calibrate.rates.by_identity import Counts, Spread, Statistic
from gemel.calibrate.rates.intervals import (
    MIN_IMPOSTOR_IDENTITIES,
    NOT_ABOVE,
    Estimate,
    Sample,
    disjoint,
)
from gemel.calibrate.scores.scores import Scores
from gemel.decide.bands import in_review, matches
from gemel.errors import ConfigError, DataError
from gemel.settings.shapes import LEAST_PRIOR

MAX_WORST = 1000
"""Impostor comparisons that are looked at, to find those that would be the first to match."""


class OperatingPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold and what was measured there; plain JSON values.

    Args:
        threshold: a comparison matches if its score is at least this.
        review_low: scores in [review_low, review_high) go to a person; equal: none do.
        review_high: see review_low.
        target: the kind of goal by which the threshold was chosen; empty if it was given.
        certified: the goal is proven, with the stated confidence, on the data of the choice.
        method: how threshold and intervals were found.
        confidence: level of the intervals and of the certificate.
        prior: share of genuine comparisons that precision, F1 and accuracy refer to.
        prior_source: `stated`, or `data` if taken from the comparisons.
        fmr: false matches among impostor comparisons.
        fnmr: false non-matches among genuine comparisons.
        precision: genuine among matches.
        recall: matches among genuine, 1 - fnmr.
        f1: harmonic mean of precision and recall.
        accuracy: right answers among all.
        n_failures: comparisons that gave no score; FMR and FNMR leave them out.
        far: false accept rate, as FMR but with failures counted as rejected; None without any.
        frr: false reject rate, as FNMR but with failures counted as rejected; None without any.
    """

    threshold: float
    review_low: float
    review_high: float
    target: str
    certified: bool
    method: str
    confidence: float
    prior: float
    prior_source: str
    n_identities: int
    n_genuine: int
    n_impostor: int
    n_false_match: int
    n_false_non_match: int
    n_review: int
    fmr: Estimate
    fnmr: Estimate
    precision: Estimate
    recall: Estimate
    f1: Estimate
    accuracy: Estimate
    n_failures: int = 0
    far: float | None = None
    frr: float | None = None


NOTHING = Estimate(value=0.0, low=0.0, high=1.0, n_effective=0.0, method="no comparisons")


def f1_at(fmr: Any, fnmr: Any, prior: float) -> Any:
    """F1 that the two rates give at a prior."""
    true = prior * (1 - fnmr)
    return 2 * true / (true + (1 - prior) * fmr + prior)


def accuracy_at(fmr: Any, fnmr: Any, prior: float) -> Any:
    """Share of right answers that the two rates give at a prior."""
    return 1 - (prior * fnmr + (1 - prior) * fmr)


def check_prior(prior: float | None) -> None:
    """Raise unless the prior lies between 0 and 1, `LEAST_PRIOR` away from both (or is None).

    Raises:
        ConfigError: it does not.
    """
    if prior is not None and not LEAST_PRIOR <= prior <= 1 - LEAST_PRIOR:
        raise ConfigError(
            f"prior is {prior}, must lie between {LEAST_PRIOR:g} and 1 - {LEAST_PRIOR:g}",
            where="prior",
            hint="the share of compared pairs that are genuine in use, such as 0.001",
        )


def measure(
    scores: Scores,
    threshold: float,
    *,
    prior: float | None = None,
    confidence: float = 0.95,
    review: tuple[float, float] | None = None,
) -> OperatingPoint:
    """Rates at a threshold, with intervals by identity.

    Args:
        scores: labelled comparisons of both classes.
        threshold: finite; a comparison matches if its score is at least this.
        prior: share of genuine comparisons in use; None = as in these comparisons.
        confidence: level of the intervals.
        review: the band of scores that goes to a person, only counted here.
    Raises:
        DataError: a class is missing, or the threshold is not finite.
        ConfigError: the prior is not between 0 and 1.
    Source: intervals.py and by_identity.py; precision at another prior: Elkan 2001.
    """
    scores.require_both()
    check_prior(prior)
    if not math.isfinite(threshold):
        raise DataError(f"threshold {threshold} is not finite", where="threshold")
    pi = scores.prior if prior is None else prior
    spread = Spread(scores, matches(scores.score, threshold))
    low, high = review or (threshold, threshold)
    fmr, fnmr = _rates(spread, confidence)
    if not spread.total.false_match:
        fmr = _capped(scores, fmr, confidence)
    far, frr = _with_failures(scores, fmr.value, fnmr.value)
    return OperatingPoint(
        threshold=float(threshold),
        review_low=float(low),
        review_high=float(high),
        target="",
        certified=False,
        method=fmr.method if fmr.method == fnmr.method else f"{fmr.method}; {fnmr.method}",
        confidence=confidence,
        prior=pi,
        prior_source="data" if prior is None else "stated",
        n_identities=scores.n_identities,
        n_genuine=scores.n_genuine,
        n_impostor=scores.n_impostor,
        n_false_match=spread.total.false_match,
        n_false_non_match=spread.total.false_non_match,
        n_review=int(np.count_nonzero(in_review(scores.score, low, high))),
        fmr=fmr,
        fnmr=fnmr,
        precision=_precision(spread, pi, confidence),
        recall=_complement(fnmr),
        f1=overall(spread, lambda c: f1_at(c.fmr(), c.fnmr(), pi), confidence),
        accuracy=overall(spread, lambda c: accuracy_at(c.fmr(), c.fnmr(), pi), confidence),
        n_failures=scores.n_failures,
        far=far,
        frr=frr,
    )


def _capped(scores: Scores, fmr: Estimate, confidence: float) -> Estimate:
    """An FMR of nothing observed, not above the upper limit at a looser threshold.

    FMR falls with the threshold. The looser one is the strictest at which so many identities are
    falsely matched that their spread can be judged.
    """
    impostor = np.flatnonzero(~scores.genuine)
    rank = max(len(impostor) - MAX_WORST, 0)
    worst = impostor[np.argpartition(scores.score[impostor], rank)[rank:]]
    worst = worst[np.argsort(-scores.score[worst], kind="stable")]
    both = np.stack([scores.left[worst], scores.right[worst]], 1).ravel()
    _, first = np.unique(both, return_index=True)
    if len(first) < MIN_IMPOSTOR_IDENTITIES:
        return fmr
    last = worst[np.sort(first)[MIN_IMPOSTOR_IDENTITIES - 1] // 2]
    looser = _rates(Spread(scores, matches(scores.score, scores.score[last])), confidence)[0]
    if looser.high >= fmr.high:
        return fmr
    return msgspec.structs.replace(fmr, high=looser.high, method=NOT_ABOVE)


def _with_failures(
    scores: Scores, fmr: float, fnmr: float
) -> tuple[float, float] | tuple[None, None]:
    """False accept and false reject rate, with comparisons that gave no score as rejected.

    Source: ISO/IEC 19795-1: FAR = FMR (1 - FTA), FRR = FTA + FNMR (1 - FTA).
    """
    if not scores.n_failures:
        return None, None
    fta = scores.n_failures / (len(scores) + scores.n_failures)
    return fmr * (1 - fta), fta + fnmr * (1 - fta)


def rates(scores: Scores, match: Bool, confidence: float) -> tuple[Estimate, Estimate]:
    """FMR and FNMR with intervals by identity; of a class without comparisons nothing is known.

    Args:
        scores: labelled comparisons.
        match: (n,) bool.
        confidence: level of the intervals.
    """
    fmr, fnmr = _rates(Spread(scores, match), confidence)
    return (fmr if scores.n_impostor else NOTHING, fnmr if scores.n_genuine else NOTHING)


def _rates(spread: Spread, confidence: float) -> tuple[Estimate, Estimate]:
    """FMR and FNMR, each over the units that have comparisons of the class."""
    total, unit = spread.total, spread.by_unit
    in_impostor, in_genuine = unit.impostor > 0, unit.genuine > 0
    apart = disjoint(unit.impostor, total.impostor)
    sample = Sample(total.impostor, spread.carrying(Counts.fmr), apart)
    fmr = spread.estimate(Counts.fmr, in_impostor, sample, confidence)
    apart = disjoint(unit.genuine, total.genuine)
    sample = Sample(total.genuine, spread.carrying(Counts.fnmr), apart)
    return fmr, spread.estimate(Counts.fnmr, in_genuine, sample, confidence)


def overall(spread: Spread, statistic: Statistic, confidence: float) -> Estimate:
    """A statistic of both rates, over all units."""
    unit = spread.by_unit
    part = (unit.impostor + unit.genuine) > 0
    n = int(np.count_nonzero(part))
    sample = Sample(len(spread.scores), spread.carrying(statistic), n)
    return spread.estimate(statistic, part, sample, confidence)


def _precision(spread: Spread, prior: float, confidence: float) -> Estimate:
    """Precision: an interval for the matches at hand, carried over to the prior.

    The population's precision at one prior fixes that at every other one (the odds of a match
    being false scale with the odds of the prior), so limits carry over exactly.
    """
    total, part = spread.total, spread.by_unit.match() > 0
    n_match, n = total.match(), int(np.count_nonzero(part))
    if not n_match:
        return Estimate(value=0.0, low=0.0, high=1.0, n_effective=0.0, method="nothing matches")
    independent = n if total.false_match < n_match else n // 2
    sample = Sample(n_match, spread.carrying(Counts.precision), independent)
    here = spread.estimate(Counts.precision, part, sample, confidence)
    odds = false_match_odds(spread.scores, prior)
    return msgspec.structs.replace(
        here,
        value=at_odds(here.value, odds),
        low=at_odds(here.low, odds),
        high=at_odds(here.high, odds),
        optimistic=None if here.optimistic is None else at_odds(here.optimistic, odds),
    )


def accepted(scores: Scores, match: Bool | Int64) -> tuple[int, int, Int64, Int64]:
    """Number of matches and of false ones, and how many of each every identity takes part in.

    Args:
        scores: labelled comparisons.
        match: (n,) bool mask, or (m,) int64 positions.
    """
    positions = np.flatnonzero(match) if match.dtype == np.bool_ else match
    false = positions[~scores.genuine[positions]]
    return (
        len(positions),
        len(false),
        scores.by_identity(positions),
        scores.by_identity(false),
    )


def false_match_odds(scores: Scores, prior: float) -> float:
    """How many false matches in use each false match among these comparisons stands for.

    Relative to genuine matches: odds of an impostor at the prior over the odds here.
    """
    return (1 - prior) / prior * scores.n_genuine / scores.n_impostor


def at_odds(precision: float, odds: float) -> float:
    """Precision if every false match counted `odds` times."""
    return precision / (precision + odds * (1 - precision))


def _complement(e: Estimate) -> Estimate:
    """The estimate of one minus a proportion."""
    optimistic = None if e.optimistic is None else 1 - e.optimistic
    return msgspec.structs.replace(
        e, value=1 - e.value, low=1 - e.high, high=1 - e.low, optimistic=optimistic
    )


def review_share(
    scores: Scores, review: tuple[float, float], prior: float, confidence: float
) -> Estimate:
    """Share of comparisons in use that go to a person, with its interval by identity.

    Args:
        scores: labelled comparisons of both classes.
        review: scores from the first up to, not including, the second go there.
        prior: share of genuine comparisons in use.
        confidence: level of the interval.
    """
    return overall(
        Spread(scores, in_review(scores.score, *review)),
        lambda c: prior * (1 - c.fnmr()) + (1 - prior) * c.fmr(),
        confidence,
    )
