"""The key figures at the top of a report: those that matter in the use that was named."""

from __future__ import annotations

from gemel import figures
from gemel.calibrate.goals.use import MEASURES
from gemel.calibrate.rates.intervals import Estimate
from gemel.release.evidence.schema import Evidence

Tile = tuple[str, str, str]
"""What it is, the figure, and its interval or what it is of."""
NAMES = {
    "f1": "F1",
    "precision": "right matches (precision)",
    "recall": "found pairs (recall)",
    "fmr": "false match rate",
    "fnmr": "missed pairs",
}


def tiles(evidence: Evidence) -> list[Tile]:
    """The figures of eval at the threshold of the release, by use; none without labels."""
    if evidence.unproven:
        return []
    use, at = evidence.goals.use, evidence.eval
    found = [_tile(NAMES[m], getattr(at, m)) for m in MEASURES[use.kind if use else None]]
    if use is None or use.kind == "duplicates":
        found.append(_one_in("false match rate", at.fmr))
    if use is None or use.kind == "search":
        seen = evidence.candidates[0].retrieval
        first = figures.share(seen.recall_at_k[1])
        found.append(("recall at 1", first, f"of {figures.number_of(seen.n_queries, 'search')}"))
    if use is not None and use.kind == "search" and evidence.galleries:
        largest = evidence.galleries[-1]
        found.append(_tile(f"strangers matched among {largest.gallery_size:,}", largest.fpir))
    return found


def _tile(name: str, e: Estimate) -> Tile:
    if name == NAMES["fmr"]:
        return _one_in(name, e)
    value, low, high = figures.known(e.value, e.low, e.high)
    return name, f"{value}\N{NO-BREAK SPACE}%", f"{low} to {high}\N{NO-BREAK SPACE}%"


def _one_in(name: str, e: Estimate) -> Tile:
    _, low, high = figures.known(e.value, e.low, e.high)
    return name, figures.one_in(e.value), f"{low} to {high}\N{NO-BREAK SPACE}%"
