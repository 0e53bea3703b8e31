"""Two releases on the same eval records: what differs, by how much, and how sure that is.

Each decides at its own threshold. The same comparisons are made for both, so that differences are
paired: their intervals are shorter than those of either release. Nothing is chosen here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np

from gemel.arguments import require, require_numbers
from gemel.calibrate.goals.target import Target, in_words
from gemel.calibrate.rates.difference import Difference
from gemel.calibrate.scores.scores import Scores
from gemel.data.dataset import UNKNOWN, Dataset, require_dataset
from gemel.data.splits import Splits
from gemel.errors import DataError, ReleaseError
from gemel.figures import html_table, percent, points
from gemel.release.compare import told
from gemel.release.compare.flips import Flip, flips
from gemel.release.evidence import differences, mistakes
from gemel.release.evidence.differences import Both, Contender, Stakes
from gemel.release.evidence.part import Part, encode
from gemel.release.evidence.schema import DEFAULT_SAMPLING, Sampling
from gemel.release.make.progress import Progress, ticker
from gemel.release.release import Release, require_release
from gemel.release.words.expected import where

Standing = Literal["better", "not worse", "worse", "cannot tell"]
MARGIN = 0.01
N_STEPS = 5


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two releases.

    Attributes:
        id: `release_id`.
        name: for people.
        space_id: of its embeddings.
        goal: of its threshold, in words.
        threshold: for one comparison.
    """

    id: str
    name: str
    space_id: str
    goal: str
    threshold: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two releases on the same records; plain JSON values.

    Attributes:
        before: the first release.
        after: the second, judged against the first.
        verdict: of the second on `primary`: its interval lies above zero (better), below (worse),
            above minus the margin (not worse), or none of these (cannot tell).
        sentence: the same in words.
        primary: the measure that the verdict is about: what the goal leaves open.
        margin: how much worse counts as not worse.
        confidence: of each interval on its own.
        prior: share of genuine comparisons that precision, F1 and cost refer to.
        costs: of a false match and a false non-match.
        eval_digest: of the records.
        n_records: with an identity.
        n_identities: that they are of.
        n_genuine: comparisons.
        n_impostor: comparisons.
        differences: of every measure, the second minus the first.
        flips: comparisons that the two decide differently.
        notes: what a reader has to know.
    """

    before: Compared
    after: Compared
    verdict: Standing
    sentence: str
    primary: str
    margin: float
    confidence: float
    prior: float
    costs: tuple[float, float]
    eval_digest: str
    n_records: int
    n_identities: int
    n_genuine: int
    n_impostor: int
    differences: tuple[Difference, ...]
    flips: tuple[Flip, ...]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Comparison({self.before.id[:12]} -> {self.after.id[:12]}: {self.sentence})"

    def _repr_html_(self) -> str:
        rows = [
            (told.name(d), f"{' -> '.join(told.sides(d))} ({told.interval(d)}) {d.seen}")
            for d in self.differences
        ]
        return html_table(self.sentence, rows)


def require_comparable(before: Release, after: Release) -> str:
    """Digest of the eval records that both were measured on.

    Raises:
        ReleaseError: they are one and the same release.
        DataError: they were measured on different records, or one has learned from them.
    """
    if before.id == after.id:
        raise ReleaseError(
            f"{before.short_id} is compared with itself", hint="name two different releases"
        )
    for release in (before, after):
        if release.evidence.data.crossed:
            raise DataError(
                f"release {release.short_id} has learned from its eval records (split.crossed)",
                hint="compare what both calibrations said: gemel report ID",
            )
    one, two = (r.evidence.data.sides["eval"].digest for r in (before, after))
    if one != two:
        sources = [r.evidence.data.source for r in (before, after)]
        raise DataError(
            f"release {before.short_id} was measured on eval records {one[:12]} of {sources[0]}, "
            f"release {after.short_id} on {two[:12]} of {sources[1]}",
            hint="calibrate both on the same records with the same [split]",
        )
    return one


def compare(
    before: Release,
    after: Release,
    dataset: Dataset,
    splits: Splits,
    *,
    margin: float = MARGIN,
    sampling: Sampling = DEFAULT_SAMPLING,
    progress: Progress | None = None,
) -> Comparison:
    """Paired differences of two releases on the eval records of both.

    Args:
        before: the one that is compared with, such as the live one.
        after: the one that is judged.
        dataset: the records that both were measured on.
        splits: of the dataset; only eval is looked at.
        margin: how much worse on the primary measure still counts as not worse, in (0, 1).
        sampling: which comparisons are made; its seed is that of resampling too.
        progress: called with steps done and steps in all.
    Raises:
        ReleaseError: a release is compared with itself.
        DataError: the two were not measured on the same records, or not on these.
    """
    for release in (before, after):
        require_release(release, "that is compared")
    require_dataset(dataset, "with the records of eval")
    require(splits, Splits, "the Splits of the records", "gemel.by_identity(records) makes them")
    require_numbers(margin=margin)
    records = _records(before, after, dataset, splits)
    tick = ticker(progress, N_STEPS)
    both = _contenders(before, after, records, sampling, tick)
    scores, target = both[0].part.scores, after.evidence.target
    stakes = Stakes.of(target, _prior(after, scores))
    found = differences.at_thresholds(both, stakes)
    tick()
    alike = _score_alike(before, after)
    for measures in (differences.of_curves, differences.of_searches):
        found += [] if alike else measures(both, stakes.confidence)
        tick()
    judged = _judged(before, after, found)
    verdict = _verdict(judged, margin)
    return Comparison(
        before=_compared(before),
        after=_compared(after),
        verdict=verdict,
        sentence=_sentence(verdict, judged, found, margin, stakes.confidence),
        primary=judged.measure,
        margin=margin,
        confidence=stakes.confidence,
        prior=stakes.prior,
        costs=(stakes.false_match, stakes.false_non_match),
        eval_digest=records.digest,
        n_records=int(np.count_nonzero(records.identities != UNKNOWN)),
        n_identities=scores.n_identities,
        n_genuine=scores.n_genuine,
        n_impostor=scores.n_impostor,
        differences=tuple(found),
        flips=flips(both, lambda at: mistakes.item(records, at)),
        notes=_notes(before, after, scores, stakes.prior),
    )


def _records(before: Release, after: Release, dataset: Dataset, splits: Splits) -> Dataset:
    """The eval records that both releases were measured on.

    Raises:
        ReleaseError: a release is compared with itself.
        DataError: the two were not measured on the same records, or not on these.
    """
    stated, records = require_comparable(before, after), dataset.take(splits.eval)
    if records.digest != stated:
        raise DataError(
            f"these eval records are {records.digest[:12]}, the releases were measured on "
            f"{stated[:12]}",
            where=dataset.source,
            hint="name the records and the [split] that the releases were made with",
        )
    return records


def _contenders(
    before: Release,
    after: Release,
    records: Dataset,
    sampling: Sampling,
    tick: Callable[[], None],
) -> Both:
    """The same comparisons by both releases, levelled where their policies do."""
    found: list[Contender] = []
    for release in (before, after):
        if found and release.space_id == before.space_id:
            rows = found[0].part.embeddings
        else:
            rows = encode(release.encoder, records, np.arange(len(records)))
        levels = release.policy.categories
        if levels is not None and records.category is None:
            raise DataError(
                f"release {release.short_id} decides by {levels.column}, which these records lack",
                where=records.source,
                hint="name the column in data.category",
            )
        part = Part.of_records(rows, records, release.comparator, sampling)
        found.append(Contender(part.level(levels), release.policy.verify))
        tick()
    return found[0], found[1]


def _score_alike(before: Release, after: Release) -> bool:
    """Whether both give every comparison the same score: at most thresholds differ."""
    return before.scale_id == after.scale_id and (
        before.policy.categories == after.policy.categories
    )


def _prior(after: Release, scores: Scores) -> float:
    """The share of genuine comparisons for both: what the second states."""
    stated = after.evidence.target.prior
    return scores.prior if stated is None else stated


def _judged(before: Release, after: Release, found: list[Difference]) -> Difference:
    """The measure that the goal of both leaves open: of a proven FMR, the recall."""
    ours, theirs = after.evidence.target, before.evidence.target
    shared = ours if ours.is_alike(theirs) else Target()
    measures = {d.measure: d for d in found}
    return measures.get(shared.goal.leaves_open, measures["F1"])


def _verdict(judged: Difference, margin: float) -> Standing:
    if judged.seen == "better":
        return "better"
    if judged.seen == "worse":
        return "worse"
    return "not worse" if judged.not_worse(margin) else "cannot tell"


def _sentence(
    verdict: Standing, judged: Difference, found: list[Difference], margin: float, confidence: float
) -> str:
    """The verdict, what it rests on, and what else differs."""
    least = f"{points(margin)} {'point' if margin == 0.01 else 'points'} or more"
    said = {
        "better": "Better",
        "worse": "Worse",
        "not worse": f"Not worse by {least}",
        "cannot tell": f"Cannot tell whether it is worse by {least}",
    }[verdict]
    old, new = told.sides(judged)
    text = (
        f"{said}: {told.name(judged)} {new} instead of {old}, a difference of "
        f"{told.interval(judged)} with {percent(confidence)} confidence"
    )
    for seen in ("better", "worse"):
        others = [d.measure for d in found if d.seen == seen and d.measure != judged.measure]
        if others:
            text += (
                f"; {seen} also in {', '.join(others)}"
                if seen == verdict
                else (f"; {seen} in {', '.join(others)}")
            )
    return text + "."


def _compared(release: Release) -> Compared:
    return Compared(
        id=release.id,
        name=release.manifest.name,
        space_id=release.space_id,
        goal=in_words(release.evidence.target),
        threshold=release.policy.verify.threshold,
    )


def _notes(before: Release, after: Release, scores: Scores, prior: float) -> tuple[str, ...]:
    """What a reader has to know."""
    policies, notes = (before.policy, after.policy), []
    if before.evidence.target.prior != after.evidence.target.prior:
        notes.append(
            "the two are for different shares of genuine pairs: that of "
            f"{after.short_id}, where {where(prior)}, is used for both"
        )
    notes.append(scores.note)
    if _score_alike(before, after):
        same = policies[0].verify == policies[1].verify
        differ = "and have the same threshold" if same else "only their thresholds differ"
        notes.append(f"both give every comparison the same score{' ' if same else ': '}{differ}")
    if any(p.rules or p.review_width is not None for p in policies):
        notes.append("decisions are compared without rules and without intervals of probabilities")
    return tuple(note for note in notes if note)
