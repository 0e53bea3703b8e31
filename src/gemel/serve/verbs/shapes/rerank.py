"""Rerank: which documents are most like a query, in the shape of Cohere's API (v2)."""

from __future__ import annotations

from typing import Any

from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Steps
from gemel.serve.wire.pairs import Ranked, RerankBody, RerankReply

PIECE = 31
"""Documents that are compared at once, beside the query."""


def rerank(context: Context, body: RerankBody) -> Steps[RerankReply]:
    """The documents most like a query, each with the decision about it."""
    live, policy, results = context.live, context.live.policy, list[Ranked]()
    for first in range(0, len(body.documents), PIECE):
        some = body.documents[first : first + PIECE]
        items: list[tuple[str, Any, str | None]] = [("query", body.query, None)]
        items += [(f"documents[{first + i}]", document, None) for i, document in enumerate(some)]
        pairs = [(0, i) for i in range(1, len(items))]
        encoded: Encoded = yield Encode(live, items, pairs)
        query, *documents = encoded.items
        for i, (document, score) in enumerate(zip(documents, encoded.scores, strict=True)):
            decision = policy.decide(score, (query.category, document.category))
            decision = policy.ruled(decision, query.payload, document.payload)
            chance = decision.probability
            relevance = score if chance is None else chance
            ranked = Ranked(first + i, relevance, score, decision.outcome, decision.threshold)
            results.append(ranked)
    results.sort(key=lambda one: -one.score)
    meta = {"api_version": {"version": "2"}, "release": live.release.id}
    return RerankReply(context.request_id, results[: body.top_n], meta)
