"""What the service tells of itself: release, health, figures, description."""

from __future__ import annotations

from typing import Any

import msgspec
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

from gemel.errors import (
    GalleryUnavailable,
    GemelError,
    LedgerUnavailable,
    NotFound,
    Overloaded,
)
from gemel.release.words import tiles
from gemel.release.words.sentence import sentence
from gemel.serve.context import LOST
from gemel.serve.http.intake import Intake
from gemel.serve.http.routes.call import Call, Raw
from gemel.serve.live import Live
from gemel.serve.queues.queues import Lanes
from gemel.serve.service import Service
from gemel.serve.tenants import entered
from gemel.serve.verbs.shapes.infer import MODEL
from gemel.serve.wire.operation import FieldReply, HealthReply, ReleaseReply, V2Reply

OPEN = b"application/openmetrics-text"


class State:
    """Handlers that no work goes through.

    Args:
        service: of which they tell.
        intake: whose thread writes the figures.
        lanes: that may be stuck.
    """

    def __init__(self, service: Service, intake: Intake, lanes: Lanes) -> None:
        self._service, self._intake, self._lanes = service, intake, lanes
        self.is_stopping = False

    async def release(self, call: Call, _: None) -> ReleaseReply:
        """What is live."""
        live, service = self._service.pick(), self._service
        if call.caller.tenant:
            async with entered(service.tenants, call.caller.tenant, service.books) as home:
                live = await home.bundle(live)
                return self._released(call, live)
        return self._released(call, live)

    def _released(self, call: Call, live: Live) -> ReleaseReply:
        call.live, manifest = live, live.release.manifest
        return ReleaseReply(
            release=manifest.id,
            space=manifest.space_id,
            name=manifest.name,
            created=manifest.created,
            modality=manifest.modality,
            fields=[FieldReply(field.name, field.kind) for field in live.encoder.prepare.fields],
            records=None if live.gallery is None else live.gallery.count(),
            policy=_policy(live),
            operating_points=_operating_points(live),
        )

    async def alive(self, _call: Call, _: None) -> HealthReply:
        """The process answers."""
        return HealthReply("alive")

    def problem(self) -> GemelError | None:
        """Why the service takes no requests, or would answer them wrongly; None if it does.

        Returns:
            LedgerUnavailable where the ledger fails, GalleryUnavailable where most of the gallery
            is lost, Overloaded where the service is stopping, or where everything is encoded one
            batch does not end.
        """
        if self.is_stopping:
            return Overloaded("the service is stopping", hint="try another replica")
        problem, live = self._service.ledger_problem, self._service.pick()
        if problem is not None:
            return LedgerUnavailable(f"the ledger takes no entries: {problem}")
        if live.is_lost:
            return GalleryUnavailable(live.of_lost, hint=LOST)
        if "encode" in self._lanes.stuck():
            return Overloaded("encoding does not come to an end", hint="try another replica")
        return None

    async def ready(self, call: Call, _: None) -> HealthReply:
        """The service takes requests; a warning does not change that.

        Raises:
            GemelError: it does not, see `problem`.
        """
        live = call.live = self._service.pick()
        problem = self.problem()
        if problem is not None:
            raise problem
        stuck = self._lanes.stuck()
        slow = [f"lane {name} takes longer over one batch than anybody waits" for name in stuck]
        warning = "; ".join([*self._service.warnings(), *slow]) or None
        return HealthReply("ready", live.release.id, live.release.space_id, warning)

    async def v2_alive(self, _call: Call, _: None) -> V2Reply:
        """The process answers, in the Open Inference Protocol."""
        return V2Reply(live=True)

    async def v2_ready(self, call: Call, _: None) -> V2Reply:
        """The service takes requests, in the Open Inference Protocol."""
        await self.ready(call, None)
        return V2Reply(ready=True, name=MODEL)

    async def figures(self, call: Call, _: None) -> Raw:
        """Metrics as text, in the format of OpenMetrics for whoever takes it."""
        accepted = b",".join(v for k, v in call.scope["headers"] if k == b"accept")
        metrics = self._service.metrics
        if OPEN in accepted:
            text = await self._intake.aside(metrics.open_text)
            return Raw(CONTENT_TYPE_LATEST.encode(), text)
        text = await self._intake.aside(metrics.text)
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
    facts = {name: getattr(evidence, name) for name in names}
    said = {
        "sentence": sentence(evidence),
        "use": evidence.goals.use,
        "figures": tiles.brief(evidence),
    }
    return msgspec.to_builtins(facts | said)
