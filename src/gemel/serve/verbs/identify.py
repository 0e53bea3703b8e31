"""Identify: who in the gallery is an item, or is it nobody?"""

from __future__ import annotations

import math
from typing import Any, Literal

from msgspec import Struct

from gemel.ledger.bodies import Identified
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Move, Steps
from gemel.serve.verbs.wire import Body, CategoryOfQuery, Item, Where

K = 10
"""Candidates that are scored exactly before the best one is decided about."""


class IdentifyBody(Body):
    """Who in the gallery is this one, or nobody?"""

    query: Item
    where: Where = None
    category: CategoryOfQuery = None


class IdentifyReply(Struct):
    """Who it is; the record is null for `unknown`, the score for an empty gallery."""

    outcome: Literal["match", "review", "unknown"]
    record: str | None
    attributes: dict[str, Any] | None
    score: float | None
    threshold: float
    probability: float | None
    gallery_size: int
    largest_gallery: int | None
    release: str
    space: str
    decision_id: str | None


def identify(context: Context, body: IdentifyBody) -> Steps[IdentifyReply]:
    """Who the best candidate says it is; nobody if it does not match."""
    live, gallery = context.live, context.gallery
    encoded: Encoded = yield Encode(live, [("query", body.query, body.category)])
    yield Move("find", "search")
    (query,), policy = encoded.items, live.policy
    (hits,) = gallery.search(encoded.rows, K, body.where, comparator=live.comparator)
    size, best = gallery.count(), hits[0] if hits else None
    category = query.category, None if best is None else live.items.category(best.attributes)
    decision = policy.identify(-math.inf if best is None else best.score, size, category)
    if best is not None:
        decision = policy.ruled(decision, query.payload, best.attributes)
    known = best if decision.outcome != "no_match" else None
    context.books.count("identify", decision.outcome)
    reply = IdentifyReply(
        outcome="unknown" if decision.outcome == "no_match" else decision.outcome,
        record=None if known is None else known.id,
        attributes=None if known is None else known.attributes,
        score=None if best is None else best.score,
        threshold=decision.threshold,
        probability=None if best is None else decision.probability,
        gallery_size=size,
        largest_gallery=policy.largest_gallery,
        release=live.release.id,
        space=live.release.space_id,
        decision_id=None,
    )
    entry = Identified(
        outcome=reply.outcome,
        record=reply.record,
        score=reply.score,
        threshold=reply.threshold,
        probability=reply.probability,
        gallery_size=reply.gallery_size,
    )
    reply.decision_id = context.note("identify", entry)
    return reply
