"""What a reader in a hurry takes away from a release: was it worth it, and does its promise hold.

Nothing is judged here that the evidence does not say: a difference counts as clear only where its
interval excludes none.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gemel.calibrate.rates.intervals import Estimate
from gemel.figures import known, number_of, one_in, share
from gemel.release.evidence.schema import Evidence
from gemel.release.words import unproven
from gemel.release.words.doubts import warning
from gemel.release.words.expected import at_prior, is_wide
from gemel.release.words.learned import against_baseline
from gemel.release.words.promise import Promise, everywhere, kept_promise

Tone = Literal["good", "unsure", "bad"]


class Headline(msgspec.Struct, frozen=True):
    """What was found, compared and promised.

    Attributes:
        tone: colours the headline; the words say the same.
        headline: a few words.
        sentences: what was found, compared and promised.
        kept: eval keeps what dev promised.
        warning: what is said where matches mean little; empty where they do not.
    """

    tone: Tone
    headline: str
    sentences: tuple[str, ...]
    kept: bool = True
    warning: str = ""


def headline(evidence: Evidence, things: str) -> Headline:
    """The opening of a report; things are what people call the records."""
    if evidence.unproven:
        noted = (f"{note[:1].upper()}{note[1:]}." for note in evidence.notes)
        sentences = (unproven.sentence(evidence), unproven.found(evidence, things), *noted)
        tone: Tone = "unsure" if evidence.labelled is None else "good"
        return Headline(tone, unproven.headline(evidence), sentences)
    promise = kept_promise(evidence)
    kept = promise.kept
    better, comparison = against_baseline(evidence)
    few = warning(evidence)
    bad, good = not kept or better < 0, better > 0 and not few
    tone = "bad" if bad else "good" if good else "unsure"
    said = {1: "Clearly better than", 0: "Not clearly better than", -1: "Worse than"}[better]
    name = evidence.candidates[1].name if len(evidence.candidates) > 1 else "no baseline"
    doubt = "" if kept else "; eval contradicts the choice made on dev"
    return Headline(
        tone,
        f"{said} {name}{_at_best(evidence)}{doubt}",
        (_found(evidence, things), comparison, _promised(evidence, promise)),
        kept,
        few and f"{few[:1].upper()}{few[1:]}.",
    )


def _at_best(evidence: Evidence) -> str:
    """Where the two were compared, if not where the release decides; empty if there."""
    ours = evidence.candidates[0].point.threshold if evidence.candidates else None
    elsewhere = len(evidence.candidates) > 1 and ours != evidence.eval.threshold
    return ", each at its threshold of the best F1" if elsewhere else ""


def _found(evidence: Evidence, things: str) -> str:
    at = evidence.eval
    asked = at.n_review / max(at.n_genuine + at.n_impostor, 1)
    review = f" {share(asked, 2)} of all pairs are left to a person." if at.n_review else ""
    return (
        f"Among {evidence.data.sides['eval'].n_records:,} {things} of {at.n_identities:,} "
        f"identities that it had never seen, it finds {_told(at.recall)} of the pairs that belong "
        f"together, and {_told(at.precision)} of the pairs it calls a match are right "
        f"(F1 {_told(at.f1)}). Of pairs that do not belong together it matches "
        f"{one_in(at.fmr.value)}.{review}"
    )


def _told(found: Estimate) -> str:
    """A share, or its limits where it is known so badly."""
    if not is_wide(found):
        return share(found.value)
    return f"{share(found.value)} (between {share(found.low, 2)} and {share(found.high, 2)})"


def _promised(evidence: Evidence, promise: Promise) -> str:
    target, goal = evidence.target, evidence.target.goal
    if target.value is None:
        said = (
            "The threshold is the best one observed on dev for its goal; no error rate was "
            f"promised. On dev F1 was {share(evidence.dev.f1.value)}."
        )
    else:
        found = at_prior(evidence.eval, goal.measures[0], evidence.dev.prior)
        sides, (value, low, high) = evidence.data.sides, known(found.value, found.low, found.high)
        said = (
            f"Dev proved {goal.promised.format(share(target.value))}{everywhere(evidence)} with "
            f"{share(target.confidence)} confidence, a limit on one side by its "
            f"{number_of(sides['dev'].n_records, 'record')}; eval measured "
            f"{value}\N{NO-BREAK SPACE}% ({low} to {high}, limits on both sides by "
            f"{sides['eval'].n_records:,}) and "
            f"{'agrees' if promise.kept else 'contradicts this'}."
        )
    return said if promise.kept else f"{said} Contradicted: {promise.broken}."
