"""Infer: embeddings and decisions in the Open Inference Protocol (version 2, REST).

The model is called `gemel` and its version is the release. An element of a BYTES tensor is an item:
a text, or the JSON text of an object such as a row or an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

import gemel
from gemel.errors import InvalidInput, quoted
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Move, Steps
from gemel.serve.verbs.batches import verify_batch
from gemel.serve.wire.pairs import VerifyBatchBody, VerifyBody
from gemel.serve.wire.vectors import (
    AboutBody,
    Described,
    InferBody,
    InferReply,
    ModelReply,
    Output,
    ServerReply,
    Tensor,
)

MODEL = "gemel"


def infer(context: Context, body: InferBody) -> Steps[InferReply]:
    """Embeddings of `input`, or decisions about `left` and `right`."""
    tensors = {tensor.name: _items(tensor) for tensor in body.inputs}
    if set(tensors) == {"input"}:
        outputs = yield from _embedded(context, tensors["input"])
    elif set(tensors) == {"left", "right"}:
        outputs = yield from _verified(context, tensors["left"], tensors["right"])
    else:
        named = ", ".join(quoted(name) for name in tensors)
        raise InvalidInput(
            f"tensors {named}", where="inputs", hint="send input alone, or left and right"
        )
    asked_id = body.id or context.request_id
    return InferReply(MODEL, context.live.release.id, asked_id, outputs)


def model(context: Context, _: AboutBody) -> Steps[ModelReply]:
    """What the model takes and gives."""
    yield Move("find")
    live, many = context.live, [-1]
    inputs = [Described(name, "BYTES", many) for name in ("input", "left", "right")]
    outputs = [
        Described("embedding", "FP32", [-1, live.encoder.dim]),
        Described("outcome", "BYTES", many),
        Described("score", "FP32", many),
        Described("threshold", "FP32", many),
        Described("decision_id", "BYTES", many),
    ]
    return ModelReply(MODEL, [live.release.id], "gemel_onnx", inputs, outputs)


def server(context: Context, _: AboutBody) -> Steps[ServerReply]:
    """What serves."""
    yield Move("find")
    return ServerReply(MODEL, gemel.__version__, [])


def _items(tensor: Tensor) -> list[Any]:
    """The elements as items.

    Raises:
        InvalidInput: shape and data do not agree, or one is no text.
    """
    place = f"inputs.{tensor.name}"
    size = 1
    for side in tensor.shape:
        size *= side
    if size != len(tensor.data):
        raise InvalidInput(f"shape {tensor.shape} and {len(tensor.data)} elements", where=place)
    return [_item(element, f"{place}.data[{i}]") for i, element in enumerate(tensor.data)]


def _item(element: Any, place: str) -> Any:
    if not isinstance(element, str):
        raise InvalidInput("an element of BYTES is a text", where=place)
    if not element.lstrip().startswith("{"):
        return element
    try:
        return msgspec.json.decode(element)
    except msgspec.DecodeError:
        return element  # a text that begins with a brace


def _embedded(context: Context, items: Sequence[Any]) -> Steps[list[Output]]:
    places = [(f"inputs.input.data[{i}]", item, None) for i, item in enumerate(items)]
    encoded: Encoded = yield Encode(context.live, places)
    rows = encoded.rows
    return [Output("embedding", list(rows.shape), "FP32", rows.ravel().tolist())]


def _verified(context: Context, left: list[Any], right: list[Any]) -> Steps[list[Output]]:
    if len(left) != len(right):
        raise InvalidInput(f"{len(left)} left and {len(right)} right", where="inputs")
    pairs = [VerifyBody(a, b) for a, b in zip(left, right, strict=True)]
    reply = yield from verify_batch(context, VerifyBatchBody(pairs))
    done, shape = reply.results, [len(pairs)]
    return [
        Output("outcome", shape, "BYTES", [one.outcome for one in done]),
        Output("score", shape, "FP32", [one.score for one in done]),
        Output("threshold", shape, "FP32", [one.threshold for one in done]),
        Output("decision_id", shape, "BYTES", [one.decision_id or "" for one in done]),
    ]
