"""What is said where an item of a class that is not enrolled is hardly ever called unknown."""

from __future__ import annotations

from gemel.figures import number_of
from gemel.release.evidence.schema import Evidence
from gemel.release.words.expected import HALF, about

MORE = (0.2, 0.3, 0.5)
"""Shares of known items that may be called unknown, to try where a smaller one finds few others."""
FPIR = 0.1
"""Share of items of no class that get one, at which it is told what could be found."""


def in_classes(evidence: Evidence) -> str:
    """Why most items of no enrolled class are given one, as a sentence; empty where they are not.

    Args:
        evidence: of the release.
    """
    classes = evidence.classes
    if classes is None:
        return ""
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
        "gallery fewer are called unknown"
    )
