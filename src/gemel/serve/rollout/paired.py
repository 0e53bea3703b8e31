"""What differs between two replies to the same request: the decision, the hits, the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gemel.serve.wire.pairs import VerifyReply
from gemel.serve.wire.searches import ClassifyReply, IdentifyReply, SearchReply

NOTHING = ("no_match", "unknown")


@dataclass(frozen=True)
class Difference:
    """Of a candidate's reply from that of stable.

    Attributes:
        counts: at least one of them found something; that both find nothing is no evidence, or a
            candidate that never finds anything would look good where matches are rare.
        flipped: they decide differently.
        overlap: share of stable's hits that the candidate has too; None without hits.
        shift: candidate's score minus stable's; None where there is none to compare.
    """

    counts: bool
    flipped: bool
    overlap: float | None = None
    shift: float | None = None


def decided(reply: Any) -> str | None:
    """What a reply decides, of a search by its best hit; None where it decides nothing."""
    match reply:
        case VerifyReply() | IdentifyReply() | ClassifyReply():
            return reply.outcome
        case SearchReply():
            return reply.hits[0].decision if reply.hits else "no_match"
    return None


def difference(stable: Any, candidate: Any) -> Difference | None:
    """What differs; None for replies that decide nothing."""
    match stable, candidate:
        case VerifyReply(), VerifyReply():
            shift = candidate.score - stable.score
            return _of((stable.outcome, None), (candidate.outcome, None), shift=shift)
        case SearchReply(), SearchReply():
            return _hits(stable, candidate)
        case IdentifyReply(), IdentifyReply():
            return _of((stable.outcome, stable.record), (candidate.outcome, candidate.record))
        case ClassifyReply(), ClassifyReply():
            return _of((stable.outcome, stable.label), (candidate.outcome, candidate.label))
    return None


def _of(
    stable: tuple[str, Any], candidate: tuple[str, Any], shift: float | None = None
) -> Difference:
    counts = stable[0] not in NOTHING or candidate[0] not in NOTHING
    return Difference(counts, stable != candidate, shift=shift)


def _hits(stable: SearchReply, candidate: SearchReply) -> Difference:
    """Of two searches: the best hit decides; another one of those that match is as good."""
    replies = (stable, candidate)
    best = [decided(reply) for reply in replies]
    matches = [{h.id for h in reply.hits if h.decision == "match"} for reply in replies]
    flipped = best[0] != best[1] or (best[0] == "match" and not matches[0] & matches[1])
    ids = [{hit.id for hit in reply.hits} for reply in replies]
    overlap = len(ids[0] & ids[1]) / len(ids[0]) if ids[0] else None
    both = stable.hits and candidate.hits
    shift = candidate.hits[0].score - stable.hits[0].score if both else None
    return Difference(any(b != "no_match" for b in best), flipped, overlap, shift)
