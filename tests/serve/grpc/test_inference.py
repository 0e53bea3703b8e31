"""The Open Inference Protocol over gRPC, asked with messages that protoc makes of its own file."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest
from tests.serve.conftest import compiled
from tests.serve.small import DIM, ROWS

import gemel
from gemel.release.release import Release
from gemel.serve.grpc.door import GrpcDoor
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.settings import ServeSettings
from gemel.telemetry import log_to

TEXTS = [json.dumps(row).encode() for row in ROWS]


@pytest.fixture(scope="module")
def served(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    file = Path(__file__).with_name("open_inference_grpc.proto")
    with compiled(file, tmp_path_factory.mktemp("stubs")) as (messages, services):
        front = gemel.create_app(Service(release))
        door = GrpcDoor(front, ServeSettings(grpc_port=0), log_to())
        with running(front, beside=door), grpc.insecure_channel(door.address) as channel:
            yield SimpleNamespace(m=messages, stub=services.GRPCInferenceServiceStub(channel))


def test_it_says_what_it_is(served: SimpleNamespace, release: Release) -> None:
    m, stub = served.m, served.stub
    assert stub.ServerLive(m.ServerLiveRequest()).live
    assert stub.ServerReady(m.ServerReadyRequest()).ready
    assert stub.ModelReady(m.ModelReadyRequest(name="gemel", version=release.id)).ready
    assert stub.ServerMetadata(m.ServerMetadataRequest()).name == "gemel"
    said = stub.ModelMetadata(m.ModelMetadataRequest(name="gemel"))
    assert list(said.versions) == [release.id]
    shapes = {one.name: (one.datatype, list(one.shape)) for one in said.outputs}
    assert shapes["embedding"] == ("FP32", [-1, DIM])
    with pytest.raises(grpc.RpcError) as met:
        stub.ModelReady(m.ModelReadyRequest(name="gemel", version="another"))
    assert met.value.code() == grpc.StatusCode.NOT_FOUND


def asked(m: ModuleType, tensors: dict[str, list[bytes]], *, is_raw: bool, **more: Any) -> Any:
    request = m.ModelInferRequest(model_name="gemel", id="r-1", **more)
    for name, texts in tensors.items():
        tensor = request.inputs.add(name=name, datatype="BYTES", shape=[len(texts)])
        if is_raw:
            packed = b"".join(struct.pack("<I", len(text)) + text for text in texts)
            request.raw_input_contents.append(packed)
        else:
            tensor.contents.bytes_contents.extend(texts)
    request.parameters["priority"].int64_param = 1
    return request


@pytest.mark.parametrize("is_raw", [False, True])
def test_embeddings_and_decisions(served: SimpleNamespace, release: Release, is_raw: bool) -> None:
    m, stub = served.m, served.stub
    reply = stub.ModelInfer(asked(m, {"input": TEXTS}, is_raw=is_raw))
    assert (reply.id, reply.model_version, reply.outputs[0].name) == (
        "r-1",
        release.id,
        "embedding",
    )
    flat = (
        np.frombuffer(reply.raw_output_contents[0], "<f4")
        if is_raw
        else np.array(reply.outputs[0].contents.fp32_contents)
    )
    got = flat.reshape(list(reply.outputs[0].shape))
    np.testing.assert_allclose(got, release.encoder.encode(ROWS), atol=1e-6)
    reply = stub.ModelInfer(asked(m, {"left": TEXTS[:2], "right": TEXTS[:2]}, is_raw=is_raw))
    first = (
        reply.raw_output_contents[0]
        if is_raw
        else b"".join(reply.outputs[0].contents.bytes_contents)
    )
    assert first.count(b"match") == 2 and reply.outputs[0].name == "outcome"


def test_what_does_not_fit_is_refused(served: SimpleNamespace) -> None:
    m, stub = served.m, served.stub
    cut = asked(m, {"input": TEXTS}, is_raw=True)
    cut.raw_input_contents[0] = cut.raw_input_contents[0][:-1]
    number = asked(m, {"input": TEXTS}, is_raw=False)
    number.inputs[0].datatype = "FP32"
    shape = asked(m, {"input": TEXTS}, is_raw=False)
    shape.inputs[0].shape[0] = 3
    wrong = asked(m, {"input": [b"\xff"]}, is_raw=False)
    fewer = asked(m, {"left": TEXTS, "right": TEXTS}, is_raw=True)
    del fewer.raw_input_contents[0]
    for request, word in (
        (cut, "lengths"), (number, "FP32"), (shape, "shape"), (wrong, "UTF-8"), (fewer, "raw"),
        (asked(m, {"other": TEXTS}, is_raw=False), "other"),
        (m.ModelInferRequest(model_name="gemel"), "inputs"),
    ):  # fmt: skip
        with pytest.raises(grpc.RpcError) as met:
            stub.ModelInfer(request)
        assert met.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert word in met.value.details()
