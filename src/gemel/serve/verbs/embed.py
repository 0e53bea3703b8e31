"""Embed: what the encoder makes of items."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from msgspec import Raw

from gemel.errors import InvalidInput
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Move, Steps
from gemel.serve.wire.vectors import Embedding, EmbeddingsBody, EmbeddingsReply, Usage

FEW = 8
"""Items up to which the reply is written where they were encoded."""
_encode = msgspec.json.Encoder().encode


def embed(context: Context, body: EmbeddingsBody) -> Steps[EmbeddingsReply]:
    """Embeddings in the shape of OpenAI's API."""
    live, dim = context.live, context.live.encoder.dim
    if body.dimensions not in (None, dim):
        what = f"embeddings have {dim} dimensions, not {body.dimensions}"
        raise InvalidInput(what, where="dimensions", hint="leave it out")
    if isinstance(body.input, list):
        items = [(f"input[{i}]", item, None) for i, item in enumerate(body.input)]
    else:
        items = [("input", body.input, None)]
    encoded: Encoded = yield Encode(live, items)
    if len(items) > FEW:
        yield Move("read")
    # Floats are written row by row: all of them at once would hold up everything else.
    packed: list[Any] = (
        [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in encoded.rows]
        if body.encoding_format == "base64"
        else [Raw(_encode(row.tolist())) for row in encoded.rows]
    )
    data = [Embedding(i, embedding) for i, embedding in enumerate(packed)]
    return EmbeddingsReply(data, live.release.id, Usage(len(items), len(items)))
