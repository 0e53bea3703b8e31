"""What is told of a request once it is answered: counts, the times of its stages, its trace.

The times were taken once, where the work was done; metrics, spans and `Server-Timing` are made of
them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Histogram

from gemel.telemetry import STAGES, STATUSES, Metrics

if TYPE_CHECKING:  # which needs a package that few have
    from gemel.serve.http.routes.call import Call, Route
    from gemel.serve.traces import Traces


class Witness:
    """Tells of all requests of one service, whatever door they came through.

    Args:
        metrics: what is counted.
        traces: where traces go; None for none.
    """

    def __init__(self, metrics: Metrics, traces: Traces | None = None) -> None:
        self._metrics, self.traces = metrics, traces
        self._requests: dict[tuple[str, int], Counter] = {}
        self._seconds: dict[str, Histogram] = {}
        self._stages = {name: metrics.histogram("gemel_stage_seconds", name) for name in STAGES}

    def count(self, label: str, status: int) -> None:
        """Count a request of a route."""
        counter = self._requests.get((label, status))
        if counter is None:
            known = str(status) if str(status) in STATUSES else "400"
            counter = self._metrics.counter("gemel_requests_total", label, known)
            self._requests[label, status] = counter
        counter.inc()

    def answered(
        self, route: Route, call: Call, status: int, begun: float, rpc: str | None = None
    ) -> None:
        """Tell of a request that was answered just now.

        Args:
            route: that it went.
            call: with the times of its stages.
            status: of HTTP.
            begun: of the monotonic clock, seconds.
            rpc: service and method, if it came over gRPC.
        """
        end = time.monotonic()
        self.count(route.label, status)
        histogram = self._seconds.get(route.label)
        if histogram is None:
            histogram = self._metrics.histogram("gemel_request_seconds", route.label)
            self._seconds[route.label] = histogram
        for stage in call.timing:
            self._stages[stage.name].observe(stage.seconds)
        traces, exemplar = self.traces, None
        if traces is not None and traces.wants(
            call.traceparent, failed=status >= 500, seconds=end - begun
        ):
            name = rpc or f"{route.method} {route.label}"
            said = _attributes(route, call, status, rpc)
            trace = traces.add(name, call.traceparent, (begun, end), call.timing, said)
            exemplar = {"trace_id": trace}
        histogram.observe(end - begun, exemplar)


def _attributes(route: Route, call: Call, status: int, rpc: str | None) -> dict[str, Any]:
    """Of the span of a request; no id, payload or name of anybody is among them."""
    said: dict[str, Any] = {"http.response.status_code": status}
    if rpc is None:
        said |= {"http.request.method": route.method, "http.route": route.label}
    else:
        said |= {"rpc.system": "grpc", "rpc.method": rpc}
    if status >= 500:
        said["error.type"] = str(status)
    if call.live is not None:
        release = call.live.release
        said |= {"gemel.release": release.id[:12], "gemel.space": release.space_id[:12]}
    return said
