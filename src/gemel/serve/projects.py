"""Further projects of one process: each with its own release, records, keys and rollouts.

One is opened when somebody first asks for it and closed when nobody does and its memory is wanted.
What answers it is a whole service, so nothing of one can be reached from another.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gemel.errors import GemelError, InternalError, NotAllowed, UnknownPath, quoted
from gemel.serve.http.guard import is_local
from gemel.serve.http.problems import rendered
from gemel.serve.http.routes.call import Receive, Scope, Send, new_id

if TYPE_CHECKING:  # which knows of these
    from gemel.serve.http.front import Front

PREFIX = "/projects/"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
PROJECT_BYTES, RECORD_BYTES = 50_000_000, 300
"""Of an open project without encoder and records; of a record besides its embedding. Estimates."""
Open = Callable[[str], AbstractContextManager["Front"]]
Admit = Callable[[str, Iterable[tuple[bytes, bytes]]], object]


@dataclass(eq=False)
class _Opened:
    """A project that somebody asked for; `front` is None until it is open."""

    front: Front | None = None
    closing: ExitStack = field(default_factory=ExitStack)
    n_using: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Projects:
    """The projects beside the one that a process is started for.

    Args:
        open_: gives the web application of a project, which is closed with its context; raises
            `UnknownPath` where there is none of that name.
        max_bytes: of memory that projects which nobody uses may take.
        log: a logger.
        admit: raises for whom a project that is not open is not opened, told its name and the
            headers of the request.
    """

    def __init__(self, open_: Open, max_bytes: int, log: Any, admit: Admit) -> None:
        self._open, self._max_bytes, self._log, self._admit = open_, max_bytes, log, admit
        self._opened: OrderedDict[str, _Opened] = OrderedDict()
        self._closing: set[asyncio.Future[None]] = set()
        self._pool = ThreadPoolExecutor(1, "gemel-projects")

    @property
    def names(self) -> tuple[str, ...]:
        """Of those that are open, the one used last at the end."""
        return tuple(name for name, one in self._opened.items() if one.front is not None)

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        check: Callable[[Scope], None],
        *,
        wants_keys: bool,
    ) -> None:
        """Answer a request whose path begins with `/projects/NAME/`.

        Args:
            scope: of the request.
            receive: see ASGI.
            send: see ASGI.
            check: raises for whom no project is opened, told what the project would be asked.
            wants_keys: the service is guarded, so a project without keys answers nobody: behind a
                proxy everybody comes from this machine.
        """
        path, raw = str(scope["path"]), bytes(scope["raw_path"])
        name, slash, rest = path[len(PREFIX) :].partition("/")
        start = f"{PREFIX}{name}/".encode()
        try:
            if not NAME.fullmatch(name) or not slash or not raw.startswith(start):
                raise UnknownPath(f"no project {quoted(name)}", hint=f"{PREFIX}NAME/v1/verify")
            inner = {**scope, "path": f"/{rest}", "raw_path": b"/" + raw[len(start) :]}
            check(inner)
            if name not in self.names:  # to open it costs others their memory
                await asyncio.get_running_loop().run_in_executor(
                    self._pool, self._admit, name, scope["headers"]
                )
            async with self._entered(name) as front:
                host = (scope.get("client") or ("",))[0]
                is_open = is_local(host) and not wants_keys
                if not is_open and not front.access.is_guarded:
                    what = "this project asks nobody who they are, so it answers nobody here"
                    hint = "make a key for it: gemel keys add NAME --role reader"
                    raise NotAllowed(what, hint=hint)
                await front(inner, receive, send)
        except GemelError as error:
            await self._refuse(send, error)

    async def close(self) -> None:
        """Close all of them; nobody may be answered any more."""
        for one in self._opened.values():
            await self._end(one)
        if self._closing:
            await asyncio.wait(self._closing)
        self._opened.clear()
        self._pool.shutdown()

    @asynccontextmanager
    async def _entered(self, name: str) -> AsyncIterator[Front]:
        """The application of a project, which stays open inside.

        Raises:
            GemelError: it cannot be served.
        """
        one = self._opened.setdefault(name, _Opened())
        one.n_using += 1
        try:
            async with one.lock:
                if one.front is None:
                    one.front = await self._begin(name, one)
            self._opened.move_to_end(name)
            yield one.front
        finally:
            one.n_using -= 1
            if one.front is None and not one.n_using:
                self._opened.pop(name, None)

    async def _begin(self, name: str, one: _Opened) -> Front:
        """Open a project, and close others whose memory is wanted."""
        while self._closing:  # it may be this one, and a gallery has one writer
            await asyncio.wait(self._closing)
        loop = asyncio.get_running_loop()
        try:
            front = await loop.run_in_executor(
                self._pool, one.closing.enter_context, self._open(name)
            )
        except GemelError:
            raise
        except Exception as error:
            self._log.error("project_unopened", project=name, exc_info=error)
            raise InternalError("this project cannot be opened") from error
        await front.door.start()
        taken = {n: _n_bytes(o.front) for n, o in self._opened.items() if o.front is not None}
        excess = sum(taken.values()) + _n_bytes(front) - self._max_bytes
        for other, size in taken.items():
            if excess > 0 and not self._opened[other].n_using:
                gone = asyncio.ensure_future(self._end(self._opened.pop(other)))
                self._closing.add(gone)
                gone.add_done_callback(self._closing.discard)
                excess -= size
        return front

    async def _end(self, one: _Opened) -> None:
        if one.front is not None:
            await one.front.door.stop()
            await asyncio.get_running_loop().run_in_executor(self._pool, one.closing.close)

    async def _refuse(self, send: Send, error: GemelError) -> None:
        headers, body = rendered(error, "other", new_id())
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _n_bytes(front: Front) -> int:
    """Memory that a project takes, about: its encoder, and its records."""
    live = front.door.live
    folder, gallery = live.release.folder / "encoder", live.gallery
    n_encoder = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    n_records = 0 if gallery is None else gallery.count() * (4 * gallery.dim + RECORD_BYTES)
    return PROJECT_BYTES + n_encoder + n_records
