"""Rerank: which documents are most like a query, in the shape of Cohere's API (v2)."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from gemel.decide.bands import Outcome
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Steps
from gemel.serve.verbs.wire import MAX_ITEMS, Body, Item

PIECE = 31
"""Documents that are compared at once, beside the query."""


class RerankBody(Body):
    """A query and documents; `model` and `max_tokens_per_doc` change nothing."""

    query: Item
    documents: Annotated[list[Item], Meta(min_length=1, max_length=MAX_ITEMS)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    model: str | None = None
    max_tokens_per_doc: int | None = None


class Ranked(Struct):
    """A document by its place in the request.

    `relevance_score` is the probability that the two are the same where the release gives one, else
    the score; the other fields are those of `/v1/verify`.
    """

    index: int
    relevance_score: float
    score: float
    decision: Outcome
    threshold: float


class RerankReply(Struct):
    """Documents, best first."""

    id: str
    results: list[Ranked]
    meta: dict[str, Any]


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
