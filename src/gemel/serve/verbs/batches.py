"""Batches: many questions of one kind in one request, each answered as it would be alone.

Their work is done in pieces, so that other requests go between. One bad question refuses the whole
batch, and its place says which.
"""

from __future__ import annotations

from typing import Any

from gemel.gallery.candidates import Hit
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Find, Steps
from gemel.serve.verbs.search import found
from gemel.serve.verbs.verify import decided, question
from gemel.serve.wire.pairs import VerifyBatchBody, VerifyBatchReply, VerifyReply
from gemel.serve.wire.searches import SearchBatchBody, SearchBatchReply

PIECE = 16
"""Questions that are worked on at once."""


def verify_batch(context: Context, body: VerifyBatchBody) -> Steps[VerifyBatchReply]:
    """Of each pair, whether the two are the same."""
    asked = [question(pair, f"pairs[{i}].") for i, pair in enumerate(body.pairs)]
    results: list[VerifyReply] = []
    read: list[Encoded] = []
    for first in range(0, len(asked), PIECE):
        items: list[tuple[str, Any, str | None]] = []
        pairs: list[tuple[int, int]] = []
        for one in asked[first : first + PIECE]:
            pairs += [(len(items) + i, len(items) + j) for i, j in one.pairs]
            items += one.items
        read.append((yield Encode(context.live, items, pairs)))
    # Only now is it known that all can be answered.
    for first, encoded in zip(range(0, len(asked), PIECE), read, strict=True):
        at = scored = 0
        for one in asked[first : first + PIECE]:
            here = encoded.items[at : at + len(one.items)]
            scores = encoded.scores[scored : scored + len(one.pairs)]
            results.append(decided(context, here, one.pairs, scores))
            at, scored = at + len(one.items), scored + len(one.pairs)
    return VerifyBatchReply(results)


def search_batch(context: Context, body: SearchBatchBody) -> Steps[SearchBatchReply]:
    """Of each query, the records most like it."""
    live, gallery = context.live, context.searched
    items = [(f"queries[{i}].query", q.query, q.category) for i, q in enumerate(body.queries)]
    encoded: Encoded = yield Encode(live, items)
    hits: list[list[Hit]] = []
    for first in range(0, len(items), PIECE):
        piece = slice(first, first + PIECE)
        asked = [(query.k, query.where) for query in body.queries[piece]]
        places = [f"queries[{first + at}]" for at in range(len(asked))]
        stage = "" if first else "search"
        hits += yield Find(live, gallery, encoded.rows[piece], asked, stage, places)
    # Only now is it known that all can be answered.
    return SearchBatchReply(
        [
            found(context, item, of_item, query.k)
            for item, of_item, query in zip(encoded.items, hits, body.queries, strict=True)
        ]
    )
