"""Every metric, log event and stage, declared once; the counters made of them.

A metric's labels have closed sets of values and every series that an alert asks for exists from the
start, so that "zero" is not "never reported". The registry and the stream are arguments: nothing
here is global. Log lines never hold payloads, embeddings or identities.
"""

from __future__ import annotations

import itertools
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client import Metric as MetricFamily
from prometheus_client.openmetrics import exposition as openmetrics

from gemel.log import Log

ROUTES = (
    "/v1/verify",
    "/v1/explain",
    "/v1/search",
    "/v1/identify",
    "/v1/classify",
    "/v1/classes",
    "/v1/embeddings",
    "/v1/models",
    "/v1/verify-batch",
    "/v1/search-batch",
    "/v1/rerank",
    "/v1/duplicates",
    "/v1/records",
    "/v1/records/{id}",
    "/v1/verdicts",
    "/v1/review",
    "/v1/proposal",
    "/v1/rollout",
    "/v1/rollout/hook",
    "/v1/release",
    "/v1/card",
    "/v2",
    "/v2/models/gemel",
    "/v2/models/gemel/infer",
    "/v2/models/gemel/ready",
    "/v2/health/live",
    "/v2/health/ready",
    "/livez",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "other",
)
STATUSES = tuple(
    str(code)
    for code in (
        *(200, 204, 304, 400, 401, 403, 404, 405, 408, 409, 413, 415, 421, 422, 425, 429, 431),
        *(500, 503, 504, 507),
    )
)
LANES = ("encode", "encode_long", "find", "change", "review", "explain", "group", "read")
STAGES = {
    "queue": "waits for its turn in a lane",
    "encode": "items are read and encoded, and pairs scored",
    "search": "the gallery is searched",
    "classify": "the classes of the gallery are compared",
    "enroll": "the gallery is changed",
    "compare": "records are compared among each other",
    "cluster": "matches become clusters",
}
"""What a request goes through: in `Server-Timing`, in metrics, and as spans `gemel.STAGE`."""
ATTRIBUTES = {
    "http.request.method": "of a request of HTTP",
    "http.route": "of a request of HTTP, with {id} for what varies",
    "http.response.status_code": "of the reply; over gRPC the one that HTTP would have",
    "rpc.system": "grpc, for a call of it",
    "rpc.method": "service and method of gRPC",
    "error.type": "the status of a request that failed by a fault that is not its own",
    "gemel.release": "that answered, 12 digits",
    "gemel.space": "of that release, 12 digits",
}
"""Of the spans of requests."""
OPERATIONS = ("verify", "search", "identify", "classify")
OUTCOMES = ("match", "review", "no_match")
SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Metric:
    """One row of the table of metrics.

    Args:
        name: with the prefix `gemel_` and a base unit.
        kind: what it is to Prometheus.
        help: what it counts, in one sentence.
        labels: each label with all values that it can have.
        buckets: upper bounds, for a histogram.
        from_start: values of the last label whose series are there before anything happens; all
            if left out.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    buckets: tuple[float, ...] = ()
    from_start: tuple[str, ...] = ()


METRICS = (
    Metric(
        "gemel_requests_total",
        "counter",
        "Requests answered.",
        (("route", ROUTES), ("status", STATUSES)),
        from_start=("200", "500", "503"),
    ),
    Metric(
        "gemel_request_seconds",
        "histogram",
        "Time from a request's first byte read to its reply.",
        (("route", ROUTES),),
        SECONDS,
    ),
    Metric(
        "gemel_stage_seconds",
        "histogram",
        "Time that a request spent in a stage.",
        (("stage", tuple(STAGES)),),
        SECONDS,
    ),
    Metric(
        "gemel_decisions_total",
        "counter",
        "Decisions of the live policy; for a search, that of its best hit, for a classification, "
        "no_match when the class is unknown.",
        (("operation", OPERATIONS), ("outcome", OUTCOMES)),
    ),
    Metric("gemel_queue_payloads", "gauge", "Payloads that wait.", (("lane", LANES),)),
    Metric(
        "gemel_batch_running_seconds",
        "gauge",
        "Time that the batch which is run now has taken so far.",
        (("lane", LANES),),
    ),
    Metric("gemel_body_bytes", "gauge", "Bytes that large bodies hold until they are answered."),
    Metric(
        "gemel_refused_total",
        "counter",
        "Requests refused before or instead of work.",
        (("lane", LANES), ("reason", ("overloaded", "deadline", "stopping"))),
    ),
    Metric("gemel_batch_payloads", "histogram", "Payloads per batch.", (("lane", LANES),), SIZES),
    Metric(
        "gemel_batch_seconds", "histogram", "Time that a batch took.", (("lane", LANES),), SECONDS
    ),
    Metric(
        "gemel_batch_wait_seconds",
        "histogram",
        "Time that the first request of a batch had waited.",
        (("lane", LANES),),
        SECONDS,
    ),
    Metric(
        "gemel_batch_failures_total",
        "counter",
        "Batches that failed as a whole and were run again item by item.",
        (("lane", LANES),),
    ),
    Metric(
        "gemel_rollouts_total",
        "counter",
        "Times that the service followed its pointer, or could not.",
        (("result", ("switched", "failed")),),
    ),
    Metric(
        "gemel_shadow_total",
        "counter",
        "Requests that the other release of a rollout was asked after the reply.",
        (("result", ("compared", "failed", "dropped")),),
    ),
    Metric(
        "gemel_rollout_share_ratio",
        "gauge",
        "Share of the subjects that the candidate of a rollout answers; 0 without one.",
    ),
    Metric(
        "gemel_cache_total",
        "counter",
        "Payloads whose embedding was known here, had to be made, or was known to the shared tier.",
        (("result", ("hit", "miss", "shared")),),
    ),
    Metric(
        "gemel_cache_failures_total",
        "counter",
        "Times that the shared tier of the cache did not answer, was behind, or held no embedding.",
    ),
    Metric("gemel_cache_bytes", "gauge", "Bytes of the embeddings that are kept."),
    Metric("gemel_ready", "gauge", "1 while /readyz says that it is ready."),
    Metric(
        "gemel_ledger_ready",
        "gauge",
        "1 while its ledger and those of tenants take entries, else 0.",
    ),
    Metric("gemel_ledger_waiting_entries", "gauge", "Entries that are not on disk yet."),
)

EVENTS = {
    "service_started": "the service listens",
    "service_is_public": "other machines reach the service; without tls, keys travel in clear",
    "keys_unreadable": "keys of callers, or of tokens, cannot be read: those known stay valid",
    "service_stopping": "a signal came; requests in flight are finished",
    "service_stopped": "everything in flight is finished",
    "release_switched": "the pointer moved and the new release is live",
    "release_refused": "the pointer moved, but the release there cannot be served",
    "rollout_began": "the service takes part in a rollout: the candidate is open",
    "rollout_moved": "the candidate of a rollout answers another share of the subjects",
    "rollout_ended": "the service takes no part any more: how the rollout ended, and why",
    "older_not_kept": "the release before cannot be opened: it misses what is enrolled from now on",
    "rollout_failed": "the candidate of a rollout cannot be served",
    "pointer_unreadable": "the store could not be asked where the pointer is",
    "cache_unreachable": "the shared tier of the cache does not answer; it is left alone meanwhile",
    "traces_unsent": "spans do not reach their receiver; said once a minute at most",
    "erasure_failed": "a gallery did not take what another process erased; tried every second",
    "gallery_empty": "the gallery of this space has none of the records that were enrolled, or few",
    "gallery_unreadable": "a read-only service cannot see what another process changes",
    "project_unopened": "a further project of the process met an error that is not its own fault",
    "ledger_older": "an older copy of the ledger was put back: more entries were kept elsewhere",
    "ledger_failed": "the ledger takes no entries: changes are refused, soon decisions as well",
    "ledger_recovered": "the ledger takes entries again",
    "ledger_head": "the last entry of the ledger; what stands before it cannot be rewritten unseen",
    "head_unwritten": "the last entry could not be kept in ledger.head_file; again in an hour",
    "usage_unwritten": "counts of the day, which quotas go by, could not be kept",
    "ledger_unwritten": "an entry that was not on disk when the service ended, as it was to be",
    "request_failed": "a request met an error that is not its own fault",
    "batch_failed": "a batch failed as a whole and is run again item by item",
    "server_message": "the HTTP server says something",
}


class Metrics:
    """All metrics of the table in one registry.

    Args:
        registry: where they are registered; None makes a new one.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for row in METRICS:
            names = [name for name, _ in row.labels]
            metric: Counter | Gauge | Histogram
            if row.kind == "counter":
                metric = Counter(row.name, row.help, names, registry=self.registry)
                self._counters[row.name] = metric
            elif row.kind == "gauge":
                metric = Gauge(row.name, row.help, names, registry=self.registry)
                self._gauges[row.name] = metric
            else:
                metric = Histogram(
                    row.name, row.help, names, registry=self.registry, buckets=row.buckets
                )
                self._histograms[row.name] = metric
            if names:
                choices = [values for _, values in row.labels]
                choices[-1] = row.from_start or choices[-1]
                for values in itertools.product(*choices):
                    metric.labels(*values)

    def text(self) -> bytes:
        """All of them as Prometheus reads them, without the times at which series were made."""
        return generate_latest(_WithoutTimes(self.registry))

    def open_text(self) -> bytes:
        """All of them in the format of OpenMetrics, with the traces of examples."""
        write: Callable[..., bytes] = openmetrics.generate_latest
        return write(_WithoutTimes(self.registry))

    def counter(self, name: str, *labels: str) -> Counter:
        """The counter of that name, or its series with these label values."""
        metric = self._counters[name]
        return metric.labels(*labels) if labels else metric

    def gauge(self, name: str, *labels: str) -> Gauge:
        """The gauge of that name, or its series with these label values."""
        metric = self._gauges[name]
        return metric.labels(*labels) if labels else metric

    def histogram(self, name: str, *labels: str) -> Histogram:
        """The histogram of that name, or its series with these label values."""
        metric = self._histograms[name]
        return metric.labels(*labels) if labels else metric


class _WithoutTimes:
    """A registry without the `_created` series, which nobody asks for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[MetricFamily]:
        """Every metric with its samples."""
        for family in self._registry.collect():
            family.samples = [s for s in family.samples if not s.name.endswith("_created")]
            yield family


def log_to(stream: TextIO | None = None, *, level: str = "info") -> Log:
    """A logger that writes one JSON object a line.

    Args:
        stream: where to; None is stderr as it is now.
        level: the lowest level that is written.
    """
    return Log(stream or sys.stderr, logging.getLevelNamesMapping()[level.upper()])


class Forward(logging.Handler):
    """Messages of the standard library's loggers as `server_message` events.

    Args:
        log: where they go.
    """

    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as an event."""
        text = record.getMessage()
        self._log.log(record.levelno, "server_message", text=text, exc_info=record.exc_info)
