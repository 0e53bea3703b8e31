"""What the matches of a release are worth in use: how many of a hundred are right.

A rate among pairs that do not belong together says little of this, since there are far more of
them than of the others: of 1,000,000 pairs, one false match in 1,000 makes 1,000. Asked here by
the promise, `gemel calibrate`, gates and reports.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gemel.calibrate.goals.target import APART
from gemel.calibrate.rates.intervals import Estimate
from gemel.calibrate.rates.operating_point import (
    OperatingPoint,
    accuracy_at,
    at_odds,
    f1_at,
)
from gemel.figures import number_of, out_of
from gemel.release.evidence.schema import Evidence
from gemel.settings.shapes import LEAST_PRIOR

HALF = 0.5
"""Fewer right matches than this share are worth a warning, and fail a gate."""
NOTHING = "nothing is called a match"
WIDE = 0.1
"""An interval of a share that is wider than this is told instead of the point, or beside it."""
ARE = " are right"
LIKELY = 0.99
"""A probability that the best matches should be able to reach."""


@dataclass(frozen=True)
class Expected:
    """The precision of the threshold in force, at one share of genuine comparisons.

    Attributes:
        prior: that share.
        precision: right ones among matches, with its interval.
        among: which comparisons these are, in words.
    """

    prior: float
    precision: Estimate
    among: str


def expected(evidence: Evidence) -> tuple[Expected, ...]:
    """What to expect of matches: at the prior that was stated, or among eval and among all records.

    Each record has about as many mates whatever the size of a file, so that the share of genuine
    comparisons falls as one over the number of records.
    """
    at, use = evidence.eval, evidence.goals.use
    n, n_eval = evidence.data.n_records, evidence.data.sides["eval"].n_records
    if use is not None and use.records is not None and at.prior_source == "stated":
        return (Expected(at.prior, at.precision, f"among {use.records:,} records"),)
    if at.prior_source == "stated":
        return (Expected(at.prior, at.precision, f"if {where(at.prior)}"),)
    here = Expected(at.prior, at.precision, f"among the {n_eval:,} records of eval")
    prior = max(at.prior * (n_eval - 1) / max(n - 1, 1), LEAST_PRIOR)
    if n <= n_eval:
        return (here,)
    return here, Expected(prior, at_prior(at, "precision", prior), f"among all {n:,}")


def where(prior: float) -> str:
    """How many of those compared are genuine.

    Example:
        >>> where(0.5), where(0.001)
        ('half of those compared belong together', '1 of 1,000 compared are genuine')
    """
    of, count = out_of(prior)
    same = count == "5" and of == "10"
    return (
        "half of those compared belong together"
        if same
        else f"{count} of {of} compared are genuine"
    )


def matches_nothing(evidence: Evidence) -> bool:
    """Whether no comparison of eval reaches the threshold."""
    return not (evidence.eval.n_false_match or evidence.eval.recall.value)


def right_matches(evidence: Evidence) -> str:
    """How many matches are right, in words; and what a search for nobody finds, if measured.

    Example: of 100 matches about 39 are right among the 3,000 records of eval, about 13 among all
        10,000.
    """
    if matches_nothing(evidence):
        return NOTHING
    first, *more = expected(evidence)
    n = enough([e.precision.value for e in (first, *more)])
    text = f"of {n:,} matches {right(first.precision, n)} {first.among}"
    text += "".join(f", {right(e.precision, n).removesuffix(ARE)} {e.among}" for e in more)
    if evidence.galleries and evidence.goals.search is None and evidence.goals.use is None:
        seen = evidence.galleries[-1]
        k = enough([seen.fpir.value])
        text += (
            f"; of {k:,} searches for something that is not among "
            f"{number_of(seen.gallery_size, 'record')}, "
            f"{about(seen.fpir.value, k)} find a match"
        )
    return text


def right_among(evidence: Evidence) -> str:
    """The same of all records, or of the use that was stated, and nothing of searches."""
    if matches_nothing(evidence):
        return NOTHING
    last, at = expected(evidence)[-1], evidence.eval
    n = enough([last.precision.value])
    text = f"of {n:,} matches {right(last.precision, n)} {last.among}"
    text = text if "records" in text or text.count(" if ") else f"{text} records"
    if at.n_false_match or not is_wide(last.precision):
        return text
    return f"none of {at.n_impostor:,} {APART} is called a match, which leaves much open: {text}"


def is_wide(found: Estimate) -> bool:
    """Whether a share is known so badly that its interval is told instead of it."""
    return found.high - found.low > WIDE


def right(precision: Estimate, n: int) -> str:
    """How many of n matches are right, with the verb: what was counted, or what that leaves open.

    Example:
        >>> def seen(value, low, high):
        ...     return Estimate(value=value, low=low, high=high, n_effective=9.0, method="")
        >>> right(seen(0.97, 0.94, 0.99), 100), right(seen(1.0, 0.282, 1.0), 100)
        ('about 97 are right', 'between 28 and 100 are right')
    """
    if not is_wide(precision):
        return f"{about(precision.value, n)}{ARE}"
    return f"{between(precision, n)}{ARE}"


def between(found: Estimate, n: int) -> str:
    """The interval of a share as so many of n things, rounded as its figures are anywhere."""
    return f"between {round(n * found.low):,} and {round(n * found.high):,}"


def at_prior(point: OperatingPoint, measure: str, prior: float) -> Estimate:
    """A measure of an operating point as it would be at another prior.

    Args:
        point: measured at its own prior.
        measure: fmr, fnmr, recall, precision, f1 or accuracy.
        prior: share of genuine comparisons.
    Returns:
        For precision exact limits; those of F1 and accuracy move with the value.
    """
    found: Estimate = getattr(point, measure)
    if prior == point.prior or measure in ("fmr", "fnmr", "recall"):
        return found
    if measure == "precision":
        odds = (1 - prior) / prior * point.prior / (1 - point.prior)
        value, low, high = (at_odds(p, odds) for p in (found.value, found.low, found.high))
    else:
        of = {"f1": f1_at, "accuracy": accuracy_at}[measure]
        value = of(point.fmr.value, point.fnmr.value, prior)
        low, high = (value + limit - found.value for limit in (found.low, found.high))
    return msgspec.structs.replace(
        found, value=value, low=max(low, 0.0), high=min(high, 1.0), optimistic=None
    )


def about(rate: float, n: int) -> str:
    """A rate as so many of n things.

    Example:
        >>> about(0.0987, 100), about(0.0, 100), about(1.0, 100), about(0.999999, 100)
        ('about 10', 'none', 'all', 'nearly all')
    """
    named = {0.0: "none", 1.0: "all"}.get(rate)
    if named is None and round(n * rate) in (0, n):
        named = "hardly any" if rate < 0.5 else "nearly all"
    return named or f"about {round(n * rate):,}"


def enough(rates: list[float]) -> int:
    """So many that none of the rates is rounded to none or to all, within reason."""
    n = 100
    if all(r in (0, 1) or min(r, 1 - r) < 5e-5 for r in rates):
        return n
    while n < 10_000 and any(0 < r < 1 and round(n * r) in (0, n) for r in rates):
        n *= 10
    return n
