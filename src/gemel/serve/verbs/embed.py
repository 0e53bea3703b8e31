"""Embed: what the encoder makes of items."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from gemel.errors import InvalidInput
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Move, Steps
from gemel.serve.verbs.wire import MAX_ITEMS, Body, Item

FEW = 8
"""Items up to which the reply is written where they were encoded."""
_encode = msgspec.json.Encoder().encode


class EmbeddingsBody(Body):
    """Payloads to embed, in the shape of OpenAI's API; `model` and `user` change nothing."""

    input: Item | Annotated[list[Item], Meta(min_length=1, max_length=MAX_ITEMS)]
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None


class Embedding(Struct):
    """One embedding: d floats, or their little-endian float32 bytes in base64."""

    index: int
    embedding: Annotated[list[float] | str, Meta(extra={"protobuf": "repeated float"})]
    object: str = "embedding"


class Usage(Struct):
    """Kept for clients of OpenAI's API: payloads are counted, not tokens."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsReply(Struct):
    """Embeddings in the order of the input."""

    data: list[Embedding]
    model: str
    usage: Usage
    object: str = "list"


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
