"""A release in a few lines: what it is, how it decides, what was measured on eval."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gemel.figures import number_of, rounded_up

if TYPE_CHECKING:
    from gemel.release.evidence.schema import Evidence
    from gemel.release.release import Release


def summary(release: Release) -> list[tuple[str, Any]]:
    """Names and values of those lines."""
    from gemel.calibrate.goals.target import in_words
    from gemel.release.words.promise import kept_promise
    from gemel.release.words.unproven import MARK, WHY

    manifest, evidence = release.manifest, release.evidence
    seen, categories = evidence.eval, release.policy.categories
    broken = kept_promise(evidence).broken
    expires = release.policy.expires or ""
    if release.policy.has_expired(datetime.now(UTC).date()):
        expires += ": expired, calibrate again"
    promise = "promise", f"eval contradicts it: {broken}" if broken else "eval agrees"
    provable = "smallest FMR provable", rounded_up(evidence.smallest_fmr, 3)
    lines = [
        ("release", release.id),
        *([("evidence", f"{MARK}: {WHY}")] if evidence.is_estimated else []),
        ("space", release.space_id),
        *([("name", manifest.name)] if manifest.name else []),
        ("modality", manifest.modality),
        ("created", manifest.created),
        ("data", f"{number_of(evidence.data.n_records, 'record')} of {evidence.data.source}"),
        ("goal", in_words(evidence.target)),
        *([("goal of searches", _of_searches(evidence))] if evidence.goals.search else []),
        ("threshold", seen.threshold),
        *([("levelled by", categories.column)] if categories else []),
        *(_estimates(evidence) if evidence.is_estimated else _rates(evidence)),
        *([] if evidence.unproven else [promise, provable]),
        ("valid until", expires),
    ]
    classes, policy = evidence.classes, release.policy.classify
    if classes is not None and policy is not None:
        lines.append(("classes", f"{policy.method}, unknown at alpha = {policy.alpha:g}"))
        for level in classes.eval:
            of = f"of {level.ways} classes on eval, {number_of(level.shots, 'support')}"
            lines.append((f"right {of}", level.accuracy.span(4)))
            lines.append((f"known called unknown {of}", level.false_unknown.span(4)))
    return lines


def _of_searches(evidence: Evidence) -> str:
    from gemel.calibrate.goals.target import in_words

    largest = evidence.validity.largest_gallery
    up_to = "" if largest is None else f", in galleries of up to {number_of(largest, 'record')}"
    return in_words(evidence.goals.search or evidence.target) + up_to


def _rates(evidence: Evidence) -> list[tuple[str, Any]]:
    from gemel.release.words.tiles import UNKNOWN

    seen, known = evidence.eval, evidence.labelled
    by = "on eval" if known is None else "by answers"
    open_ = known is not None and not known.tells_missed
    return [
        (f"FMR {by}", seen.fmr.span(4)),
        (f"FNMR {by}", UNKNOWN if open_ else seen.fnmr.span(4)),
        (f"precision {by}", seen.precision.span(4)),
        (f"F1 {by}", UNKNOWN if open_ else seen.f1.span(4)),
    ]


def _estimates(evidence: Evidence) -> list[tuple[str, Any]]:
    from gemel.release.words.unproven import by_closeness

    names = ("closer than by chance", "variants found")
    if not by_closeness(evidence):
        names = ("precision", "recall")
    values = (evidence.eval.precision.value, evidence.eval.recall.value)
    return [(f"{name}, estimated", value) for name, value in zip(names, values, strict=True)]
