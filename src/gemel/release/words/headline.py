"""What a reader in a hurry takes away from a release: was it worth it, and does its promise hold.

Nothing is judged here that the evidence does not say: a difference counts as clear only where its
interval excludes none, or, in older releases, where two intervals do not overlap.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gemel.release.evidence.schema import Evidence
from gemel.release.words.figures import one_in, share

Tone = Literal["good", "unsure", "bad"]


class Verdict(msgspec.Struct, frozen=True):
    """What was found, compared and promised.

    Attributes:
        tone: colours the headline; the words say the same.
        headline: a few words.
        sentences: what was found, compared and promised.
    """

    tone: Tone
    headline: str
    sentences: tuple[str, ...]


def verdict(evidence: Evidence, modality: str) -> Verdict:
    """The opening of a report."""
    kept, promise = _promise(evidence)
    better, comparison = _comparison(evidence)
    tone: Tone = "good" if kept and better > 0 else "bad" if not kept or better < 0 else "unsure"
    headline = {1: "Clearly better than", 0: "Not clearly better than", -1: "Worse than"}[better]
    name = evidence.candidates[1].name if len(evidence.candidates) > 1 else "no baseline"
    doubt = "" if kept else "; eval contradicts the choice made on dev"
    return Verdict(
        tone, f"{headline} {name}{doubt}", (_found(evidence, modality), comparison, promise)
    )


def _found(evidence: Evidence, modality: str) -> str:
    at = evidence.eval
    things = "records" if modality == "row" else "images"
    asked = at.n_review / max(at.n_genuine + at.n_impostor, 1)
    review = f" {share(asked, 2)} of all pairs are left to a person." if at.n_review else ""
    return (
        f"Among {evidence.data.sides['eval'].n_records:,} {things} of {at.n_identities:,} "
        f"identities that it had never seen, it finds {share(at.recall.value)} of the pairs that "
        f"belong together, and {share(at.precision.value)} of the pairs it calls a match are right "
        f"(F1 {share(at.f1.value)}). Of pairs that do not belong together it matches "
        f"{one_in(at.fmr.value)}.{review}"
    )


def _comparison(evidence: Evidence) -> tuple[int, str]:
    """1 clearly better than the baseline, -1 clearly worse, 0 neither; and a sentence."""
    if len(evidence.candidates) < 2:
        return 0, "It was not compared with a baseline."
    ours, theirs = evidence.candidates[0], evidence.candidates[1]
    new, old = ours.point.f1, theirs.point.f1
    apart = next((d for d in evidence.against if d.measure == "F1"), None)
    if apart is not None:
        better = {"better": 1, "worse": -1}.get(apart.seen, 0)
        span = f"{100 * apart.low:+.1f} to {100 * apart.high:+.1f} points"
        means = {
            1: f"; the difference, {span}, is beyond chance",
            0: f"; the difference, {span}, may be chance",
            -1: f"; the difference, {span}, is beyond chance: this release should not replace it",
        }[better]
    else:
        better = 1 if new.low > old.high else -1 if new.high < old.low else 0
        means = {
            1: ", a difference beyond chance",
            0: ", a difference that may be chance, since the intervals overlap",
            -1: ", so this release should not replace it",
        }[better]
    name = theirs.name[:1].upper() + theirs.name[1:]
    return better, (
        f"{name} without any learning, tuned the same way, reaches F1 {share(old.value)} "
        f"where this release reaches {share(new.value)}{means}."
    )


def _promise(evidence: Evidence) -> tuple[bool, str]:
    target, seen = evidence.target, evidence.eval
    sure = share(target.confidence)
    if target.kind == "fmr" and target.value is not None:
        kept = seen.fmr.low <= target.value
        goal, found = f"at most {share(target.value)} false matches", share(seen.fmr.value)
    elif target.kind == "fnmr" and target.value is not None:
        kept = seen.fnmr.low <= target.value
        goal, found = f"at most {share(target.value)} missed pairs", share(seen.fnmr.value)
    elif target.kind in ("precision", "recall") and target.value is not None:
        there = seen.precision if target.kind == "precision" else seen.recall
        kept = there.high >= target.value
        goal, found = f"a {target.kind} of {share(target.value)}", share(there.value)
    else:
        kept = seen.f1.high >= evidence.dev.f1.low
        return kept, (
            "The threshold is the best one observed on dev for its goal; no error rate was "
            f"promised. On dev F1 was {share(evidence.dev.f1.value)}."
        )
    agrees = "agrees" if kept else "contradicts this"
    return kept, f"Dev proved {goal} with {sure} confidence; eval measured {found} and {agrees}."
