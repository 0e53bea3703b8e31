"""Search: who in the gallery is most like an item?"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from gemel.gallery.candidates import Hit
from gemel.ledger.bodies import Searched
from gemel.release.for_set import kind
from gemel.release.items import Read
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Find, Steps, unfit
from gemel.serve.wire.searches import HitReply, SearchBody, SearchReply


def search(context: Context, body: SearchBody) -> Steps[SearchReply]:
    """The records most like an item, each with the decision about it."""
    live, gallery = context.live, context.searched
    encoded: Encoded = yield Encode(live, [("query", body.query, body.category)])
    (hits,) = yield Find(live, gallery, encoded.rows, [(body.k, body.where)])
    (query,) = encoded.items
    return found(context, query, hits, body.k)


def found(context: Context, query: Read, hits: Sequence[Hit], k: int) -> SearchReply:
    """The reply to one query, counted and noted.

    Args:
        context: of the request.
        query: as it was read.
        hits: of the gallery, best first.
        k: how many were asked for.
    """
    live, policy, release = context.live, context.live.policy, context.live.release
    size, replies = context.gallery.count(), []
    for rank, hit in enumerate(hits, 1):
        category = query.category, live.items.category(hit.attributes)
        decision = policy.identify(hit.score, size, category)
        decision = policy.ruled(decision, query.payload, hit.attributes)
        replies.append(
            HitReply(
                id=hit.id,
                score=hit.score,
                probability=decision.probability,
                decision=decision.outcome,
                threshold=decision.threshold,
                release=release.id,
                rank=rank,
                attributes=hit.attributes,
                category=decision.category,
                interval=decision.interval,
                rule=decision.rule,
                probability_is=kind(release, decision.probability),
            )
        )
    best = replies[0] if replies else None
    context.books.count("search", best.decision if best else "no_match")
    noted = Searched(
        hits=len(replies),
        matches=sum(hit.decision == "match" for hit in replies),
        best=(context.masked(best.id), best.score, best.decision) if best else None,
        k=k,
    )
    noted_as = context.note("search", noted)
    outside = live.items.outside(query.payload) or UNSET
    return SearchReply(
        replies,
        release.id,
        release.space_id,
        noted_as,
        live.mark,
        policy.prior,
        outside,
        not_compared(context, query, hits[:1]) or UNSET,
        UNSET if best is None or best.decision == "no_match" else live.of_gallery or UNSET,
        unfit([query]),
    )


def not_compared(context: Context, query: Read, hits: Sequence[Hit]) -> list[str]:
    """Fields that the query leaves empty and one of the hits has."""
    fields = [field.name for field in context.live.encoder.prepare.fields]
    empty = [name for name in fields if query.payload.get(name) is None]
    return [name for name in empty if any(hit.attributes.get(name) is not None for hit in hits)]
