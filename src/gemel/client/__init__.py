"""Ask a service over HTTP: `Client`, and `AsyncClient` for event loops. Needs `gemel[client]`."""

from gemel.client.clients import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
