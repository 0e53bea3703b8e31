"""Embeddings that were made already, up to a number of bytes; what was used last stays.

The key is the space and a digest of the payload as it was read, so nothing of another release or
another reading is ever found. What a batch asks for twice is encoded once. A tenant finds what it
asked for itself: a quick answer would tell it what others ask.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from gemel.arrays import Float32
from gemel.encode.encoder import Encoder
from gemel.telemetry import Metrics

if TYPE_CHECKING:  # which needs a package that few have
    from gemel.serve.cache.shared import Shared

OVERHEAD_BYTES = 400
"""Of an entry besides its numbers: key, array, place in the order."""
_encode = msgspec.json.Encoder(order="sorted").encode
Key = tuple[str, str, bytes]


class Cache:
    """The embeddings of one service; safe to use from several threads.

    Args:
        max_bytes: that all entries together may take.
        metrics: counts what was found.
        shared: a tier behind it, asked for what is not here; None for none.
    """

    def __init__(self, max_bytes: int, metrics: Metrics, shared: Shared | None = None) -> None:
        self._max_bytes, self._n_bytes = max_bytes, 0
        self._rows: OrderedDict[Key, Float32] = OrderedDict()
        self._lock = threading.Lock()
        self._shared, self._elsewhere = shared, metrics.counter("gemel_cache_total", "shared")
        self._found = metrics.counter("gemel_cache_total", "hit")
        self._missed = metrics.counter("gemel_cache_total", "miss")
        metrics.gauge("gemel_cache_bytes").set_function(lambda: self._n_bytes)

    def encode(self, encoder: Encoder, payloads: Sequence[Any], tenant: str = "") -> Float32:
        """The same rows as `encoder.encode`: (n, d) float32, those that are known not made again.

        Raises:
            InvalidInput: a payload cannot be prepared.
        """
        keys = [(tenant, encoder.space_id, _digest(payload)) for payload in payloads]
        with self._lock:
            rows = [self._get(key) for key in keys]
        missing = {key: i for i, key in enumerate(keys) if rows[i] is None}
        self._found.inc(len(keys) - len(missing))
        if missing:
            fresh = self._fresh(encoder, {key: payloads[i] for key, i in missing.items()})
            rows = [fresh[key] if row is None else row for key, row in zip(keys, rows, strict=True)]
            with self._lock:
                for key, row in fresh.items():
                    self._put(key, row)
        return np.stack([row for row in rows if row is not None])

    def _fresh(self, encoder: Encoder, missing: dict[Key, Any]) -> dict[Key, Float32]:
        """The rows of payloads that are not known here."""
        shared = self._shared
        known = {} if shared is None else shared.get([*missing], encoder.dim)
        self._elsewhere.inc(len(known))
        unknown = [key for key in missing if key not in known]
        if not unknown:
            return known
        self._missed.inc(len(unknown))
        rows = encoder.encode([missing[key] for key in unknown])
        made = dict(zip(unknown, rows, strict=True))
        if shared is not None:
            shared.put(made)
        return known | made

    def _get(self, key: Key) -> Float32 | None:
        row = self._rows.get(key)
        if row is not None:
            self._rows.move_to_end(key)
        return row

    def _put(self, key: Key, row: Float32) -> None:
        size = row.nbytes + OVERHEAD_BYTES
        if key in self._rows or size > self._max_bytes:
            return
        self._rows[key] = row.copy()  # a view would hold its whole batch
        self._n_bytes += size
        while self._n_bytes > self._max_bytes:
            _, old = self._rows.popitem(last=False)
            self._n_bytes -= old.nbytes + OVERHEAD_BYTES


def _digest(payload: Any) -> bytes:
    said = payload if isinstance(payload, bytes) else _encode(payload)
    return blake2b(said, digest_size=16).digest()
