"""The two clients: one pool of connections each, typed replies, errors as the library's own."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar

from gemel.client.answers import AGAIN, Patience, read
from gemel.client.asks import Ask
from gemel.client.trust import Pem, trust, why_not
from gemel.client.verbs import Verbs
from gemel.errors import ServiceUnreachable

if TYPE_CHECKING:  # which takes longer to load than all else here
    import httpx

Reply = TypeVar("Reply")


class _Connected(Verbs):
    """What both know of their service, and when they ask again.

    Args:
        url: of the service, such as `http://127.0.0.1:8080`.
        key: sent as `Authorization: Bearer`; None for a service that asks nobody.
        subject: for whom is asked: during a rollout one subject gets one release.
        timeout_s: of one attempt.
        retries: attempts after the first, at most.
        ca: PEM file of the authorities to trust in place of the usual ones.
        cert: PEM file of a certificate to show, where the service wants one.
        cert_key: PEM file of its private key; None where it stands in `cert`.
    Raises:
        ConfigError: one of these files cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        subject: str = "",
        timeout_s: float = 30.0,
        retries: int = 3,
        ca: Pem | None = None,
        cert: Pem | None = None,
        cert_key: Pem | None = None,
    ) -> None:
        said = {"content-type": "application/json", "user-agent": "gemel"}
        if key is not None:
            said["authorization"] = f"Bearer {key}"
        if subject:
            said["x-gemel-subject"] = subject
        self.url = url.rstrip("/")
        self._ca, verify = ca, trust(ca, cert, cert_key)
        self._pool = self._open(self.url, timeout=timeout_s, headers=said, verify=verify)
        self._patience = Patience(retries, random.Random())

    def _open(self, url: str, **how: Any) -> Any:
        """A pool of connections."""
        raise NotImplementedError

    def _again(self, ask: Ask[Any], attempt: int, came: httpx.Response | Exception) -> float | None:
        """Seconds until the request is sent again; None where the reply is what it is.

        Refusals for load wait as long as the service says; where the connection broke, a request
        is sent again that never arrived, or that changes nothing more.

        Raises:
            ServiceUnreachable: there is no reply, and it is not sent again.
        """
        import httpx

        if isinstance(came, httpx.Response):
            if came.status_code not in AGAIN:
                return None
            return self._patience.wait_s(attempt, came.headers.get("retry-after"))
        if "CERTIFICATE_VERIFY_FAILED" in str(came):
            hint = why_not(str(came), self._ca)
            raise ServiceUnreachable(str(came), where=self.url, hint=hint) from came
        never_sent = isinstance(came, httpx.ConnectError | httpx.ConnectTimeout)
        wait_s = self._patience.wait_s(attempt) if never_sent or ask.twice else None
        if wait_s is None:
            raise ServiceUnreachable(
                f"no answer: {str(came) or type(came).__name__}",
                where=self.url,
                hint="is it running there? start it with: gemel serve",
            ) from came
        return wait_s


class Client(_Connected):
    """Asks a service, from any number of threads. Close it, or use it in a `with`.

    The arguments are those of `AsyncClient`, the methods those of `gemel.client.asks`; each raises
    the error that the service met, as the class of `gemel.errors` that it is.

    Example:
        with Client("http://127.0.0.1:8080") as service:
            service.verify({"name": "Ann"}, {"name": "Anne"}).outcome
    """

    def _open(self, url: str, **how: Any) -> httpx.Client:
        import httpx

        return httpx.Client(base_url=url, **how)

    def send(self, ask: Ask[Reply]) -> Reply:
        """The reply to a request, sent again where that is safe."""
        import httpx

        content, attempt = ask.content, 0
        while True:
            attempt += 1
            came: httpx.Response | Exception
            try:
                came = self._pool.request(ask.method, ask.path, content=content)
            except httpx.TransportError as error:
                came = error
            wait_s = self._again(ask, attempt, came)
            if wait_s is None and isinstance(came, httpx.Response):
                return read(ask, came.status_code, came.content, self.url)
            time.sleep(wait_s or 0.0)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(_Connected):
    """Asks a service from an event loop: as `Client`, with `async with` and `await`."""

    def _open(self, url: str, **how: Any) -> httpx.AsyncClient:
        import httpx

        return httpx.AsyncClient(base_url=url, **how)

    async def send(self, ask: Ask[Reply]) -> Reply:
        """The reply to a request, sent again where that is safe."""
        import httpx

        content, attempt = ask.content, 0
        while True:
            attempt += 1
            came: httpx.Response | Exception
            try:
                came = await self._pool.request(ask.method, ask.path, content=content)
            except httpx.TransportError as error:
                came = error
            wait_s = self._again(ask, attempt, came)
            if wait_s is None and isinstance(came, httpx.Response):
                return read(ask, came.status_code, came.content, self.url)
            await asyncio.sleep(wait_s or 0.0)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
