"""The service as a web application: its routes and its pages."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from gemel.arguments import require
from gemel.errors import ConfigError
from gemel.serve.access.access import Access
from gemel.serve.http.door import Door
from gemel.serve.http.endpoint import Endpoint
from gemel.serve.http.front import Front, Page
from gemel.serve.http.guard import Guard
from gemel.serve.http.routes.table import TABLE
from gemel.serve.projects import Projects
from gemel.serve.service import Service
from gemel.serve.witness import Witness
from gemel.settings import ServeSettings
from gemel.telemetry import log_to

if TYPE_CHECKING:  # which needs a package that few have
    from gemel.serve.traces import Traces


def create_app(
    service: Service,
    settings: ServeSettings | None = None,
    *,
    log: Any = None,
    pages: Mapping[str, Page] | None = None,
    access: Access | None = None,
    projects: Projects | None = None,
) -> Front:
    """The web application of a service.

    Args:
        service: what answers.
        settings: limits; defaults if left out.
        log: a logger; JSON lines to stderr if left out.
        pages: such as those of the console, by path; None for none.
        access: who may ask what; left out, nobody is asked who they are.
        projects: further ones, which end with this one; None for none.
    Returns:
        An ASGI application.
    """
    require(service, Service, "a Service that answers", "gemel.Service(release) is one")
    settings = settings or ServeSettings()
    log = log or log_to()
    door = Door(service, settings, log)
    witness = Witness(service.metrics, _traces(settings, log))
    endpoints: dict[str, dict[str, Endpoint]] = {}
    for route in TABLE:
        permit, answer = partial(door.permit, route), door.answer_to(route)
        endpoint = Endpoint(route, permit, answer, door.intake, witness, log)
        endpoints.setdefault(route.path, {})[route.method] = endpoint
    guard = Guard(settings.host, settings.allowed_hosts)
    return Front(door, guard, access or Access(), endpoints, pages or {}, witness, log, projects)


def _traces(settings: ServeSettings, log: Any) -> Traces | None:
    """Where traces go; None where no receiver is set.

    Raises:
        ConfigError: it is no address, or the packages that send them are not installed.
    """
    if not settings.traces_to:
        return None
    if not settings.traces_to.startswith(("http://", "https://")):
        what = f"{settings.traces_to} is no address of HTTP"
        raise ConfigError(what, where="serve.traces_to", hint="such as http://127.0.0.1:4318")
    try:
        from gemel.serve.traces import Traces, Unsent
    except ModuleNotFoundError as e:
        raise ConfigError(
            f"traces need {e.name}", where="serve.traces_to", hint="pip install 'gemel[otel]'"
        ) from e
    logger = logging.getLogger("opentelemetry")
    logger.handlers, logger.propagate = [Unsent(log)], False
    return Traces(settings.traces_to, settings.trace_ratio)
