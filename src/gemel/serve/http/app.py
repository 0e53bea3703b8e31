"""The service as a web application: routes on Litestar, and its errors in our shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Litestar, Request, Response, asgi
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from gemel.errors import GemelError, InternalError, RequestError, UnknownPath, WrongMethod, quoted
from gemel.serve.http.door import Door
from gemel.serve.http.endpoint import Endpoint, accepted_id, new_id
from gemel.serve.http.problems import render
from gemel.serve.http.table import TABLE
from gemel.serve.service import Service
from gemel.settings import ServeSettings
from gemel.telemetry import STATUSES, log_to


def create_app(
    service: Service,
    settings: ServeSettings | None = None,
    *,
    log: Any = None,
    pages: Sequence[HTTPRouteHandler] = (),
) -> Litestar:
    """The web application of a service.

    Args:
        service: what answers.
        settings: limits; defaults if left out.
        log: a logger; JSON lines to stderr if left out.
        pages: further handlers, such as those of the console.
    Returns:
        An ASGI application; `state.door` is its `Door`.
    """
    settings = settings or ServeSettings()
    log = log or log_to()
    door = Door(service, settings, log)
    paths: dict[str, dict[str, Endpoint]] = {}
    for route in TABLE:
        answer, limit = door.answer_to(route), settings.max_body_bytes
        endpoint = Endpoint(route, answer, limit, service.metrics, log)
        paths.setdefault(route.path, {})[route.method] = endpoint

    def on_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        """What goes wrong outside of an endpoint: routing, pages, or a fault."""
        raw = request.headers.get("x-request-id", "").encode("latin-1")
        request_id = accepted_id(raw) or new_id()
        known = _explained(error, request)
        if known.status == 500:
            log.error("request_failed", route="other", request_id=request_id, exc_info=error)
        content_type, body = render(known, "other", request_id)
        status = str(known.status) if str(known.status) in STATUSES else "400"
        service.metrics.counter("gemel_requests_total", "other", status).inc()
        headers = {"x-request-id": request_id}
        if known.status == 405:
            headers["allow"] = ", ".join(_methods(request.url.path))
        return Response(
            body, status_code=known.status, media_type=content_type.decode(), headers=headers
        )

    app = Litestar(
        [*(h for path, by_method in paths.items() for h in _handlers(path, by_method)), *pages],
        openapi_config=None,
        logging_config=None,
        exception_handlers={Exception: on_error},
        on_startup=[door.start],
        on_shutdown=[door.stop],
    )
    app.state.door = door
    return app


def _handlers(
    path: str, by_method: Mapping[str, Endpoint]
) -> list[ASGIRouteHandler | HTTPRouteHandler]:
    """The endpoints of one path; a fixed path goes without what Litestar does per request."""
    if "{" in path:
        return [_handler(endpoint) for endpoint in by_method.values()]

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = by_method.get(str(scope.get("method")))
        if endpoint is None:
            raise MethodNotAllowedException
        await endpoint(scope, receive, send)

    return [asgi(path, copy_scope=False)(answer)]


def _handler(endpoint: Endpoint) -> HTTPRouteHandler:
    async def answer() -> ASGIApp:
        return endpoint

    route = endpoint.route
    return HTTPRouteHandler(route.path, http_method=route.method, status_code=200)(answer)


def _explained(error: Exception, request: Request[Any, Any, Any]) -> GemelError:
    if isinstance(error, GemelError):
        return error
    if not isinstance(error, HTTPException):
        return InternalError("internal error")
    path = request.url.path
    if error.status_code == 404:
        return UnknownPath(f"nothing at {quoted(path, 120)}", hint="see /openapi.json")
    if error.status_code == 405:
        allowed = ", ".join(_methods(path)) or "another method"
        return WrongMethod(
            f"{request.method} is not possible here", where=path, hint=f"use {allowed}"
        )
    if error.status_code >= 500:
        return InternalError("internal error")
    return RequestError(error.detail or "bad request")


def _methods(path: str) -> list[str]:
    """Methods of the routes at a path."""
    return sorted(
        {
            route.method
            for route in TABLE
            if route.path == path
            or ("{" in route.path and path.startswith(route.path.partition("{")[0]))
        }
    )
