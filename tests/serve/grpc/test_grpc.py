"""The service over gRPC, asked by stubs that protoc makes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import json_format, struct_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.serve import small
from tests.serve.small import ROWS

import gemel
from gemel.errors import ConfigError
from gemel.gallery.gallery import Gallery
from gemel.release.release import Release
from gemel.serve.access.access import Access
from gemel.serve.access.keys import add
from gemel.serve.grpc import door as doors
from gemel.serve.grpc import native, text
from gemel.serve.grpc.door import GrpcDoor
from gemel.serve.http.server import bind, running
from gemel.serve.service import Service
from gemel.settings import ServeSettings
from gemel.telemetry import log_to


def value(item: Any) -> struct_pb2.Value:
    return json_format.ParseDict(item, struct_pb2.Value())


ANNA, BERT = value(ROWS[0]), value(ROWS[1])
SETTINGS = ServeSettings(grpc_port=0, max_body_bytes=100_000)


@pytest.fixture(scope="module")
def served(
    release: Release, stubs: tuple[ModuleType, ModuleType], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("gallery")
    messages, services = stubs
    with Gallery.open(folder, space_id=release.space_id, dim=small.DIM) as gallery:
        service = Service(release, gallery)
        front = gemel.create_app(service, SETTINGS)
        door = GrpcDoor(front, SETTINGS, log_to())
        with running(front, beside=door), grpc.insecure_channel(door.address) as channel:
            yield SimpleNamespace(
                m=messages, stub=services.GemelStub(channel), channel=channel, service=service
            )


def test_the_file_describes_what_is_served(stubs: tuple[ModuleType, ModuleType]) -> None:
    file = native.file()
    assert text.text(file) == native.PROTO.read_text(), "run docs/generate.py"
    theirs = type(file.proto)()
    stubs[0].DESCRIPTOR.CopyToProto(theirs)
    theirs.name = file.proto.name
    assert theirs == file.proto


def test_a_field_keeps_its_number() -> None:
    written = native.PROTO.read_text().replace("optional double score = 2;", "", 1)
    assert text.numbers(text.text(native.file(written)))["VerifyReply"]["score"] == 18
    kept = text.numbers(native.PROTO.read_text())["VerifyReply"]
    assert (kept["outcome"], kept["score"], kept["unproven"]) == (1, 2, 12)


def test_a_program_decides_enrolls_and_searches(served: SimpleNamespace, release: Release) -> None:
    m, stub = served.m, served.stub
    reply, call = stub.Verify.with_call(
        m.VerifyRequest(left=ANNA, right=ANNA), metadata=[("x-request-id", "mine-1")]
    )
    assert (reply.outcome, reply.release) == ("match", release.id)
    assert reply.HasField("probability") and not reply.HasField("rule")
    said = dict(call.trailing_metadata())
    assert (said["x-request-id"], said["x-gemel-release"]) == ("mine-1", release.id)
    assert "encode;dur=" in said["server-timing"]
    new = [m.NewRecord(id=f"p/{i}", payload=value(row)) for i, row in enumerate(ROWS)]
    assert stub.Enroll(m.RecordsRequest(records=new)).added == len(ROWS)
    assert stub.Count(m.CountRequest()).count == len(ROWS)
    hit = stub.Search(m.SearchRequest(query=BERT, k=1, where={"born": value(1951)})).hits[0]
    assert (hit.id, hit.rank, hit.attributes["first"].string_value) == ("p/1", 1, "bert1")
    assert stub.Get(m.IdRequest(id="p/1")).attributes["born"].number_value == 1951
    made = stub.Embed(m.EmbeddingsRequest(input=value(ROWS)))
    rows = np.array([one.embedding for one in made.data])
    np.testing.assert_allclose(rows, release.encoder.encode(ROWS), atol=1e-6)
    assert stub.Delete(m.IdsRequest(ids=["p/0", "nobody"])).deleted == 1
    assert stub.Release(m.ReleaseRequest()).release == release.id
    long = value({"first": "x" * 70_000})
    assert stub.Verify(m.VerifyRequest(left=long, right=ANNA)).score < 1, "read aside"


def refused(call: Any) -> tuple[grpc.StatusCode, dict[str, Any]]:
    with pytest.raises(grpc.RpcError) as met:
        call()
    told = dict(met.value.trailing_metadata()).get("gemel-problem-bin", b"{}")
    return met.value.code(), json.loads(told)


def test_errors_are_those_of_http(served: SimpleNamespace) -> None:
    m, stub, Code = served.m, served.stub, grpc.StatusCode
    code, told = refused(lambda: stub.Verify(m.VerifyRequest(left=ANNA, right=value({"x": 1}))))
    assert (code, told["code"], told["where"]) == (
        Code.INVALID_ARGUMENT, "invalid_input", "right.x",
    )  # fmt: skip
    code, told = refused(lambda: stub.Verify(m.VerifyRequest(left=ANNA)))
    assert code == Code.INVALID_ARGUMENT and "right" in told["detail"]
    code, told = refused(lambda: stub.Search(m.SearchRequest(query=ANNA, k=0)))
    assert (code, told["where"]) == (Code.INVALID_ARGUMENT, "k")
    for number in (float("inf"), float("-inf"), float("nan")):
        odd = value(ROWS[1])
        odd.struct_value.fields["born"].number_value = number
        code, told = refused(lambda odd=odd: stub.Verify(m.VerifyRequest(left=odd, right=ANNA)))
        assert (code, told["where"]) == (Code.INVALID_ARGUMENT, "born"), "no value is none"
    code, told = refused(lambda: stub.Get(m.IdRequest(id="nobody")))
    assert (code, told["code"]) == (Code.NOT_FOUND, "unknown_record")
    verdict = m.VerdictRequest(decision_id="0" * 32, genuine=False)
    assert refused(lambda: stub.Verdict(verdict))[0] == Code.FAILED_PRECONDITION
    asked = m.EmbeddingsRequest(input=ANNA, encoding_format="base64")
    assert refused(lambda: stub.Embed(asked))[1]["where"] == "encoding_format"
    large = m.VerifyRequest(left=value("x" * 100_001), right=ANNA)
    assert refused(lambda: stub.Verify(large))[0] == Code.RESOURCE_EXHAUSTED
    raw = served.channel.unary_unary("/gemel.v1.Gemel/Verify")
    assert refused(lambda: raw(b"\xff\xff"))[1]["code"] == "malformed_json"
    deep = b""
    for tag in b"\x0a\x32" * 5000 + b"\x0a":  # a list of a list of a list...
        n = len(deep)
        deep = bytes([tag, n & 127 | 128, n >> 7 & 127 | 128, n >> 14]) + deep
    assert refused(lambda: raw(deep))[1]["code"] == "malformed_json"
    sample = 'gemel_requests_total{route="/v1/verify",status="422"}'
    assert sample.encode() in served.service.metrics.text()


def test_a_caller_waits_as_long_as_it_says(served: SimpleNamespace) -> None:
    """While the encoder is busy, a call that ends before its turn leaves the queue."""
    m, stub = served.m, served.stub
    going, entered = threading.Event(), threading.Event()
    live = served.service.pick()
    encode = live.encoder.encode

    def slow(*args: Any, **kwargs: Any) -> Any:
        entered.set()
        going.wait(10)
        return encode(*args, **kwargs)

    live.encoder.encode = slow
    try:
        first = stub.Verify.future(m.VerifyRequest(left=value({"first": "slow"}), right=ANNA))
        assert entered.wait(10)
        code, _ = refused(lambda: stub.Verify(m.VerifyRequest(left=ANNA, right=BERT), timeout=0.1))
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    finally:
        going.set()
        live.encoder.encode = encode
    assert first.result(10).outcome


def test_a_port_that_is_taken_is_an_error_with_a_hint(release: Release) -> None:
    with bind("127.0.0.1", 0) as sock:
        said = ServeSettings(grpc_port=sock.getsockname()[1])
        front = gemel.create_app(Service(release), said)
        door = GrpcDoor(front, said, log_to())
        with pytest.raises(ConfigError, match="cannot listen"), running(front, beside=door):
            pass


@pytest.mark.parametrize("said", [b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"])
def test_a_connection_without_calls_is_closed(
    release: Release, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(doors, "IDLE_MS", 300)
    monkeypatch.setattr(doors, "HELLO_MS", 300)
    front = gemel.create_app(Service(release), SETTINGS)
    door = GrpcDoor(front, SETTINGS, log_to())
    with running(front, beside=door):
        host, _, port = door.address.rpartition(":")
        with socket.create_connection((host, int(port)), 10) as silent:
            silent.sendall(said)
            while silent.recv(4096):
                pass


def test_probes_ask_for_health(served: SimpleNamespace) -> None:
    health = health_pb2_grpc.HealthStub(served.channel)
    for name in ("", "gemel.v1.Gemel", "inference.GRPCInferenceService"):
        reply = health.Check(health_pb2.HealthCheckRequest(service=name))
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
    asked = health_pb2.HealthCheckRequest(service="other")
    assert refused(lambda: health.Check(asked))[0] == grpc.StatusCode.NOT_FOUND


def test_keys_are_those_of_http(
    release: Release, stubs: tuple[ModuleType, ModuleType], tmp_path: Any
) -> None:
    m, services = stubs
    _, reader = add(tmp_path / "keys", "ann", "reader", days=1, now=datetime.now(UTC))
    front = gemel.create_app(Service(release), SETTINGS, access=Access(tmp_path / "keys"))
    door = GrpcDoor(front, SETTINGS, log_to())
    with running(front, beside=door), grpc.insecure_channel(door.address) as channel:
        stub = services.GemelStub(channel)
        asked = m.VerifyRequest(left=ANNA, right=ANNA)
        mine = [("authorization", f"Bearer {reader}")]
        assert stub.Verify(asked, metadata=mine).outcome == "match"
        code, told = refused(lambda: stub.Verify(asked))
        assert (code, told["code"]) == (grpc.StatusCode.UNAUTHENTICATED, "unauthenticated")
        wrong = [("authorization", "Bearer no")]
        assert refused(lambda: stub.Verify(asked, metadata=wrong))[1]["status"] == 401
        new = m.IdsRequest(ids=["a"])
        code, told = refused(lambda: stub.Delete(new, metadata=mine))
        assert (code, told["status"]) == (grpc.StatusCode.PERMISSION_DENIED, 403)
