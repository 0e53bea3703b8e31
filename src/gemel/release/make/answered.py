"""The child of a release without labels whose threshold people's answers prove."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from gemel.calibrate.answers.known import Known, point_of
from gemel.calibrate.goals.target import Target, in_words
from gemel.errors import ReleaseError
from gemel.figures import number_of
from gemel.release.evidence.schema import Point
from gemel.release.release import Release
from gemel.release.words.expected import about


def by_answers(
    parent: Release,
    known: Known,
    *,
    reach: float | None = None,
    into: str | Path,
    name: str | None = None,
    now: datetime | None = None,
) -> Release:
    """The child with the proven threshold; what answers say stands where eval would.

    Args:
        parent: without labels; its scores were asked about.
        known: what the answers prove.
        reach: the precision that they do prove, for whoever asks for more; None: none.
        into: folder to become; must not exist.
        name: None keeps the parent's.
        now: creation time, for reproducible ids.
    Raises:
        ReleaseError: the parent was measured on labels, or nothing is proven.
    """
    if not parent.evidence.unproven:
        raise ReleaseError(
            f"{parent.short_id} was measured on labels, and answers do not replace that",
            where=str(parent.folder),
            hint="answers to what it decides in use move it: gemel review proposal",
        )
    goal = f"{100 * known.goal:g} of 100 matches right"
    if not known.proven:
        raise ReleaseError(
            f"{number_of(known.n_answers, 'answer')} about pairs drawn for {parent.short_id} "
            f"do not prove {goal}{_lacks(known)}",
            where="labels",
            hint="gemel label goes on asking; these answers prove "
            + (f"--precision {reach:g}" if reach else "no --precision yet"),
        )
    target = Target(kind="precision", value=known.goal, confidence=known.confidence)
    policy, evidence = parent.policy, parent.evidence
    band = policy.verify.moved(known.threshold)
    search = band if policy.search == policy.verify else policy.search
    point = point_of(known, band)
    return parent.child(
        policy=msgspec.structs.replace(policy, verify=band, search=search),
        evidence=msgspec.structs.replace(
            evidence,
            goals=msgspec.structs.replace(evidence.goals, verify=target),
            dev=point,
            eval=point,
            points=(Point(goal=in_words(target), chosen=True, dev=point, eval=point),),
            labelled=known,
        ),
        into=into,
        name=name,
        now=now,
    )


def _lacks(known: Known) -> str:
    """How many answers are missing, or what stands against it."""
    if known.missing is not None:
        return f": about {known.missing:,} more are needed"
    at = known.precision
    if at.n_effective and at.value < known.goal:
        return f": as it looks, {about(at.value, 100)} are right at this threshold"
    return ""
