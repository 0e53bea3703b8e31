"""The key figures of a release, for the top of a report and of the service's page.

By use where labels measured them; else what answers tell, or what is expected, and marked as such.
"""

from __future__ import annotations

from gemel import figures
from gemel.calibrate.goals.use import MEASURES
from gemel.calibrate.rates.intervals import Estimate
from gemel.release.evidence.schema import Evidence
from gemel.release.words.expected import at_prior, expected
from gemel.release.words.unproven import by_closeness

Tile = tuple[str, str, str]
"""What it is, the figure, and its interval or what it is of."""
RIGHT, MISSED = "right matches (precision)", "missed pairs"
NAMES = {
    "f1": "F1",
    "precision": RIGHT,
    "recall": "found pairs (recall)",
    "fmr": "false match rate",
    "fnmr": MISSED,
}
BY_SHARE = ("f1", "precision")
"""Figures that hang on how rare genuine pairs are: told with the records they are of."""
COMPARED = ("precision", "recall")
UNKNOWN = "not known"
LEAST = 0.001
"""No estimate tells a smaller share."""
ESTIMATED = "estimated, not measured"


def tiles(evidence: Evidence) -> list[Tile]:
    """The figures at the threshold of the release, by use: of eval, by answers, or expected."""
    if evidence.unproven:
        return _without_labels(evidence)
    use, at = evidence.goals.use, evidence.eval
    measures, among = MEASURES[use.kind if use else None], expected(evidence)[0].among
    found = [_tile(NAMES[m], getattr(at, m), among if m in BY_SHARE else "") for m in measures]
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


def brief(evidence: Evidence) -> list[Tile]:
    """The two figures that say most: of matches, as the sentence beside them, and of misses."""
    if evidence.unproven:
        return _without_labels(evidence)
    use, at = evidence.goals.use, evidence.eval
    one_to_one = use is not None and use.kind == "verify"
    last = expected(evidence)[-1].precision
    first = _tile("false matches", at.fmr) if one_to_one else _tile("right matches", last)
    return [first, _tile(MISSED, at.fnmr)]


def at_share(evidence: Evidence, prior: float) -> list[Tile]:
    """The figures of one of two releases that are compared, whatever it is for: at one share."""
    return [_tile(NAMES[m], at_prior(evidence.eval, m, prior)) for m in COMPARED]


def _without_labels(evidence: Evidence) -> list[Tile]:
    known, at = evidence.labelled, evidence.eval
    if known is not None:
        missed = _tile(MISSED, at.fnmr)
        unknown = MISSED, UNKNOWN, "these answers do not tell"
        return [_tile(RIGHT, at.precision), missed if known.tells_missed else unknown]
    names = RIGHT, MISSED
    if by_closeness(evidence):
        names = "closer than strangers come by chance", "missed variants of one record"
    rates = at.precision.value, at.fnmr.value
    return [(name, _about(rate), ESTIMATED) for name, rate in zip(names, rates, strict=True)]


def _about(rate: float) -> str:
    return "hardly any" if rate < LEAST else f"about {figures.share(rate, 2)}"


def _tile(name: str, e: Estimate, among: str = "") -> Tile:
    if name == NAMES["fmr"]:
        return _one_in(name, e)
    value, low, high = figures.known(e.value, e.low, e.high)
    of = f"{low} to {high}\N{NO-BREAK SPACE}%{among and ' '}{among}"
    return name, f"{value}\N{NO-BREAK SPACE}%", of


def _one_in(name: str, e: Estimate) -> Tile:
    """A rate as it is said, its limits in the same way."""
    value, low, high = (figures.one_in(rate) for rate in (e.value, e.low, e.high))
    return name, value, f"{low} to {high}"
