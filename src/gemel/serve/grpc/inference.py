"""The Open Inference Protocol over gRPC: `inference.GRPCInferenceService`, on the verb `infer`.

Structs are its messages, in the order of its field numbers. Whoever sends raw contents gets raw
contents.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated, Any

import numpy as np
from google.protobuf.message import Message
from msgspec import Meta, Struct

from gemel.errors import InvalidInput, NotFound, quoted
from gemel.figures import number_of
from gemel.serve.grpc.exchange import Classes, Handler
from gemel.serve.grpc.messages import EXTRA, File, Method
from gemel.serve.grpc.values import from_reply
from gemel.serve.http.door import Door
from gemel.serve.http.problems import V2
from gemel.serve.http.routes import table
from gemel.serve.http.routes.call import Call, Route
from gemel.serve.verbs.shapes.infer import MODEL
from gemel.serve.wire.vectors import AboutBody, InferBody, InferReply, Tensor

PACKAGE, SERVICE = "inference", "GRPCInferenceService"


def _many(kind: str) -> Any:
    return Annotated[list[Any], Meta(extra={EXTRA: f"repeated {kind}"})]


class Named(Struct):
    """A model and its version; an empty version is any."""

    name: str
    version: str


class Live(Struct):
    """Whether the process answers."""

    live: bool


class Ready(Struct):
    """Whether it takes requests."""

    ready: bool


class ServerMetadata(Struct):
    """What serves."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(Struct):
    """Name, type and shape of a tensor; -1 is any size."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(Struct):
    """What the model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class Parameter(Struct):
    """One of these."""

    bool_param: bool
    int64_param: int
    string_param: str
    double_param: float


class Contents(Struct):
    """The elements of a tensor, in the field of its type."""

    bool_contents: list[bool]
    int_contents: _many("int32")  # type: ignore[valid-type]
    int64_contents: list[int]
    uint_contents: _many("uint32")  # type: ignore[valid-type]
    uint64_contents: _many("uint64")  # type: ignore[valid-type]
    fp32_contents: _many("float")  # type: ignore[valid-type]
    fp64_contents: list[float]
    bytes_contents: list[bytes]


class InputTensor(Struct):
    """A tensor of a request."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Parameter]
    contents: Contents


class RequestedOutput(Struct):
    """An output that is asked for; all are given."""

    name: str
    parameters: dict[str, Parameter]


class Infer(Struct):
    """Tensors of BYTES: `input`, or `left` and `right`."""

    model_name: str
    model_version: str
    id: str
    parameters: dict[str, Parameter]
    inputs: list[InputTensor]
    outputs: list[RequestedOutput]
    raw_input_contents: list[bytes]


class OutputTensor(Struct):
    """A tensor of a reply."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Parameter]
    contents: Contents


class Inferred(Struct):
    """Embeddings or decisions."""

    model_name: str
    model_version: str
    id: str
    parameters: dict[str, Parameter]
    outputs: list[OutputTensor]
    raw_output_contents: list[bytes]


@cache
def file() -> File:
    """The description of the service."""
    methods = (
        Method("ServerLive", None, Live),
        Method("ServerReady", None, Ready),
        Method("ModelReady", Named, Ready),
        Method("ServerMetadata", None, ServerMetadata),
        Method("ModelMetadata", Named, ModelMetadata),
        Method("ModelInfer", Infer, Inferred),
    )
    return File(PACKAGE, SERVICE, methods)


def handlers(door: Door, classes: Classes) -> Iterator[Handler]:
    """The methods of the service."""
    routes = {(route.method, route.label): route for route in table.TABLE}
    infers, about = routes["POST", f"{table.MODEL}/infer"], AboutBody()
    infer = door.answer_to(infers)

    def told(name: str, took: str, route: Route, gave: str, body: Any = None) -> Handler:
        """A method that says what a route of HTTP says."""
        ask = door.answer_to(route)

        async def answer(call: Call, message: Any) -> Message:
            if "name" in message.DESCRIPTOR.fields_by_name:
                _check(message.name, message.version, door.release_id)
            return from_reply(await ask(call, body), classes[gave])

        return Handler(name, route, classes[took], answer)

    def wanted(message: Any) -> tuple[InferBody, bool]:
        """What is asked, and whether contents are raw."""
        _check(message.model_name, message.model_version, door.release_id)
        return asked(message), bool(message.raw_input_contents)

    async def inferred(call: Call, found: tuple[InferBody, bool]) -> Message:
        body, is_raw = found
        reply = classes["Inferred"]()
        _fill(reply, await infer(call, body), is_raw=is_raw)
        return reply

    yield told("ServerLive", "ServerLiveRequest", table.V2_LIVE, "Live")
    yield told("ServerReady", "ServerReadyRequest", table.V2_READY, "Ready")
    yield told("ModelReady", "Named", table.V2_MODEL_READY, "Ready")
    server, model = routes["GET", V2], routes["GET", table.MODEL]
    yield told("ServerMetadata", "ServerMetadataRequest", server, "ServerMetadata", about)
    yield told("ModelMetadata", "Named", model, "ModelMetadata", about)
    yield Handler("ModelInfer", infers, classes["Infer"], inferred, wanted)


def _check(name: str, version: str, release: str) -> None:
    """Return if the model of that name and version is served.

    Raises:
        NotFound: it is not.
    """
    if name != MODEL or version not in ("", release):
        what = f"no model {quoted(name)}" + (f", version {quoted(version)}" if version else "")
        raise NotFound(what, hint=f"the model is {MODEL}, its version the release that is live")


def asked(message: Any) -> InferBody:
    """What a request asks of the verb.

    Raises:
        InvalidInput: a tensor is not of BYTES, has no elements, or they are no texts.
    """
    raw = list(message.raw_input_contents)
    if not message.inputs or (raw and len(raw) != len(message.inputs)):
        what = (
            f"{number_of(len(message.inputs), 'tensor')} and {number_of(len(raw), 'raw content')}"
        )
        raise InvalidInput(what, where="inputs", hint="send input alone, or left and right")
    tensors = []
    for i, tensor in enumerate(message.inputs):
        place = f"inputs.{tensor.name[:60]}"
        if tensor.datatype != "BYTES":
            raise InvalidInput(
                f"datatype {quoted(tensor.datatype)}", where=place, hint="send BYTES"
            )
        sent = _elements(raw[i], place) if raw else tensor.contents.bytes_contents
        try:
            texts = [element.decode() for element in sent]
        except UnicodeDecodeError as e:
            raise InvalidInput("an element of BYTES is a text in UTF-8", where=place) from e
        tensors.append(Tensor(tensor.name, list(tensor.shape), "BYTES", texts))
    return InferBody(tensors, message.id or None)


def _fill(message: Any, reply: InferReply, *, is_raw: bool) -> None:
    """Write a reply into its message."""
    message.model_name, message.model_version = reply.model_name, reply.model_version
    message.id = reply.id
    for output in reply.outputs:
        tensor = message.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        if is_raw:
            message.raw_output_contents.append(_raw(output.datatype, output.data))
        elif output.datatype == "FP32":
            tensor.contents.fp32_contents.extend(output.data)
        else:
            tensor.contents.bytes_contents.extend(text.encode() for text in output.data)


def _raw(datatype: str, data: Sequence[Any]) -> bytes:
    if datatype == "FP32":
        return np.asarray(data, "<f4").tobytes()
    texts = [text.encode() for text in data]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _elements(raw: bytes, place: str) -> Iterator[bytes]:
    """Elements of BYTES, each behind its length.

    Raises:
        InvalidInput: a length does not fit.
    """
    at = 0
    while at < len(raw):
        end = at + 4 + int.from_bytes(raw[at : at + 4], "little")
        if at + 4 > len(raw) or end > len(raw):
            raise InvalidInput("the lengths of raw contents do not fit", where=place)
        yield raw[at + 4 : end]
        at = end
