"""What is said where a gallery is searched by a threshold that strangers pass too easily."""

from __future__ import annotations

from gemel.calibrate.rates.searches import SearchPoint
from gemel.figures import number_of
from gemel.release.evidence.schema import Evidence
from gemel.release.words.expected import about, enough
from gemel.release.words.in_use import in_far_larger, in_larger, is_far

SOME = 0.05
"""Share of strangers that match something, from which on it is said."""
NEARLY = 1 - 1e-9
"""The largest share that is told of a gallery in which nothing was counted."""


def above_sizes(largest: int | None, records: int) -> str:
    """That nothing matches in a gallery without a person; empty where something may.

    Args:
        largest: records up to which thresholds are certified; None where they have no sizes.
        records: in the gallery.
    """
    if largest is None or records <= largest:
        return ""
    return (
        f"the gallery has {number_of(records, 'record')}, thresholds are certified for up to "
        f"{largest:,}: what would match is for review"
    )


def in_gallery(evidence: Evidence, records: int) -> str:
    """Why a match in a gallery may well be a stranger, as one sentence without its end.

    Empty where the release has thresholds by the size of the gallery, or few strangers match. What
    was counted in smaller galleries is told for this one as if its records were like those, unless
    it is far larger.

    Args:
        evidence: of the release.
        records: in the gallery.
    """
    goals, use = evidence.goals, evidence.goals.use
    if evidence.is_estimated or goals.search is not None or records < 2:
        return ""
    at = [p for p in evidence.galleries if p.gallery_size <= records] or evidence.galleries[:1]
    share = in_larger(at[-1].fpir.value, at[-1], records) if at else None
    is_for_two = use is not None and use.kind == "verify"
    if (share is None and not is_for_two) or (share is not None and share < SOME):
        return ""
    for_it = use is not None and use.records is not None and use.records >= records
    among = f"in a gallery of {number_of(records, 'record')}"
    said = f"the threshold was not chosen for searches {among}"
    if is_for_two:
        said = (
            "threshold and probabilities are for two things that are held up against each other, "
            f"not for searches {among}"
        )
    known = "how often strangers match in it is not known" if not at else _known(at[-1], records)
    if for_it:
        return f"{among}, {known}; gemel calibrate --fpir asks for a threshold that few pass"
    asks = f"gemel calibrate --for search --gallery-size {records} asks for one that is"
    return f"{said}: {known}; {asks}"


def _known(seen: SearchPoint, records: int) -> str:
    """How many strangers match, as counted and as told of this gallery."""
    counted = seen.fpir.value
    share = in_larger(counted, seen, records)
    size = number_of(seen.gallery_size, "record")
    if is_far(seen, records):
        k = enough([counted])
        return (
            f"of {k:,} searches for something that is not among {size}, {about(counted, k)} found "
            f"a match; among {records:,}, {in_far_larger(seen, records)}"
        )
    if seen.gallery_size != records:
        share = min(share, NEARLY)
    n, k = enough([share]), enough([counted])
    text = f"of {n:,} searches for something that is not in it, {about(share, n)} would match"
    if seen.gallery_size == records:
        return text
    return f"{text} (of {k:,} among {size}, {about(counted, k)} did)"
