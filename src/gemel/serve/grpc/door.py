"""The door of gRPC into a service: its methods on a port, beside HTTP and in its event loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc

from gemel.errors import ConfigError
from gemel.serve.grpc import health, inference, native
from gemel.serve.grpc.exchange import Exchange
from gemel.serve.http.front import Front
from gemel.settings import ServeSettings

SERVICES = (
    (native.file, native.handlers),
    (inference.file, inference.handlers),
    (health.file, health.handlers),
)
MAX_CALLS = 200
"""That are being answered at one time; further ones are refused, since each may hold a message."""
MAX_STREAMS = 64
"""Calls of one connection."""
IDLE_MS = 300_000
"""Without a call, after which a connection is closed; clients open another by themselves."""
HELLO_MS = 10_000
"""In which a connection says that it speaks gRPC."""


class GrpcDoor:
    """The services `gemel.v1.Gemel`, `inference.GRPCInferenceService` and `grpc.health.v1.Health`.

    Args:
        front: of the same service over HTTP: who may ask, limits, counts.
        settings: host, port, certificate, largest message.
        log: a logger.

    Attributes:
        address: where it listens, once it has started.
    """

    def __init__(self, front: Front, settings: ServeSettings, log: Any) -> None:
        self._front, self._settings, self._log = front, settings, log
        self._server: Any = None
        self.address = ""

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        said = self._settings
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", said.max_body_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", 64 << 10),
                ("grpc.so_reuseport", 0),
                ("grpc.max_concurrent_streams", MAX_STREAMS),
                ("grpc.max_connection_idle_ms", IDLE_MS),
                ("grpc.server_handshake_timeout_ms", HELLO_MS),
            ],
            maximum_concurrent_rpcs=MAX_CALLS,
        )
        for file, handlers in SERVICES:
            name = f"{file().package}.{file().service}"
            found = {
                handler.name: grpc.unary_unary_rpc_method_handler(
                    Exchange(self._front, name, handler, self._log).__call__
                )
                for handler in handlers(self._front.door, file().classes())
            }
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, found)])
        host = f"[{said.host}]" if ":" in said.host else said.host
        asked = f"{host}:{said.grpc_port or 0}"
        try:
            secure = _credentials(said)
            bound = (
                server.add_secure_port(asked, secure) if secure else server.add_insecure_port(asked)
            )
        except RuntimeError as e:
            raise ConfigError(
                "cannot listen for gRPC", where=asked, hint="choose another serve.grpc_port, or 0"
            ) from e
        await server.start()
        self._server, self.address = server, f"{host}:{bound}"

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, and end when those in flight are answered."""
        if self._server is not None:
            await self._server.stop(grace_s)


def _credentials(said: ServeSettings) -> Any:
    """The certificate that HTTPS shows too; None without."""
    if not said.tls_cert:
        return None
    chain = Path(said.tls_cert).read_bytes()
    key = Path(said.tls_key or said.tls_cert).read_bytes()
    clients = Path(said.tls_clients).read_bytes() if said.tls_clients else None
    return grpc.ssl_server_credentials([(key, chain)], clients, clients is not None)
