"""Traces of requests by OpenTelemetry: a span for each request, and one below for each stage.

What is traced is decided when the answer is known, and spans are made then, of the times that were
taken anyway: a request that is not traced costs nothing, one that failed or was slow is never
missed. They leave in a thread of their own; a receiver that is gone costs memory for MAX_WAITING
spans and no request.
"""

from __future__ import annotations

import logging
import math
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import gemel
from gemel.serve.context import Stage

SLOW_SECONDS = 0.5
"""From which on a request is always traced."""
MAX_WAITING = 2048
EXPORT_SECONDS = 2.0
SAY_SECONDS = 60.0
_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{2})")


class Unsent(logging.Handler):
    """What the sender says of spans that do not arrive, once a minute as `traces_unsent`.

    The sender says as much of each batch, two times a second, for as long as the receiver is gone.

    Args:
        log: where it goes.
        clock: seconds of a monotonic clock.
    """

    def __init__(self, log: Any, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._log, self._clock = log, clock
        self._due, self._n_left_out = -math.inf, 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message, or count it."""
        if self._clock() < self._due:
            self._n_left_out += 1
            return
        self._due = self._clock() + SAY_SECONDS
        left_out, self._n_left_out = self._n_left_out, 0
        self._log.warning("traces_unsent", cause=record.getMessage(), left_out=left_out)


class Traces:
    """Sends what was seen of requests to a receiver of OTLP over HTTP.

    Args:
        address: of the receiver, such as `http://127.0.0.1:4318`.
        ratio: share of the requests without a trace of their own that are traced.
    """

    def __init__(self, address: str, ratio: float) -> None:
        resource = Resource.create({"service.name": "gemel", "service.version": gemel.__version__})
        exporter = OTLPSpanExporter(f"{address.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
        self._sender = BatchSpanProcessor(
            exporter,
            max_queue_size=MAX_WAITING,
            schedule_delay_millis=500,
            export_timeout_millis=1000 * EXPORT_SECONDS,
        )
        self._provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
        self._provider.add_span_processor(self._sender)
        self._tracer = self._provider.get_tracer("gemel", gemel.__version__)
        self._context = TraceContextTextMapPropagator()
        self._ratio, self._rng = ratio, random.Random()

    def wants(self, parent: str, *, failed: bool, seconds: float) -> bool:
        """Whether a request is traced.

        Args:
            parent: header `traceparent`; empty without.
            failed: by a fault that is not its own.
            seconds: that it took.
        """
        if failed or seconds > SLOW_SECONDS:
            return True
        found = _PARENT.fullmatch(parent)
        if found:
            return bool(int(found[1], 16) & 1)
        return self._rng.random() < self._ratio

    def add(
        self,
        name: str,
        parent: str,
        times: tuple[float, float],
        stages: Sequence[Stage],
        attributes: Mapping[str, Any],
    ) -> str:
        """Send the trace of one request; its id.

        Args:
            name: of its span.
            parent: header `traceparent`; empty without.
            times: begin and end, of the monotonic clock, seconds.
            stages: what was done in between.
            attributes: of its span.
        """
        since = time.time_ns() - time.monotonic_ns()
        begin, end = (since + int(1e9 * moment) for moment in times)
        context = self._context.extract({"traceparent": parent} if parent else {})
        span = self._tracer.start_span(
            name, context, trace.SpanKind.SERVER, attributes, start_time=begin
        )
        below = trace.set_span_in_context(span)
        for stage in stages:
            start = since + int(1e9 * stage.begun)
            child = self._tracer.start_span(f"gemel.{stage.name}", below, start_time=start)
            child.end(start + int(1e9 * stage.seconds))
        if "error.type" in attributes:
            span.set_status(trace.StatusCode.ERROR)
        span.end(end)
        return trace.format_trace_id(span.get_span_context().trace_id)

    def close(self) -> None:
        """Send what waits, and end."""
        self._provider.shutdown()
