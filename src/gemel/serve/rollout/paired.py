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
        searched: among records, where two encoders that are equally good find other strangers.
        missed: of a search, the candidate finds nothing where stable finds something, or another
            record; False the other way round, None where neither is so.
    """

    counts: bool
    flipped: bool
    overlap: float | None = None
    shift: float | None = None
    searched: bool = False
    missed: bool | None = None


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
            shift, both = candidate.score - stable.score, (stable.outcome, candidate.outcome)
            counts = any(outcome not in NOTHING for outcome in both)
            return Difference(counts, both[0] != both[1], shift=shift)
        case SearchReply(), SearchReply():
            return _hits(stable, candidate)
        case IdentifyReply(), IdentifyReply():
            return _found(stable, candidate, ({stable.record}, {candidate.record}))
        case ClassifyReply(), ClassifyReply():
            return _found(stable, candidate, ({stable.label}, {candidate.label}))
    return None


def _found(
    stable: Any,
    candidate: Any,
    answers: tuple[set[Any], set[Any]],
    overlap: float | None = None,
    shift: float | None = None,
) -> Difference:
    """Of two searches: what is decided, and of whom; another one that was found is as good."""
    outcomes = decided(stable), decided(candidate)
    finds = [outcome not in NOTHING for outcome in outcomes]
    missed = None if finds[0] == finds[1] else finds[0]
    known = [answer - {None} for answer in answers]  # of one that may be several, nobody is named
    if all(finds) and all(known) and not known[0] & known[1]:
        missed = True
    flipped = outcomes[0] != outcomes[1] or missed is not None
    return Difference(any(finds), flipped, overlap, shift, searched=True, missed=missed)


def _hits(stable: SearchReply, candidate: SearchReply) -> Difference:
    replies = (stable, candidate)
    found = [{h.id for h in reply.hits if h.decision not in NOTHING} for reply in replies]
    ids = [{hit.id for hit in reply.hits} for reply in replies]
    overlap = len(ids[0] & ids[1]) / len(ids[0]) if ids[0] else None
    both = stable.hits and candidate.hits
    shift = candidate.hits[0].score - stable.hits[0].score if both else None
    return _found(stable, candidate, (found[0], found[1]), overlap, shift)
