"""What every request meets first: the guard, then the route of its path.

Routes are looked up in a dictionary, and so are pages. A fixed path is taken with or without a
slash at its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gemel.errors import GemelError, InternalError, NotAllowed, UnknownPath, WrongMethod, quoted
from gemel.serve.access.access import Access
from gemel.serve.context import LOCAL, Role
from gemel.serve.http.door import Door
from gemel.serve.http.endpoint import Endpoint
from gemel.serve.http.guard import Guard
from gemel.serve.http.problems import SAFE, V2, Header, rendered
from gemel.serve.http.routes.call import Receive, Scope, Send, accepted_id, new_id
from gemel.serve.http.routes.query import RECORDS
from gemel.serve.http.routes.table import LIVE, METRICS, READY, RECORD
from gemel.serve.projects import PREFIX as PROJECTS
from gemel.serve.projects import Projects
from gemel.serve.witness import Witness

PROBES = frozenset(route.path for route in (LIVE, READY, METRICS))
PREFIX = f"{RECORDS}/".encode()
READS = ("GET", "HEAD")
ByMethod = Mapping[str, Endpoint]


@dataclass(frozen=True)
class Page:
    """What a browser is shown at a path.

    Attributes:
        content_type: of HTTP.
        content: of it, or what makes it, in a thread.
        headers: besides.
        tag: of a content that does not change; empty for none.
        is_free: who asks needs no key.
    """

    content_type: str
    content: bytes | Callable[[], bytes]
    headers: tuple[Header, ...] = ()
    tag: bytes = b""
    is_free: bool = False


class Front:
    """The web application: an ASGI callable.

    Args:
        door: into the service.
        guard: which requests are answered at all.
        access: who may ask what.
        endpoints: path and method to what answers.
        pages: by path.
        witness: told of every request.
        log: a logger.
        projects: further ones, each below a path of its own, which end with this one; None for
            none.
    """

    def __init__(
        self,
        door: Door,
        guard: Guard,
        access: Access,
        endpoints: Mapping[str, ByMethod],
        pages: Mapping[str, Page],
        witness: Witness,
        log: Any,
        projects: Projects | None = None,
    ) -> None:
        self.door = door
        self.access = access
        self._guard = guard
        self._endpoints = endpoints
        self._pages = pages
        self.witness = witness
        self._log = log
        self._projects = projects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or start and stop."""
        if scope["type"] == "http":
            with suppress(asyncio.CancelledError):  # the client has gone, or the service ends
                if self._projects is not None and scope["path"].startswith(PROJECTS):
                    guarded = self.access.is_guarded
                    await self._projects(scope, receive, send, self._check, wants_keys=guarded)
                else:
                    await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:  # a socket of its own, of which there is none here
            await send({"type": "websocket.close"})

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start, and stop when the server says so."""
        await receive()
        await self.door.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._projects is not None:
            await self._projects.close()
        await self.door.stop()
        if self.witness.traces is not None:
            self.witness.traces.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        found = self._endpoints.get(path) or self._other(path, scope["raw_path"])
        caller = LOCAL
        try:
            self._check(scope)
            if found is None:
                await self._show(scope, send)
                return
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

    def _check(self, scope: Scope) -> None:
        """Return if a request may be answered, whoever asks.

        Raises:
            GemelError: it may not.
        """
        self._guard.check(scope, is_probe=scope["path"] in PROBES)

    def _other(self, path: str, raw: bytes) -> ByMethod | None:
        """The routes at a path that is not written as in the table; an id may hold slashes."""
        if raw.startswith(PREFIX) and raw != PREFIX:
            return self._endpoints[RECORD]
        return self._endpoints.get(path.rstrip("/"))

    async def _show(self, scope: Scope, send: Send) -> None:
        """Answer with a page.

        Raises:
            GemelError: there is none, or not for who asks.
        """
        path, method = scope["path"], scope["method"]
        page = self._pages.get(path.rstrip("/") or "/")
        role: Role | None = "reader"
        if method not in READS:  # what a page changes is for those who may do everything
            role = "admin"
        elif page is not None and page.is_free:
            role = None
        if self.access.admit(scope["headers"], role).tenant:
            what = "this page shows records of the service, not of a tenant"
            raise NotAllowed(what, where="Authorization")
        if page is None:
            raise UnknownPath(f"nothing at {quoted(path, 120)}", hint="see /openapi.json")
        if method not in READS:
            raise WrongMethod(f"{method} is not possible here", where=path, hint="use GET")
        status, content = 200, b""
        known = [v for k, v in scope["headers"] if k == b"if-none-match"]
        if page.tag and page.tag in known:
            status = 304
        elif isinstance(page.content, bytes):
            content = page.content
        else:
            content = await self._made(page.content)
        headers = [(b"content-type", page.content_type.encode()), *page.headers]
        headers.append((b"content-length", b"%d" % len(content)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})

    async def _made(self, make: Callable[[], bytes]) -> bytes:
        """What a page is made to hold.

        Raises:
            GemelError: it cannot be made.
        """
        try:
            return await asyncio.to_thread(make)
        except GemelError:
            raise
        except Exception as error:
            self._log.error("request_failed", route="other", exc_info=error)
            raise InternalError("internal error") from error

    async def _refuse(
        self, scope: Scope, send: Send, error: GemelError, found: ByMethod | None
    ) -> None:
        label = next(iter(found.values())).route.label if found else "other"
        is_v2 = not found and scope["path"].startswith(f"{V2}/models/")
        sent = next((v for k, v in scope["headers"] if k == b"x-request-id"), b"")
        request_id = accepted_id(sent) or new_id()
        headers, body = rendered(error, V2 if is_v2 else label, request_id)
        if error.status == 405:
            allowed = methods(found) if found else ", ".join(READS)
            headers.append((b"allow", allowed.encode()))
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
