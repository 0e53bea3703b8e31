"""Traces, as a receiver of OTLP gets them: protobuf over HTTP."""

from __future__ import annotations

import gzip
import io
import json
import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format, struct_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.serve.small import ROWS

from gemel.errors import ConfigError
from gemel.release.release import Release
from gemel.serve.grpc.door import GrpcDoor
from gemel.serve.http.app import create_app
from gemel.serve.http.server import bind, running
from gemel.serve.service import Service
from gemel.serve.traces import Traces, Unsent
from gemel.settings import ServeSettings
from gemel.telemetry import ATTRIBUTES, EVENTS, STAGES, log_to

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, NOT_SAMPLED = (f"00-{TRACE}-{PARENT}-{flag}" for flag in ("01", "00"))
VERIFY = {"left": ROWS[0], "right": ROWS[1]}


class Receiver:
    """What came."""

    def __init__(self) -> None:
        self.came: queue.Queue[ExportTraceServiceRequest] = queue.Queue()
        self.bytes = b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    sent = gzip.decompress(sent)
                assert self.path == "/v1/traces"
                outer.bytes += sent
                outer.came.put(ExportTraceServiceRequest.FromString(sent))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def spans(self) -> list[Span]:
        """Of everything that came, when the service has ended."""
        found: list[Span] = []
        while not self.came.empty():
            for one in self.came.get().resource_spans:
                names = {pair.key: pair.value.string_value for pair in one.resource.attributes}
                assert names["service.name"] == "gemel"
                found += [span for scope in one.scope_spans for span in scope.spans]
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


@contextmanager
def served(release: Release, url: str, ratio: float = 0.0) -> Iterator[tuple[str, GrpcDoor]]:
    settings = ServeSettings(grpc_port=0, traces_to=url, trace_ratio=ratio)
    front = create_app(Service(release), settings, log=log_to(level="critical"))
    door = GrpcDoor(front, settings, log_to())
    with running(front, beside=door) as address:
        yield address, door


def said(span: Span) -> dict[str, Any]:
    read = {"string_value": lambda v: v.string_value, "int_value": lambda v: v.int_value}
    return {p.key: read[p.value.WhichOneof("value")](p.value) for p in span.attributes}


def test_a_trace_goes_on_through_http_and_grpc_with_a_span_for_each_stage(
    release: Release, receiver: Receiver, stubs: tuple[ModuleType, ModuleType]
) -> None:
    messages, services = stubs
    with served(release, receiver.url) as (url, door), httpx.Client(base_url=url) as client:
        reply = client.post("/v1/verify", json=VERIFY, headers={"traceparent": SAMPLED})
        with grpc.insecure_channel(door.address) as channel:
            left = json_format.ParseDict(ROWS[0], struct_pb2.Value())
            asked = messages.VerifyRequest(left=left, right=left)
            services.GemelStub(channel).Verify(asked, metadata=[("traceparent", SAMPLED)])
        client.post("/v1/verify", json=VERIFY)
        client.post("/v1/verify", json=VERIFY, headers={"traceparent": NOT_SAMPLED})
        client.post("/v1/verify", json=VERIFY, headers={"traceparent": "nonsense"})
        figures = client.get("/metrics", headers={"accept": "application/openmetrics-text"})
        assert f'# {{trace_id="{TRACE}"}}' in figures.text, "an exemplar"
        assert figures.headers["content-type"].startswith("application/openmetrics-text")
        assert "trace_id" not in client.get("/metrics").text
    spans = receiver.spans()
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    whole = {span.name: span for span in spans if span.parent_span_id.hex() == PARENT}
    assert set(whole) == {"POST /v1/verify", "gemel.v1.Gemel/Verify"}
    for top in whole.values():
        assert set(said(top)) <= set(ATTRIBUTES) and top.kind == Span.SPAN_KIND_SERVER
        assert said(top)["gemel.release"] == release.id[:12]
        stages = [span for span in spans if span.parent_span_id == top.span_id]
        assert [span.name for span in stages] == ["gemel.queue", "gemel.encode"]
        assert {span.name.removeprefix("gemel.") for span in stages} <= set(STAGES)
        for span in stages:
            assert top.start_time_unix_nano <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= top.end_time_unix_nano
    # The header of the reply and the spans are of one measurement.
    timing = dict(part.split(";dur=") for part in reply.headers["server-timing"].split(", "))
    top = whole["POST /v1/verify"]
    for span in spans:
        if span.parent_span_id == top.span_id:
            ms = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
            assert ms == pytest.approx(float(timing[span.name.removeprefix("gemel.")]), abs=0.006)
    assert b"anna0" not in receiver.bytes and b"hansen" not in receiver.bytes


def test_what_fails_is_always_traced(release: Release, receiver: Receiver) -> None:
    with served(release, receiver.url) as (url, _), httpx.Client(base_url=url) as client:
        assert client.post("/v1/verify", json={}).status_code == 422
        hurried = {"x-gemel-timeout-ms": "1", "traceparent": NOT_SAMPLED}
        while client.post("/v1/verify", json=VERIFY, headers=hurried).status_code == 200:
            pass
    (span,) = receiver.spans()
    assert span.status.code == Status.STATUS_CODE_ERROR and span.trace_id.hex() == TRACE
    assert said(span)["error.type"] in ("503", "504")


def test_a_share_of_requests_begins_traces_of_its_own(release: Release, receiver: Receiver) -> None:
    with served(release, receiver.url, ratio=1.0) as (url, _), httpx.Client(base_url=url) as client:
        for _ in range(3):
            client.get("/livez")
    spans = receiver.spans()
    assert [span.name for span in spans] == ["GET /livez"] * 3
    assert len({span.trace_id for span in spans}) == 3


def test_a_receiver_that_is_gone_costs_no_request(release: Release) -> None:
    with bind("127.0.0.1", 0) as sock:
        gone = f"http://127.0.0.1:{sock.getsockname()[1]}"
    with served(release, gone, ratio=1.0) as (url, _), httpx.Client(base_url=url) as client:
        for _ in range(20):
            reply = client.post("/v1/verify", json=VERIFY)
            assert reply.status_code == 200


def test_a_receiver_that_is_gone_is_a_line_of_the_log_a_minute() -> None:
    now, written = [0.0], io.StringIO()
    logger = logging.Logger("sender")
    logger.addHandler(Unsent(log_to(written), clock=lambda: now[0]))
    for second in range(0, 150):
        now[0] = float(second)
        logger.warning("connection refused")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["event"], line["left_out"]) for line in lines] == [
        *[("traces_unsent", n) for n in (0, 59, 59)],
    ]
    assert lines[0]["cause"] == "connection refused" and "traces_unsent" in EVENTS


def test_a_receiver_without_a_scheme_is_refused(release: Release) -> None:
    """Else every span was lost, and each half second a line of the log said why."""
    settings = ServeSettings(traces_to="127.0.0.1:4318")
    with pytest.raises(ConfigError, match="no address") as caught:
        create_app(Service(release), settings)
    assert caught.value.where == "serve.traces_to"


def test_who_asked_decides_whether_it_is_traced() -> None:
    traces = Traces("http://127.0.0.1:9", ratio=0.0)
    for parent, wanted in ((SAMPLED, True), (NOT_SAMPLED, False), ("", False), ("x", False)):
        assert traces.wants(parent, failed=False, seconds=0.1) is wanted
        assert traces.wants(parent, failed=True, seconds=0.1)
        assert traces.wants(parent, failed=False, seconds=0.6)
    traces.close()
