"""What a release without labels says of itself, wherever another one says what was measured."""

from __future__ import annotations

from gemel.figures import share
from gemel.release.evidence.schema import Evidence

MARK = "unproven"
"""One word for tables."""
HEADLINE = "Unproven: an estimate without labels"
WHY = "nothing says which records belong together, so nothing is measured: all rates are estimates"
WARNING = "unproven release: its threshold is estimated, not measured"


def sentence(evidence: Evidence) -> str:
    """What is expected of the threshold, for someone who knows no statistics."""
    at = evidence.eval
    return (
        "Unproven: estimated from how records agree, not measured. If the estimate is right, of "
        f"100 matches {_about(at.precision.value)} are right, and of 100 pairs that belong "
        f"together {_about(at.recall.value)} are found; how far it is off, only labels can tell."
    )


def found(evidence: Evidence, things: str) -> str:
    """What was looked at."""
    data, at = evidence.data, evidence.eval
    return (
        f"{data.n_records:,} {things} without labels; about {at.n_genuine:,} of their pairs are "
        f"expected to belong together, and about {at.n_genuine - at.n_false_non_match:,} of these "
        f"to match (F1 {share(at.f1.value)}, if the estimate is right)."
    )


def _about(rate: float) -> str:
    n = round(100 * rate)
    return "about all" if n == 100 else f"about {n}"
