"""What is said where "unknown" is hardly ever called so, or known items more often than allowed."""

from __future__ import annotations

from gemel.figures import number_of
from gemel.release.evidence.class_levels import ClassEvidence
from gemel.release.evidence.schema import Evidence
from gemel.release.words.expected import HALF, about

MORE = (0.2, 0.3, 0.5)
"""Shares of known items that may be called unknown, to try where a smaller one finds few others."""
FPIR = 0.1
"""Share of items of no class that get one, at which it is told what could be found."""


def in_classes(evidence: Evidence) -> str:
    """That most items of no class are given one, or too many others none; empty where neither is.

    Args:
        evidence: of the release.
    """
    classes = evidence.classes
    if classes is None:
        return ""
    return "; ".join(said for said in (_given_one(classes), _taken_away(classes)) if said)


def _taken_away(classes: ClassEvidence) -> str:
    level = next((one for one in classes.eval if one.false_unknown.low > classes.alpha), None)
    if level is None:
        return ""
    return (
        f"of 100 items of an enrolled class, {about(level.false_unknown.value, 100)} are called "
        f"unknown, where {classes.alpha * 100:g} were allowed on average: "
        f"{number_of(classes.n_calibration[level.shots], 'class', 'classes')} calibrated it"
    )


def _given_one(classes: ClassEvidence) -> str:
    level = next((one for one in classes.eval if one.false_known.value >= HALF), None)
    if level is None:
        return ""
    text = (
        f"of 100 items of a class that is not enrolled, {about(level.false_known.value, 100)} are "
        f"given one all the same (measured among {number_of(level.ways, 'class', 'classes')}, "
        f"{number_of(level.shots, 'example')} each)"
    )
    larger = next((alpha for alpha in MORE if alpha > classes.alpha), None)
    if larger is not None:
        text += (
            f"; gemel calibrate --set calibrate.alpha={larger:g} calls more of them unknown, and "
            f"up to {larger * 100:g} of 100 known ones, on average (now {classes.alpha * 100:g})"
        )
    found = next((i.dir for i in level.open_set.identification if i.fpir == FPIR), None)
    if found is not None:
        text += (
            f"; where {FPIR * 100:g} of 100 such items are given a class, {about(found, 100)} of "
            "100 known ones can be told"
        )
    return text


def without_classes(evidence: Evidence) -> str:
    """How unknown is decided where no policy of classes could be made, and how well it does."""
    if evidence.classes is not None or not evidence.galleries:
        return ""
    seen = evidence.galleries[-1]
    return (
        "gemel gallery classify calls unknown what reaches the threshold with no record: among "
        f"{number_of(seen.gallery_size, 'record')}, of 100 items of no class there "
        f"{about(1 - seen.fpir.value, 100)} were called unknown; of 100 of a class there, "
        f"{about(seen.fnir.value, 100)} were called unknown or given a wrong one; in a larger "
        "gallery fewer are called unknown, and more are given a wrong one"
    )
