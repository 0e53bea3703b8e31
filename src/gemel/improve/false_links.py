"""How many matches of a set are false, before anything is known about its records.

What is expected follows from the scores of its own pairs, what bounds it from the evidence of the
release; nothing does where answers speak of other links, or of pairs that were proposed otherwise.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gemel.decide.bands import matches
from gemel.decide.sets import Judged
from gemel.figures import number_of, one_in, percent
from gemel.release.for_set import ForSet, evidence_of
from gemel.release.release import Release
from gemel.release.words import unproven
from gemel.release.words.sentence import promised
from gemel.settings import EVERY
from gemel.tasks.assignment import Linked


class FalseLinks(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the matches are false, before anything is known about these records.

    Args:
        expected: of the matches of this job, by the scores of its own pairs, after linking where
            records have one partner at most: the one to go by. Of a few records, by the
            probabilities of their matches. None without evidence.
        by_fmr: pairs times the FMR of the release on eval, at the release's own threshold, which
            may take more pairs than this job; None without evidence.
        at_most: what a promise about the matches of such a set leaves; without one, pairs times the
            highest FMR that the evidence leaves possible at that threshold, or all matches. A false
            match joins two clusters at most, so it bounds the false merges as well.
        basis: what `at_most` rests on, in words.
        promise: what was proven about the matches of such a set, in words; empty if nothing was.
        n_identities: on eval, among which false matches were counted; None where others told what
            is expected, or nothing was measured.
    """

    expected: float | None
    by_fmr: float | None
    at_most: float | None
    basis: str
    promise: str = ""
    n_identities: int | None = None


def false_links(
    release: Release, decided: ForSet, judged: Judged, n_pairs: int, linked: Linked | None = None
) -> FalseLinks:
    """How many matches are expected to be false, and a bound from the evidence of the release.

    Args:
        release: whose evidence bounds them.
        decided: what the set holds.
        judged: its pairs, those that were linked as matches.
        n_pairs: in all.
        linked: what linking left; None where records may have any number of partners.
    """
    n_matches, threshold = int(judged.match.sum()), decided.policy.verify.threshold
    expected = None
    if decided.expected is not None:
        expected = decided.expected.false_at(threshold)
        if linked is not None:
            staying = decided.expected.false_at(threshold, linked.staying)
            expected = linked.left_of(expected, staying)
        expected = min(expected, float(n_matches))
    if not decided.is_told:
        # Of a few records the probabilities of their own pairs say more than how often strangers
        # match: somebody chose them.
        wrong = 1 - judged.probability[judged.match]
        expected = None if np.isnan(wrong).any() else float(wrong.sum())
    if release.is_unproven:
        told = unproven.rests_on(release.evidence)
        return FalseLinks(expected=expected, by_fmr=None, at_most=None, basis=told)
    evidence, own = evidence_of(release), release.policy.verify.threshold
    among = None
    if evidence is not None and evidence.labelled is None:
        among = evidence.eval.n_identities
    if evidence is None or not matches(threshold, own):
        basis = "no evidence at this threshold"
        return FalseLinks(
            expected=expected, by_fmr=None, at_most=None, basis=basis, n_identities=among
        )
    if not decided.is_told and evidence.labelled is None:
        basis = "the probabilities of these matches: so few records tell nothing of their own"
        return FalseLinks(expected=expected, by_fmr=None, at_most=None, basis=basis)
    point, target = evidence.eval, evidence.target
    by, known = "on eval", evidence.labelled
    kind = EVERY if linked is None else linked.kind
    if known is not None and known.links != kind:
        basis = f"the answers speak of records that link {known.links}"
        return FalseLinks(expected=expected, by_fmr=None, at_most=None, basis=basis)
    if known is not None and known.engine != decided.engine:
        basis = f"the answers speak of pairs proposed by {known.engine}: --engine {known.engine}"
        return FalseLinks(expected=expected, by_fmr=None, at_most=None, basis=basis)
    if known is not None:
        by = f"by {number_of(known.n_answers, 'answer')}"
        expected = n_matches * (1 - known.precision.value)
    highest, basis = point.fmr.high, f"upper {percent(point.confidence)} limit of the FMR {by}"
    by_fmr = point.fmr.value * n_pairs
    if decided.is_promised:
        least = known.goal if known is not None else target.value or 0.0
        said = promised(evidence)
        return FalseLinks(
            expected=expected,
            by_fmr=by_fmr,
            at_most=(1 - least) * n_matches,
            basis=f"what gemel calibrate proved: {said}",
            promise=said,
            n_identities=among,
        )
    limit = target.limit("fmr")
    if evidence.dev.certified and limit is not None:
        highest, basis = limit, f"certified FMR, confidence {percent(target.confidence)}"
    return FalseLinks(
        expected=expected,
        by_fmr=by_fmr,
        at_most=min(highest * n_pairs, float(n_matches)),
        basis=f"{basis}, {one_in(highest)}; {point.n_impostor:,} impostor comparisons",
        n_identities=among,
    )
