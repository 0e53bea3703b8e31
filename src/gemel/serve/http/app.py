"""The service as a web application: its routes, its pages, and errors in our shape."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from gemel.errors import (
    ConfigError,
    GemelError,
    InternalError,
    RequestError,
    UnknownPath,
    WrongMethod,
    quoted,
)
from gemel.serve.access.access import Access
from gemel.serve.http.door import Door
from gemel.serve.http.endpoint import Endpoint, accepted_id, new_id
from gemel.serve.http.front import Front
from gemel.serve.http.guard import Guard
from gemel.serve.http.problems import V2, rendered
from gemel.serve.http.table import TABLE
from gemel.serve.projects import Projects
from gemel.serve.service import Service
from gemel.serve.witness import Witness
from gemel.settings import ServeSettings
from gemel.telemetry import Forward, log_to

if TYPE_CHECKING:  # which needs a package that few have
    from gemel.serve.traces import Traces


def create_app(
    service: Service,
    settings: ServeSettings | None = None,
    *,
    log: Any = None,
    pages: Sequence[HTTPRouteHandler] = (),
    access: Access | None = None,
    projects: Projects | None = None,
) -> Front:
    """The web application of a service.

    Args:
        service: what answers.
        settings: limits; defaults if left out.
        log: a logger; JSON lines to stderr if left out.
        pages: further handlers, such as those of the console; one whose `opt` says `free` needs no
            key.
        access: who may ask what; left out, nobody is asked who they are.
        projects: further ones, which end with this one; None for none.
    Returns:
        An ASGI application.
    """
    settings = settings or ServeSettings()
    log = log or log_to()
    door = Door(service, settings, log)
    witness = Witness(service.metrics, _traces(settings, log))
    endpoints: dict[str, dict[str, Endpoint]] = {}
    for route in TABLE:
        permit, answer = partial(door.permit, route), door.answer_to(route)
        endpoint = Endpoint(route, permit, answer, door.intake, witness, log)
        endpoints.setdefault(route.path, {})[route.method] = endpoint

    def on_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        """What goes wrong with a page, or where nothing is."""
        raw = request.headers.get("x-request-id", "").encode("latin-1")
        request_id = accepted_id(raw) or new_id()
        known = _explained(error, request)
        if known.status == 500:
            log.error("request_failed", route="other", request_id=request_id, exc_info=error)
        shape = V2 if request.url.path.startswith(f"{V2}/models/") else "other"
        lines, body = rendered(known, shape, request_id)
        front.witness.count("other", known.status)
        headers = {k.decode(): v.decode() for k, v in lines if k != b"content-length"}
        if isinstance(error, HTTPException) and error.headers:
            headers.update({k.lower(): v for k, v in error.headers.items()})
        media_type = headers.pop("content-type")
        return Response(body, status_code=known.status, media_type=media_type, headers=headers)

    others = Litestar(
        list(pages),
        openapi_config=None,
        logging_config=None,
        exception_handlers={Exception: on_error},
        on_startup=[door.start],
        on_shutdown=[
            *([projects.close] if projects else []),
            door.stop,
            *([witness.traces.close] if witness.traces else []),
        ],
    )
    guard = Guard(settings.host, settings.allowed_hosts)
    free = {path for page in pages for path in page.paths if page.opt.get("free")}
    front = Front(door, guard, access or Access(), endpoints, others, witness, free, projects)
    return front


def _traces(settings: ServeSettings, log: Any) -> Traces | None:
    """Where traces go; None where no receiver is set.

    Raises:
        ConfigError: the packages that send them are not installed.
    """
    if not settings.traces_to:
        return None
    try:
        from gemel.serve.traces import Traces
    except ModuleNotFoundError as e:
        raise ConfigError(
            f"traces need {e.name}", where="serve.traces_to", hint="pip install 'gemel[otel]'"
        ) from e
    logger = logging.getLogger("opentelemetry")
    logger.handlers, logger.propagate = [Forward(log)], False
    return Traces(settings.traces_to, settings.trace_ratio)


def _explained(error: Exception, request: Request[Any, Any, Any]) -> GemelError:
    if isinstance(error, GemelError):
        return error
    if not isinstance(error, HTTPException):
        return InternalError("internal error")
    path = request.url.path
    if error.status_code == 404:
        return UnknownPath(f"nothing at {quoted(path, 120)}", hint="see /openapi.json")
    if error.status_code == 405:
        return WrongMethod(f"{request.method} is not possible here", where=path, hint="use GET")
    if error.status_code >= 500:
        return InternalError("internal error")
    return RequestError(error.detail or "bad request")
