"""What a release is for, what it is not for, and what one of its scores is: parts of its card."""

from __future__ import annotations

import msgspec

from gemel.calibrate.goals.target import in_words
from gemel.encode import modality
from gemel.figures import number_of
from gemel.release.evidence.schema import Evidence
from gemel.release.release import Release
from gemel.release.words.in_use import asked

NOT_FOR = (
    "records of another source, form, camera or population than those measured",
    "embeddings of another space; a threshold is for its own space only",
    "impostors who try to be matched: none took part",
    "decisions about people without a person who can overturn them",
)


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What it is for, and what not."""

    intended: str
    goal: str
    fields: tuple[tuple[str, str], ...]
    categories: str | None
    not_for: tuple[str, ...]


class Scoring(msgspec.Struct, frozen=True, kw_only=True):
    """What a score is.

    Attributes:
        metric: kind of the comparator.
        direction: which scores are alike.
        normalisation: what was done to scores before they meet a threshold.
        range: lowest and highest score on eval.
        threshold: for one comparison.
        review: scores from the first up to the second go to a person; None: none do.
    """

    metric: str
    direction: str
    normalisation: str
    range: tuple[float, float]
    threshold: float
    review: tuple[float, float] | None


def use(release: Release, evidence: Evidence) -> Use:
    """What a release is for, from what it was measured on."""
    things = modality.named(release.modality).nouns[1]
    largest = evidence.validity.largest_gallery
    search = f", in galleries of up to {number_of(largest, 'record')}" if largest else ""
    purpose = evidence.goals.use
    column = evidence.categories and evidence.categories.column
    return Use(
        intended=(
            f"telling whether two {things} are of one identity, and finding {things} of the same "
            f"identity in a gallery{search}, among records like those of {evidence.data.source}"
        ),
        goal=in_words(evidence.target)
        + (f", for {asked(purpose, evidence.eval.prior)}" if purpose else ""),
        fields=evidence.data.fields,
        categories=column or None,
        not_for=NOT_FOR,
    )


def scoring(release: Release, evidence: Evidence) -> Scoring:
    """What a score of a release is."""
    policy, curve, band = release.policy, evidence.eval_curve, release.policy.verify
    steps = []
    if evidence.cohort_id is not None:
        steps.append(f"as-norm with a cohort of {evidence.goals.cohort:,} identities of train")
    if policy.categories is not None:
        steps.append(f"levelled by {policy.categories.column}")
    return Scoring(
        metric=release.comparator.describe(),
        direction="higher is more alike; a score that reaches the threshold is a match",
        normalisation=", then ".join(steps) or "none",
        range=(curve.bin_edge[0], curve.bin_edge[-1]),
        threshold=band.threshold,
        review=(band.review_low, band.review_high) if band.review_low < band.review_high else None,
    )
