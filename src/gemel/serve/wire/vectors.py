"""Bodies and replies of embeddings, and of the Open Inference Protocol."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gemel.serve.wire.items import MAX_ITEMS, Body, Item

TOGETHER = 8
"""Embeddings that are put into a reply in one go."""
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


class OneModel(Struct):
    """A model, in the shape of OpenAI's API: the release, and when it was built."""

    id: str
    created: Annotated[int, Meta(description="Seconds since 1970, UTC")]
    owned_by: str = "gemel"
    object: str = "model"


class ModelsReply(Struct):
    """The models that there are: one."""

    data: list[OneModel]
    object: str = "list"


class Tensor(Struct):
    """A tensor of the request; `parameters` change nothing."""

    name: str
    shape: list[int]
    datatype: Literal["BYTES"]
    data: Annotated[list[Any], Meta(min_length=1, max_length=MAX_ITEMS)]
    parameters: dict[str, Any] | None = None


class InferBody(Body):
    """One tensor `input` for embeddings, or `left` and `right` for decisions."""

    inputs: Annotated[list[Tensor], Meta(min_length=1, max_length=2)]
    id: str | None = None
    outputs: list[dict[str, Any]] | None = None
    parameters: dict[str, Any] | None = None


class Output(Struct):
    """A tensor of the reply, in row-major order."""

    name: str
    shape: list[int]
    datatype: str
    data: Any


class InferReply(Struct):
    """`embedding`; or `outcome`, `score`, `threshold` and `decision_id` of each pair."""

    model_name: str
    model_version: str
    id: str
    outputs: list[Output]


class Described(Struct):
    """Name, type and shape of a tensor; -1 is any size."""

    name: str
    datatype: str
    shape: list[int]


class ModelReply(Struct):
    """What the model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[Described]
    outputs: list[Described]


class ServerReply(Struct):
    """What serves."""

    name: str
    version: str
    extensions: list[str]


class AboutBody(Body):
    """Which models are there?"""


async def written(reply: EmbeddingsReply) -> list[bytes]:
    """A reply as JSON, in pieces; others go on while many embeddings are put together."""
    if len(reply.data) <= TOGETHER:
        return [_encode(reply)]
    before, after = _encode(msgspec.structs.replace(reply, data=[])).split(b'"data":[]', 1)
    pieces = [before + b'"data":[']
    for start in range(0, len(reply.data), TOGETHER):
        some = _encode(reply.data[start : start + TOGETHER])
        pieces.append(some[1:-1] if start == 0 else b"," + some[1:-1])
        await asyncio.sleep(0)
    return [*pieces, b"]" + after]
