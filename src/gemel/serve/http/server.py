"""The web application on a socket: start, say where, and stop without losing a request.

A first SIGTERM or SIGINT makes the service not ready, lets what is in flight finish and ends with
success; a second one does not wait.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import uvicorn

from gemel.errors import ConfigError, GemelError
from gemel.serve.access import tls
from gemel.serve.http.connection import Connection
from gemel.serve.http.front import Front
from gemel.serve.http.guard import is_local
from gemel.settings import ServeSettings
from gemel.telemetry import Forward, log_to

SIGNALS = (signal.SIGTERM, signal.SIGINT)
GRACE_SECONDS = 4
"""In which what has come whole is answered after a signal."""
MAX_CONNECTIONS = 2000
SWITCH_SECONDS = 0.0001
"""After which a thread that computes lets another one go on: a request needs several turns."""
COLLECT = (5_000, 20, 100)
"""Of the collector of garbage, which stops every thread: almost nothing here goes in circles."""
START_SECONDS = 30.0


class Beside(Protocol):
    """Another door, in the event loop of the server."""

    async def start(self) -> None:
        """Listen."""

    async def stop(self, grace_s: float) -> None:
        """Take no more, and end when what is in flight is answered."""


def run(
    app: Front,
    settings: ServeSettings | None = None,
    *,
    log: Any = None,
    drain_s: float = 0.0,
    on_ready: Callable[[str], None] | None = None,
    beside: Beside | None = None,
) -> None:
    """Serve until a signal comes; returns when everything in flight is finished.

    Args:
        app: from `create_app`.
        settings: host and port.
        log: a logger; JSON lines to stderr if left out.
        drain_s: how long to go on answering as "not ready" before the socket is closed, so that a
            balancer can notice.
        on_ready: called with the address once the service answers.
        beside: another door into the same service.
    Raises:
        ConfigError: the address cannot be listened on, or is public and nobody needs a key, or the
            certificate is none.
    """
    settings = settings or ServeSettings()
    log = log or log_to()
    if not is_local(settings.host) and not app.access.is_guarded:
        raise ConfigError(
            "other machines would reach a service that asks nobody who they are",
            where=f"serve.host {settings.host}",
            hint="make a key first: gemel keys add NAME --role reader",
        )
    secure = tls.options(settings)
    sock = bind(settings.host, settings.port)
    url = address(sock, "https" if secure else "http")
    server = _Server(app, log, secure, beside)

    async def serve() -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if app.door.is_stopping:
                server.force_exit = server.should_exit = True
                return
            log.info("service_stopping", drain_s=drain_s)
            app.door.begin_stop()
            loop.call_later(drain_s, setattr, server, "should_exit", True)

        for number in SIGNALS:
            loop.add_signal_handler(number, stop)

        def ready() -> None:
            # What exists by now stays: looking through it for garbage would stop requests.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*COLLECT)
            log.info("service_started", url=url)
            if not is_local(settings.host):
                log.warning("service_is_public", host=settings.host, tls=bool(secure))
            if on_ready is not None:
                on_ready(url)

        server.on_started = ready
        await server.serve([sock])
        if server.failure is not None:
            raise server.failure

    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=_loop()) as runner:
        runner.run(serve())
    log.info("service_stopped")


@contextmanager
def running(
    app: Front,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    log: Any = None,
    beside: Beside | None = None,
) -> Iterator[str]:
    """Serve in a thread while the block runs; gives the address.

    Args:
        app: from `create_app`.
        host: address to listen on.
        port: 0 takes any free one.
        log: a logger; JSON lines to stderr if left out.
        beside: another door into the same service.
    Raises:
        ConfigError: the address cannot be listened on, or the application does not start.
    """
    sock = bind(host, port)
    url = address(sock)
    server = _Server(app, log or log_to(), beside=beside)
    started = threading.Event()
    server.on_started = started.set

    def serve() -> None:
        with asyncio.Runner(loop_factory=_loop()) as runner:
            runner.run(server.serve([sock]))
        started.set()

    thread = threading.Thread(target=serve, name="gemel-http")
    thread.start()
    try:
        started.wait(START_SECONDS)
        if not server.started or server.failure is not None:
            raise server.failure or ConfigError("the service did not start", where=url)
        yield url
    finally:
        server.should_exit = True
        thread.join()


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(2048)
    except OSError as e:
        sock.close()
        raise ConfigError(
            f"cannot listen: {e.strerror}",
            where=f"{host}:{port}",
            hint="choose another serve.port, or 0 for any free one",
        ) from e
    return sock


def address(sock: socket.socket, scheme: str = "http") -> str:
    """The address of a listening socket, as a person would type it."""
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}"


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handling and log set-up."""

    def __init__(
        self,
        app: Front,
        log: Any,
        secure: Mapping[str, Any] | None = None,
        beside: Beside | None = None,
    ) -> None:
        for name in ("uvicorn", "uvicorn.error"):
            logger = logging.getLogger(name)
            logger.handlers = [Forward(log)] if name == "uvicorn" else []
            logger.setLevel(logging.ERROR)  # below that, anybody could fill a disk
        logging.getLogger("uvicorn").propagate = False
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="on",
                ws="none",
                proxy_headers=False,
                http=Connection,
                limit_concurrency=min(MAX_CONNECTIONS, _n_files() // 2),
                timeout_graceful_shutdown=GRACE_SECONDS,
                **(secure or {}),
            )
        )
        self.on_started: Callable[[], None] | None = None
        self._beside = beside
        self.failure: Exception | None = None

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Signals are handled by `run`, which ends with success after one."""
        return nullcontext()

    async def on_tick(self, counter: int) -> bool:
        """Close connections whose clients are late, twice a second."""
        if counter % 5 == 0:
            now = time.monotonic()
            for connection in tuple(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.sweep(now)
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the service, then tell whoever waits."""
        await super().startup(sockets)
        try:
            if self.started and self._beside is not None:
                await self._beside.start()
        except GemelError as error:
            self.failure, self.should_exit = error, True
        if self.started and self.failure is None and self.on_started is not None:
            self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door beside, then ours and the service."""
        if self._beside is not None:
            await self._beside.stop(GRACE_SECONDS)
        await super().shutdown(sockets)


def _n_files() -> int:
    """Files and sockets that this process may have open."""
    try:
        import resource
    except ImportError:  # not on this platform
        return 2 * MAX_CONNECTIONS
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 2 * MAX_CONNECTIONS if limit == resource.RLIM_INFINITY else limit


def _loop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # not built for this platform
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
