"""The tier of the cache that several processes share, in Redis or Valkey.

It saves work and is never needed: what it does not answer at once is made here, and while it does
not answer it is not asked. What it holds is taken for an embedding only if it looks like one; who
can write to it can change decisions. Needs `gemel[redis]`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from gemel.arrays import Float32
from gemel.errors import ConfigError
from gemel.telemetry import Metrics, log_to

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as e:
    raise ConfigError(
        "a shared cache needs redis", where="serve.cache_url", hint="pip install 'gemel[redis]'"
    ) from e

Key = tuple[str, str, bytes]
"""Tenant, space and digest of a payload."""
TIMEOUT_SECONDS = 0.05
REST_SECONDS = 5.0
"""In which it is not asked after it has failed."""
KEPT_SECONDS = 86_400
MAX_WAITING = 64
"""Batches that wait to be written; what does not fit is left out."""
UNIT = 1e-3
"""An embedding has the length one, within this."""


class Shared:
    """Embeddings by key on a server; safe to use from several threads.

    Args:
        url: of the server: `redis://`, `rediss://` (TLS) or `unix://`.
        metrics: counts failures.
        log: a logger; JSON lines to stderr if left out.
        clock: seconds.
        timeout_s: for which an answer is waited.

    Raises:
        ConfigError: the address is none.
    """

    def __init__(
        self,
        url: str,
        metrics: Metrics,
        log: Any = None,
        clock: Callable[[], float] = time.monotonic,
        timeout_s: float = TIMEOUT_SECONDS,
    ) -> None:
        wait = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
        try:
            self._server = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **wait)
        except ValueError as e:
            hint = "such as redis://127.0.0.1:6379/0"
            raise ConfigError(f"no address: {e}", where="serve.cache_url", hint=hint) from e
        self._log, self._clock = log or log_to(), clock
        self._failures = metrics.counter("gemel_cache_failures_total")
        self._rests_until, self._has_failed = 0.0, False
        self._waiting: queue.Queue[Mapping[Key, Float32] | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._write, name="gemel-cache", daemon=True)
        self._thread.start()

    def get(self, keys: Sequence[Key], dim: int) -> dict[Key, Float32]:
        """The unit rows that are known of some keys, each (d,) float32.

        Args:
            keys: that are asked for.
            dim: d.
        """
        if not keys or self._clock() < self._rests_until:
            return {}
        try:
            found: Any = self._server.mget([_name(key) for key in keys])
        except (redis.RedisError, OSError) as error:
            self._fail(error)
            return {}
        self._has_failed = False
        rows = {}
        for key, value in zip(keys, found, strict=True):
            row = None if value is None else _row(value, dim)
            if row is not None:
                rows[key] = row
            elif value is not None:
                self._failures.inc()
        return rows

    def put(self, rows: Mapping[Key, Float32]) -> None:
        """Write rows soon; returns at once."""
        if self._clock() < self._rests_until:
            return
        try:
            self._waiting.put_nowait(rows)
        except queue.Full:
            self._failures.inc()

    def flush(self) -> None:
        """Wait until what was put is written."""
        self._waiting.join()

    def close(self) -> None:
        """Write what waits, and end."""
        self._waiting.put(None)
        self._thread.join()
        self._server.close()

    def _write(self) -> None:
        while True:
            rows = self._waiting.get()
            if rows is not None and self._clock() >= self._rests_until:
                with suppress(Exception):  # it is counted; the next ones are written all the same
                    self._send(rows)
            self._waiting.task_done()
            if rows is None:
                return

    def _send(self, rows: Mapping[Key, Float32]) -> None:
        try:
            with self._server.pipeline(transaction=False) as sent:
                for key, row in rows.items():
                    sent.set(_name(key), row.astype("<f4").tobytes(), ex=KEPT_SECONDS)
                sent.execute()
        except (redis.RedisError, OSError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Count it, say it once, and let the server rest."""
        self._failures.inc()
        self._rests_until = self._clock() + REST_SECONDS
        if not self._has_failed:
            self._log.warning("cache_unreachable", error=str(error))
        self._has_failed = True


def _name(key: Key) -> bytes:
    tenant, space, digest = key
    return f"gemel:{space}:{tenant}:".encode() + digest


def _row(value: bytes, dim: int) -> Float32 | None:
    """The row in some bytes; None if they hold none."""
    if len(value) != 4 * dim:
        return None
    row = np.frombuffer(value, "<f4").astype(np.float32)
    return row if abs(float(row @ row) - 1) < UNIT else None
