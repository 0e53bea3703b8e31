"""The table of routes, and the handlers that answer them, a room for each kind of verb."""

from __future__ import annotations

from typing import Any

from gemel.serve.http.endpoint import Answers, Call, Raw
from gemel.serve.http.openapi import document
from gemel.serve.http.problems import JSON
from gemel.serve.queues.queues import Lanes
from gemel.serve.routes import (
    card,
    classes,
    comparing,
    duplicates,
    explaining,
    records,
    reviewing,
    state,
)
from gemel.serve.service import Service
from gemel.settings import ServeSettings

TABLE = (
    comparing.VERIFY,
    explaining.EXPLAIN,
    records.SEARCH,
    records.IDENTIFY,
    classes.CLASSIFY,
    classes.CLASSES,
    comparing.EMBED,
    duplicates.DUPLICATES,
    records.ENROLL,
    records.DELETE,
    records.COUNT,
    records.GET,
    records.DELETE_ONE,
    reviewing.VERDICT,
    reviewing.REVIEW,
    reviewing.PROPOSAL,
    state.RELEASE,
    card.CARD,
    state.LIVE,
    state.READY,
    state.METRICS,
    state.OPENAPI,
)


class Routes:
    """Handlers of one service.

    Args:
        service: what answers.
        settings: limits of queue, batch and time.
        log: a logger.
    """

    def __init__(self, service: Service, settings: ServeSettings, log: Any) -> None:
        self._service = service
        self._lanes = Lanes(service, settings, log)
        self._state = state.State(service)
        self._is_ready = service.metrics.gauge("gemel_ready")
        self.answers: Answers = {
            **comparing.Comparing(service, self._lanes).answers,
            **explaining.Explaining(service, self._lanes).answers,
            **duplicates.Duplicates(service, self._lanes).answers,
            **records.Records(service, self._lanes).answers,
            **reviewing.Reviewing(service, self._lanes).answers,
            **classes.Classifying(service, self._lanes).answers,
            **card.Showing(service).answers,
            **self._state.answers,
            state.OPENAPI: self.description,
        }

    @property
    def stopping(self) -> bool:
        """The service is about to end, and says so to whoever asks whether it is ready."""
        return self._state.stopping

    async def start(self) -> None:
        """Begin to take requests."""
        self._lanes.start()
        self._is_ready.set(1)

    def begin_stop(self) -> None:
        """Say that the service is not ready any more; requests are still answered."""
        self._state.stopping = True
        self._is_ready.set(0)

    async def stop(self) -> None:
        """Finish what is in the queues and end."""
        self.begin_stop()
        await self._lanes.stop()

    async def description(self, _call: Call, _: None) -> Raw:
        """The routes, as OpenAPI 3.1."""
        return Raw(JSON, document(TABLE, self._service.live))
