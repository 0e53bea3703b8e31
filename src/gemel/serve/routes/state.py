"""Routes that tell what the service is and how it is: release, health, figures, description."""

from __future__ import annotations

from typing import Any

import msgspec
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from gemel.errors import NotFound, Overloaded
from gemel.serve import replies
from gemel.serve.http.endpoint import Answers, Call, Raw, Route
from gemel.serve.live import Live
from gemel.serve.service import Service

RELEASE = Route(
    "GET", "/v1/release", "/v1/release", None, replies.ReleaseReply, "What is live, as measured"
)
LIVE = Route(
    "GET",
    "/livez",
    "/livez",
    None,
    replies.HealthReply,
    "200 while the process answers at all",
    query=None,
)
READY = Route(
    "GET",
    "/readyz",
    "/readyz",
    None,
    replies.HealthReply,
    "200 while it takes requests, else 503",
    query=None,
)
METRICS = Route("GET", "/metrics", "/metrics", None, bytes, "Figures for Prometheus", query=None)
OPENAPI = Route("GET", "/openapi.json", "/openapi.json", None, dict, "This description", query=None)


class State:
    """Handlers that no work goes through."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.stopping = False
        self.answers: Answers = {
            RELEASE: self.release,
            LIVE: self.alive,
            READY: self.ready,
            METRICS: self.figures,
        }

    async def release(self, call: Call, _: None) -> replies.ReleaseReply:
        """What is live."""
        live = call.live = self._service.live
        manifest = live.release.manifest
        return replies.ReleaseReply(
            release=manifest.id,
            space=manifest.space_id,
            name=manifest.name,
            created=manifest.created,
            modality=manifest.modality,
            fields=[replies.FieldReply(field.name, field.kind) for field in live.fields],
            records=None if live.gallery is None else live.gallery.count(),
            policy=_policy(live),
            operating_points=_operating_points(live),
        )

    async def alive(self, _call: Call, _: None) -> replies.HealthReply:
        """The process answers."""
        return replies.HealthReply("alive")

    async def ready(self, call: Call, _: None) -> replies.HealthReply:
        """The service takes requests; a warning does not change that."""
        live = call.live = self._service.live
        if self.stopping:
            raise Overloaded("the service is stopping", hint="try another replica")
        warning = "; ".join(self._service.warnings()) or None
        return replies.HealthReply("ready", live.release.id, live.release.space_id, warning)

    async def figures(self, _call: Call, _: None) -> Raw:
        """Metrics as text."""
        text = generate_latest(self._service.metrics.registry)
        return Raw(CONTENT_TYPE_PLAIN_0_0_4.encode(), text)


def _policy(live: Live) -> Any:
    """The policy as JSON values; of that for classes, what a person can read."""
    facts = msgspec.to_builtins(live.policy)
    classify = live.policy.classify
    if classify is not None:
        facts["classify"] = {
            "method": classify.method,
            "alpha": classify.alpha,
            "levels": {level.shots: level.calibration.n_classes for level in classify.levels},
        }
    return facts


def _operating_points(live: Live) -> Any:
    """Where the threshold was chosen, how it did on eval, and what could be proven; JSON values."""
    try:
        evidence = live.release.evidence
    except NotFound:
        return None
    names = ("dev", "eval", "smallest_fmr", "searches", "validity", "categories")
    return msgspec.to_builtins({name: getattr(evidence, name) for name in names})
