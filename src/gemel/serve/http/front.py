"""What every request meets first: the guard, then the route of its path.

Routes are looked up in a dictionary; what none of them has goes to the pages. A fixed path is
taken with or without a slash at its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from litestar.types.asgi_types import HTTPScope

from gemel.errors import GemelError, NotAllowed, WrongMethod
from gemel.serve.access.access import Access
from gemel.serve.context import LOCAL, Role
from gemel.serve.http.door import Door
from gemel.serve.http.endpoint import Endpoint, accepted_id, new_id
from gemel.serve.http.guard import Guard
from gemel.serve.http.problems import SAFE, rendered
from gemel.serve.http.table import LIVE, METRICS, READY, RECORD, RECORDS
from gemel.serve.projects import PREFIX as PROJECTS
from gemel.serve.projects import Projects
from gemel.serve.witness import Witness

PROBES = frozenset(route.path for route in (LIVE, READY, METRICS))
PREFIX = f"{RECORDS}/".encode()
ByMethod = Mapping[str, Endpoint]


class Front:
    """The web application: an ASGI callable.

    Args:
        door: into the service.
        guard: which requests are answered at all.
        access: who may ask what.
        endpoints: path and method to what answers.
        pages: everything else, and the start and end of the service.
        witness: told of every request.
        free: paths of pages that need no key.
        projects: further ones, each below a path of its own; None for none.
    """

    def __init__(
        self,
        door: Door,
        guard: Guard,
        access: Access,
        endpoints: Mapping[str, ByMethod],
        pages: ASGIApp,
        witness: Witness,
        free: Collection[str] = (),
        projects: Projects | None = None,
    ) -> None:
        self.door = door
        self.access = access
        self._guard = guard
        self._endpoints = endpoints
        self._pages = pages
        self.witness = witness
        self._free = free
        self._projects = projects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or start and stop."""
        if scope["type"] == ScopeType.HTTP:
            answer = self._answer
            if self._projects is not None and scope["path"].startswith(PROJECTS):
                answer = self._projects
            with suppress(asyncio.CancelledError):  # the client has gone, or the service ends
                await answer(scope, receive, send)
        else:
            await self._pages(scope, receive, send)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        found = self._endpoints.get(path) or self._other(path, scope["raw_path"])
        try:
            self._guard.check(scope, is_probe=path in PROBES)
            if found is None:
                role = self._role(path, scope["method"])
                if self.access.admit(scope["headers"], role).tenant:
                    what = "this page shows records of the service, not of a tenant"
                    raise NotAllowed(what, where="Authorization")
                await self._pages(scope, receive, send)
                return
            method, caller = scope["method"], LOCAL
            endpoint = found.get("GET" if method == "HEAD" else method)
            if endpoint is None and method != "OPTIONS":
                raise WrongMethod(
                    f"{method} is not possible here", where=path, hint=f"use {methods(found)}"
                )
            if endpoint is not None:
                caller = self.access.admit(scope["headers"], endpoint.route.role)
        except GemelError as error:
            await self._refuse(scope, send, error, found)
            return
        if endpoint is None:
            await self._tell_methods(send, found)
        else:
            await endpoint(scope, receive, send, caller)

    def _role(self, path: str, method: str) -> Role | None:
        """Who may see a page; what a page changes is for those who may do everything."""
        if method not in ("GET", "HEAD"):
            return "admin"
        return None if path in self._free else "reader"

    def _other(self, path: str, raw: bytes) -> ByMethod | None:
        """The routes at a path that is not written as in the table; an id may hold slashes."""
        if raw.startswith(PREFIX) and raw != PREFIX:
            return self._endpoints[RECORD]
        return self._endpoints.get(path.rstrip("/"))

    async def _refuse(
        self, scope: HTTPScope, send: Send, error: GemelError, found: ByMethod | None
    ) -> None:
        label = next(iter(found.values())).route.label if found else "other"
        sent = next((v for k, v in scope["headers"] if k == b"x-request-id"), b"")
        request_id = accepted_id(sent) or new_id()
        headers, body = rendered(error, label, request_id)
        if error.status == 405 and found:
            headers.append((b"allow", methods(found).encode()))
        self.witness.count(label, error.status)
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _tell_methods(self, send: Send, found: ByMethod) -> None:
        self.witness.count(next(iter(found.values())).route.label, 204)
        headers = [(b"allow", methods(found).encode()), *SAFE]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def methods(found: Mapping[str, Any]) -> str:
    """The methods of a path, as `Allow` has them."""
    also = ["HEAD", "OPTIONS"] if "GET" in found else ["OPTIONS"]
    return ", ".join(sorted([*found, *also]))
