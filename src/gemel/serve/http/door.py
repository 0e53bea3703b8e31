"""From a call of HTTP to what answers it: a verb in the lanes of the service, or its state."""

from __future__ import annotations

from typing import Any

from gemel.serve.http.intake import Intake
from gemel.serve.http.problems import JSON
from gemel.serve.http.routes import table
from gemel.serve.http.routes.call import Answer, Call, Raw, Route
from gemel.serve.http.routes.openapi import document
from gemel.serve.http.state import State
from gemel.serve.live import Live
from gemel.serve.queues.queues import Lanes
from gemel.serve.reader.reader import Reader
from gemel.serve.rollout.arms import Question, tried
from gemel.serve.service import Service
from gemel.serve.steps import Lane
from gemel.serve.tenants import Home, entered
from gemel.settings import ServeSettings

GALLERY: frozenset[Lane] = frozenset({"find", "explain"})
"""Lanes of verbs that may look into the gallery."""


class Door:
    """The way from HTTP into one service.

    Args:
        service: what answers.
        settings: limits of queue, batch and time.
        log: a logger.
    """

    def __init__(self, service: Service, settings: ServeSettings, log: Any) -> None:
        self._service = service
        self.reader = Reader()
        self._lanes = lanes = Lanes(settings, service.metrics, log, self.reader)
        service.arms.are_busy = lambda: lanes.are_busy
        self.intake = Intake(settings.max_body_bytes, service.metrics, self.reader)
        self._state = State(service, self.intake, self._lanes)
        self._described: tuple[Live, Raw] | None = None
        self._told: dict[Route, Answer] = {
            table.RELEASE: self._state.release,
            table.LIVE: self._state.alive,
            table.READY: self._state.ready,
            table.V2_LIVE: self._state.v2_alive,
            table.V2_READY: self._state.v2_ready,
            table.V2_MODEL_READY: self._state.v2_ready,
            table.METRICS: self._state.figures,
            table.OPENAPI: self._description,
        }

    @property
    def is_stopping(self) -> bool:
        """The service is about to end, and says so to whoever asks whether it is ready."""
        return self._state.is_stopping

    @property
    def live(self) -> Live:
        """What is live."""
        return self._service.pick()

    @property
    def release_id(self) -> str:
        """Of the release that is live."""
        return self._service.pick().release.id

    async def start(self) -> None:
        """Begin to take requests."""
        self._lanes.start()
        ready = self._service.metrics.gauge("gemel_ready")
        ready.set_function(lambda: float(self._state.problem() is None))

    def begin_stop(self) -> None:
        """Say that the service is not ready any more; requests are still answered."""
        self._state.is_stopping = True

    async def stop(self) -> None:
        """Finish what is in the queues and end."""
        self.begin_stop()
        self.intake.close()
        await self._lanes.stop()
        self.reader.close()

    def permit(self, route: Route, call: Call) -> None:
        """Return if a request of this route may be read.

        Raises:
            Overloaded: too much is waiting, or the service is stopping.
        """
        self._lanes.permit(route.lanes, call.deadline, call.caller.owner)

    def answer_to(self, route: Route) -> Answer:
        """What answers a route."""
        verb, read, lanes, service = route.verb, route.read, self._lanes, self._service
        if verb is None:
            return self._told[route]

        async def reply(call: Call, body: Any, home: Home | None) -> Any:
            asked = read(call) if read is not None and body is None else body
            stable, trial = service.pick(), service.arms.trial if route.is_tried else None

            async def ask(live: Live) -> Any:
                if home is not None:
                    live = await home.bundle(live)
                context = service.context(call.request_id, call.caller, call.deadline, live, home)
                call.live, call.timing = context.live, context.timing
                call.ledger_fails = context.books.recent_problem is not None
                steps = verb(context, asked)
                return await lanes.answer(context, steps, n_bytes=call.n_held)

            if trial is None or (home is not None and not home.tries(trial, stable)):
                return await ask(stable)
            # The shadow has no place of a tenant to look into.
            is_alone = home is not None and not GALLERY.isdisjoint(route.lanes)
            question = Question(verb, asked, is_large=call.n_held > 0 or is_alone)
            return await tried(trial, stable, ask, call.subject, question)

        async def answer(call: Call, body: Any) -> Any:
            lanes.permit(route.lanes, call.deadline, call.caller.owner)
            if not call.caller.tenant:
                return await reply(call, body, None)
            async with entered(service.tenants, call.caller.tenant, service.books) as home:
                return await reply(call, body, home)

        return answer

    async def _description(self, call: Call, _: None) -> Raw:
        """The routes, as OpenAPI 3.1."""
        live = self._service.pick()
        if self._described is None or self._described[0] is not live:
            self._described = live, Raw(JSON, document(table.TABLE, live))
        return self._described[1]
