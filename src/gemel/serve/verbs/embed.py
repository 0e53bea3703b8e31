"""Embed: what the encoder makes of items."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw

from gemel.arrays import Float32
from gemel.errors import InvalidInput
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Move, Steps
from gemel.serve.wire.vectors import Embedding, EmbeddingsBody, EmbeddingsReply, Usage

FEW = 8
"""Items up to which the reply is written where they were encoded."""
STRIDE = 16
"""Rows of more that are written in one go: others that wait come in between."""
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
    written, data = _packed if body.encoding_format == "base64" else _listed, []
    for start in range(0, len(items), STRIDE):
        if len(items) > FEW:
            yield Move("read")
        for i, row in enumerate(encoded.rows[start : start + STRIDE], start):
            data.append(Embedding(i, written(row)))
    return EmbeddingsReply(data, live.release.id, Usage(len(items), len(items)))


def rows(context: Context, items: Sequence[Any]) -> Steps[Float32]:
    """The embeddings themselves, for who asks in Python: no body, no reply."""
    if not len(items):
        return np.zeros((0, context.live.encoder.dim), np.float32)
    encoded: Encoded = yield Encode(
        context.live, [(f"input[{i}]", item, None) for i, item in enumerate(items)]
    )
    return encoded.rows


def _packed(row: Float32) -> str:
    """An embedding as base64."""
    return base64.b64encode(row.astype("<f4").tobytes()).decode()


def _listed(row: Float32) -> Any:
    """An embedding as JSON, written now: all of them at once would hold up everything else."""
    return Raw(_encode(row.tolist()))
