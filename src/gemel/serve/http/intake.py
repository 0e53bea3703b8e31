"""What bodies may hold at one time, and the thread in which large ones are decoded, one by one.

Small bodies are always taken, so that large ones, or halves of them, shut nobody out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gemel.errors import Overloaded
from gemel.serve.http.body import LARGE, Body
from gemel.serve.reader.jobs import Look, place
from gemel.serve.reader.reader import Reader
from gemel.telemetry import Metrics

T = TypeVar("T")
MAX_HELD = 64 << 20
"""Bytes that large bodies hold together, from their headers until they are answered."""
PACE = 64 << 20
"""Bytes a second of large bodies, of all connections together, as long as they come: the event loop
takes in something else between two parts of them."""


class Intake:
    """The bounds of one service.

    Args:
        max_body: bytes of one body, at most.
        metrics: what is counted.
        reader: looks through what is very large.
    """

    def __init__(self, max_body: int, metrics: Metrics, reader: Reader) -> None:
        self._reader = reader
        self.max_body = max_body
        self._room = max(MAX_HELD, 2 * max_body)
        self._held = 0
        self._free_at = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gemel-decode")
        metrics.gauge("gemel_body_bytes").set_function(lambda: self._held)

    def take(self, n_bytes: int) -> None:
        """Hold so many bytes more.

        Raises:
            Overloaded: there is no room.
        """
        if self._held + n_bytes > self._room:
            raise Overloaded(
                f"large bodies hold {self._held:,} bytes, the limit is {self._room:,}",
                hint="try again after the time in Retry-After, or send less at a time",
            )
        self._held += n_bytes

    def give_back(self, n_bytes: int) -> None:
        """Hold so many bytes less."""
        self._held -= n_bytes

    def wait_s(self, n_bytes: int) -> float:
        """Seconds until it is the turn of whoever has sent so many bytes of a large body."""
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + n_bytes / PACE
        return self._free_at - now

    async def aside(self, work: Callable[[], T]) -> T:
        """What work comes to that would hold up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def read(self, kind: Body[T], parts: Sequence[bytes]) -> T:
        """What a large body holds.

        Args:
            kind: what it must be.
            parts: of it, as they came.
        Raises:
            RequestError: see `Body.read`.
        """
        return await self.aside(lambda: self._read(kind, parts))

    def _read(self, kind: Body[T], parts: Sequence[bytes]) -> T:
        if sum(map(len, parts)) < LARGE:
            return kind.read(b"".join(parts))
        self._reader.run(Look(place(kind.kind)), *parts)
        return kind.decode(b"".join(parts))

    def close(self) -> None:
        """Take no more work."""
        self._thread.shutdown(wait=False, cancel_futures=True)
