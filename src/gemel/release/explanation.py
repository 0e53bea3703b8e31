"""Why a release decides a pair as it does: one struct, for scripts, services, pages and people.

Put together from the parts of the pair, the error rates that eval measured around the score, and
gold comparisons with scores like it. It explains the decision of the policy and makes none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from gemel.arrays import Float32
from gemel.decide.bands import Outcome
from gemel.decide.categories import Category, pair_of
from gemel.decide.outcomes import Decision, Pair
from gemel.decide.policy import Policy
from gemel.encode.modality import Payload, Prepare
from gemel.errors import NotFound
from gemel.figures import percent, times
from gemel.release.evidence.schema import Evidence
from gemel.release.for_set import kind
from gemel.release.items import Items, Read
from gemel.release.precedents import Around, Precedent
from gemel.release.release import Release, require_release
from gemel.tasks.explain import MAX_CUTS, Part, Steps, answer, attribute

Stage = Literal["verify", "search"]


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """How far a score is from the threshold, in error rates of eval.

    Attributes:
        fmr_at_score: false match rate of a threshold at this score, at most.
        fmr_at_threshold: the same of the threshold that was applied.
        fnmr_at_score: false non-match rate of a threshold at this score, at most.
        fnmr_at_threshold: the same of the threshold that was applied.
        n_impostor: impostor comparisons that the rates were measured on.
        n_genuine: genuine comparisons.
        text: the same as a sentence.
    """

    fmr_at_score: float
    fmr_at_threshold: float
    fnmr_at_score: float
    fnmr_at_threshold: float
    n_impostor: int
    n_genuine: int
    text: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A decision and its reasons.

    Attributes:
        outcome: `match`, `no_match` or `review`.
        score: of the pair; higher is more alike.
        threshold: the one that was applied.
        probability: of a match, None without a calibrated likelihood.
        stage: which stage decided.
        margin: None if the release has no evidence, or was measured on no labels.
        around: gold comparisons with scores like this one; None where there are too few.
        nearest: the nearest genuine and impostor ones of them.
        nothing: score of the pair with everything taken away.
        lost_in_sum: what the parts lose together; need not be `score - nothing`.
        parts: what each part is worth, those that matter most first.
        release: that decides.
        space: of its embeddings.
        note: what a reader has to know.
        category: of left and right, where the release decides by it; None for an unknown one.
        rule: that took the match away; None if none did.
        probability_is: what it is (see `for_set.kinds`); None where there is none.
        prior: share of genuine comparisons that the probability is for.
    """

    outcome: Outcome
    score: float
    threshold: float
    probability: float | None
    stage: Stage
    margin: Margin | None
    around: Around | None
    nearest: tuple[Precedent, ...]
    nothing: float
    lost_in_sum: float
    parts: tuple[Part, ...]
    release: str
    space: str
    note: str = ""
    category: Pair | None = None
    rule: str | None = None
    probability_is: str | None = None
    prior: float | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is to be explained.

    Attributes:
        pair: two checked payloads, or one and the embedding of a record.
        category: of both, None where unknown.
        rows: of both, for rules to look at.
        stage: whose operating point decides.
        gallery_size: records that a search compares with.
    """

    pair: tuple[Payload, Payload | Float32]
    category: Pair
    rows: tuple[Any, Any]
    stage: Stage = "verify"
    gallery_size: int | None = None

    @classmethod
    def of_pair(cls, left: Read, right: Read) -> Question:
        """Why are these two decided as they are?"""
        pair = left.payload, right.payload
        return cls(pair=pair, category=(left.category, right.category), rows=pair)

    def decide(self, policy: Policy, score: float) -> Decision:
        """What a score would mean, before rules look at it."""
        if self.stage == "search":
            return policy.identify(score, self.gallery_size, self.category)
        return policy.decide(score, self.category)


def explain(
    release: Release,
    left: Any,
    right: Any,
    *,
    category: Category = None,
    parts: bool = True,
) -> Explanation:
    """Why a release decides about two items as it does.

    Args:
        release: that decides.
        left: an item of a request, or a payload.
        right: the other one; the two may be exchanged.
        category: of both, or of each, where the release decides by category; else their own.
        parts: what each part is worth as well, which costs encodings.
    Raises:
        InvalidInput: one of them cannot be encoded; `where` is its side and field.
    """
    require_release(release, "that decides")
    encoder, stated = release.encoder, pair_of(category)
    items = Items.of(release, encoder.prepare)
    asked = Question.of_pair(
        items.read(left, "left", stated[0]), items.read(right, "right", stated[1])
    )
    return answer(explaining(release, encoder.prepare, asked, parts=parts), encoder.encode)


def explaining(
    release: Release, prepare: Prepare, asked: Question, *, parts: bool = True
) -> Steps[Explanation]:
    """The same in steps, for a caller who encodes in its own way (see `tasks.explain`).

    Args:
        release: that decides.
        prepare: its preprocessing.
        asked: the question.
        parts: what each part is worth as well.
    Yields:
        Payloads to encode; send back (n, d) float32, unit rows.
    """
    policy = release.policy
    found = yield from attribute(
        prepare,
        release.comparator,
        asked.pair,
        lambda score: asked.decide(policy, score).outcome,
        MAX_CUTS if parts else 0,
    )
    decision = policy.ruled(asked.decide(policy, found.score), *asked.rows)
    at = [policy.level(score, asked.category) for score in (found.score, decision.threshold)]
    gold = release.precedents
    is_hit = asked.stage == "search"
    return Explanation(
        outcome=decision.outcome,
        score=found.score,
        threshold=decision.threshold,
        probability=decision.probability,
        stage=asked.stage,
        margin=_margin(release, at, decision.outcome),
        around=gold.around(found.score) if gold else None,
        nearest=gold.nearest(found.score) if gold else (),
        nothing=found.nothing,
        lost_in_sum=found.lost_in_sum,
        parts=found.parts,
        release=release.id,
        space=release.space_id,
        note="parts of the query only: a gallery keeps no payloads" if is_hit else "",
        category=decision.category,
        rule=decision.rule,
        probability_is=kind(release, decision.probability),
        prior=policy.prior,
    )


def _margin(release: Release, levelled: Sequence[float], outcome: Outcome) -> Margin | None:
    """The margin between a score and a threshold, both as the curves of eval have them."""
    try:
        evidence = release.evidence
    except NotFound:
        return None
    if evidence.unproven:  # its rates are of variants made of records, not of pairs
        return None
    here, there = (_rates(evidence, at) for at in levelled)
    curve = evidence.eval_curve
    return Margin(
        fmr_at_score=here[0],
        fmr_at_threshold=there[0],
        fnmr_at_score=here[1],
        fnmr_at_threshold=there[1],
        n_impostor=curve.n_impostor,
        n_genuine=curve.n_genuine,
        text=_in_words(here, there, outcome, curve.n_impostor),
    )


def _rates(evidence: Evidence, at: float) -> tuple[float, float]:
    """FMR and FNMR on eval at a threshold.

    The curve is thinned out; between two of its points the worse rate is taken, and the operating
    point of the policy, which is exact, is one of its points.
    """
    curve, point = evidence.eval_curve, evidence.eval
    if math.isclose(at, point.threshold, rel_tol=1e-9, abs_tol=1e-12):
        return point.fmr.value, point.fnmr.value
    threshold = np.array([*curve.threshold, point.threshold])
    fmr = np.array([*curve.fmr, point.fmr.value])
    fnmr = np.array([*curve.fnmr, point.fnmr.value])
    return (
        float(fmr[threshold <= at].min(initial=1.0)),
        float(fnmr[threshold >= at].min(initial=1.0)),
    )


def _in_words(
    here: tuple[float, float], there: tuple[float, float], outcome: Outcome, n_impostor: int
) -> str:
    """The margin as a sentence.

    Example:
        >>> _in_words((0.0002, 0.1), (0.001, 0.05), "match", 10_000)
        'FMR at this score is 0.02 %, at the threshold 0.1 %: 5 times stricter than needed'
    """
    (fmr, fnmr), limit = here, there[0]
    seen, allowed, missed = percent(fmr, 2), percent(limit, 2), percent(fnmr, 2)
    if outcome == "no_match":
        more = f", {times(fmr / limit)} as many" if 0 < limit < fmr else ""
        return (
            f"a threshold that matches this score would match {seen} of impostor comparisons "
            f"instead of {allowed}{more}; {missed} of genuine ones score as low"
        )
    if outcome == "match" and fmr == 0:
        return (
            f"none of {n_impostor:,} impostor comparisons of eval scored as high; "
            f"at the threshold {allowed} match"
        )
    text = f"FMR at this score is {seen}, at the threshold {allowed}"
    if outcome == "review":
        return f"{text}; {missed} of genuine comparisons score as low: a person decides"
    margin = f"{times(limit / fmr)} stricter than needed" if fmr < limit else "no margin"
    return f"{text}: {margin}"
