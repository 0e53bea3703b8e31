"""The service of the project here, as an ASGI application and as a function of a cloud.

`uvicorn gemel.asgi:app`, or `gemel.asgi.handler` for AWS Lambda and whatever calls functions as it
does (format 2.0 of API Gateway, function URLs). GEMEL_PROJECT names another folder than the
working directory. Opened at the first start or call, and kept. Without keys only this machine is
answered.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from gemel.errors import ConfigError, GemelError, InternalError, NotAllowed, quoted
from gemel.serve.http.guard import is_local
from gemel.serve.http.problems import rendered
from gemel.serve.http.routes.call import new_id


class Application:
    """A callable of ASGI: opens the project when it starts, closes it when it ends.

    Args:
        folder: of the project; None for GEMEL_PROJECT, or the working directory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._front: Any = None
        self._opened = ExitStack()

    def open(self) -> None:
        """Open the project, once.

        Raises:
            GemelError: it cannot be served.
        """
        if self._front is not None:
            return
        from gemel.cli.project import Project
        from gemel.cli.serve import application
        from gemel.telemetry import log_to

        folder = self._folder or Path(os.environ.get("GEMEL_PROJECT", ""))
        if not folder.is_dir():
            what = f"there is no folder {quoted(str(folder))}"
            raise ConfigError(what, where="GEMEL_PROJECT", hint="name that of a project")
        file = folder / "gemel.toml"
        project = Project.open(file if file.is_file() else None)
        self._front = self._opened.enter_context(application(project, log_to()))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, or start and stop."""
        if scope["type"] == "lifespan":
            try:
                await asyncio.to_thread(self.open)
            except GemelError as error:  # raised, it would read as "no lifespan here"
                await receive()
                message = "\n".join(
                    filter(None, [str(error), error.hint and f"hint: {error.hint}"])
                )
                await send({"type": "lifespan.startup.failed", "message": message})
                return
            try:
                await self._front(scope, receive, send)
            finally:
                self._front = None
                await asyncio.to_thread(self._opened.close)
            return
        host = (scope.get("client") or ("",))[0]
        if not is_local(host) and not self._front.access.is_guarded:
            what = "other machines would be answered by a service that asks nobody who they are"
            hint = "make a key first: gemel keys add NAME --role reader"
            headers, body = rendered(NotAllowed(what, hint=hint), "other", new_id())
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await self._front(scope, receive, send)


class Function:
    """A function that is called with one request at a time, and keeps what it opened.

    Args:
        application: that answers.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._loop: asyncio.AbstractEventLoop | None = None
        self._said: asyncio.Queue[dict[str, Any]] | None = None
        self._life: asyncio.Task[None] | None = None

    def __call__(self, event: Mapping[str, Any], context: Any = None) -> dict[str, Any]:
        """The reply to an event of API Gateway's format 2.0.

        Args:
            event: the request.
            context: of the call; the time that it has left is the request's deadline.
        Raises:
            GemelError: the project cannot be served.
        """
        if self._loop is None:
            self._application.open()
            self._loop = asyncio.new_event_loop()
            self._loop.run_until_complete(self._start())
        return self._loop.run_until_complete(self._answer(event, context))

    def close(self) -> None:
        """Finish and close the project."""
        if self._loop is not None and self._said is not None and self._life is not None:
            self._said.put_nowait({"type": "lifespan.shutdown"})
            self._loop.run_until_complete(self._life)
            self._loop.close()
            self._loop = None

    async def _start(self) -> None:
        said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        started = asyncio.get_running_loop().create_future()

        async def told(message: Any) -> None:
            if not started.done():
                started.set_result(message["type"] == "lifespan.startup.complete")

        said.put_nowait({"type": "lifespan.startup"})
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._said = said
        self._life = asyncio.create_task(self._application(scope, said.get, told))
        await asyncio.wait([started, self._life], return_when=asyncio.FIRST_COMPLETED)
        if not started.done() or not started.result():
            await self._life
            raise InternalError("the service did not start")

    async def _answer(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        scope, body = _request(event, context)
        reply: dict[str, Any] = {"isBase64Encoded": True}
        parts: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                reply["statusCode"] = message["status"]
                pairs = message.get("headers", ())
                reply["headers"] = {k.decode("latin-1"): v.decode("latin-1") for k, v in pairs}
            else:
                parts.append(message.get("body", b""))

        await self._application(scope, receive, send)
        content = b"".join(parts)
        try:
            reply |= {"body": content.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            reply["body"] = base64.b64encode(content).decode()
        return reply


def _request(event: Mapping[str, Any], context: Any) -> tuple[dict[str, Any], bytes]:
    """An event as a scope of ASGI and the body."""
    about = event.get("requestContext", {}).get("http", {})
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in event.get("headers", {}).items()
    ]
    if context is not None:
        ms = str(max(1, context.get_remaining_time_in_millis()))
        headers = [pair for pair in headers if pair[0] != b"x-gemel-timeout-ms"]
        headers.append((b"x-gemel-timeout-ms", ms.encode()))
    sent = event.get("body") or ""
    body = base64.b64decode(sent) if event.get("isBase64Encoded") else sent.encode()
    if body and not any(name == b"content-length" for name, _ in headers):
        headers.append((b"content-length", b"%d" % len(body)))
    path = event.get("rawPath", "/")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": about.get("method", "GET"),
        "scheme": "https",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": event.get("rawQueryString", "").encode("latin-1"),
        "root_path": "",
        "headers": headers,
        "client": (about.get("sourceIp", ""), 0),
        "server": ("localhost", 443),
        "state": {},
    }
    return scope, body


app = Application()
handler = Function(app)
