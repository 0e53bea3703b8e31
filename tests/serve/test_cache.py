from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from tests.serve import small
from tests.serve.small import ROWS

from gemel.encode.encoder import Encoder
from gemel.release.release import Release
from gemel.serve.cache.own import OVERHEAD_BYTES, Cache
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.telemetry import Metrics

ENTRY = small.DIM * 4 + OVERHEAD_BYTES


def counted(metrics: Metrics) -> tuple[float, float, float]:
    """Hits, misses and bytes."""
    value = metrics.registry.get_sample_value
    hits, misses = (value("gemel_cache_total", {"result": r}) for r in ("hit", "miss"))
    return hits or 0.0, misses or 0.0, value("gemel_cache_bytes") or 0.0


def row(i: int) -> dict[str, Any]:
    return {**ROWS[i % 5], "born": float(i)}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return small.release(tmp_path_factory.mktemp("release") / "small").encoder


def test_repeating_traffic_is_mostly_known(encoder: Encoder) -> None:
    """Zipf's law with exponent 1.1 over 20,000 items, of which a tenth fits."""
    metrics = Metrics()
    cache = Cache(2000 * ENTRY, metrics)
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, 20_001) ** 1.1
    asked = rng.choice(20_000, 20_000, p=weights / weights.sum())
    for batch in asked.reshape(-1, 20):
        cache.encode(encoder, [row(int(i)) for i in batch])
    hits, misses, n_bytes = counted(metrics)
    assert hits + misses == 20_000
    assert hits / (hits + misses) > 0.7
    assert n_bytes <= 2000 * ENTRY


def test_what_is_kept_is_what_the_encoder_gives_and_is_bounded(encoder: Encoder) -> None:
    metrics = Metrics()
    cache = Cache(3 * ENTRY, metrics)
    rows = [row(i) for i in (1, 2, 1, 3)]
    for _ in range(2):
        np.testing.assert_allclose(cache.encode(encoder, rows), encoder.encode(rows), atol=1e-6)
    assert counted(metrics) == (1 + 4, 3, 3 * ENTRY)
    cache.encode(encoder, [row(4)])  # the one that was used longest ago makes room: 2
    cache.encode(encoder, [row(1), row(3)])
    assert counted(metrics)[1] == 4
    cache.encode(encoder, [row(2)])
    assert counted(metrics)[1] == 5


def test_another_space_never_sees_it(encoder: Encoder, release: Release) -> None:
    other = Encoder(encoder.prepare, small.network(7))
    cache = Cache(10**6, Metrics())
    mine, theirs = (cache.encode(one, ROWS) for one in (encoder, other))
    assert not np.allclose(mine, theirs)
    np.testing.assert_allclose(theirs, other.encode(ROWS), atol=1e-6)


def test_the_same_at_once_is_encoded_once(release: Release) -> None:
    service = Service(release, cache_bytes=10**6)
    start = threading.Barrier(16)
    with running(create_app(service)) as url, httpx.Client(base_url=url, timeout=30) as client:

        def ask(_: int) -> dict[str, Any]:
            start.wait()
            return client.post("/v1/verify", json={"left": ROWS[0], "right": ROWS[1]}).json()

        with ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(ask, range(16)))
        assert {reply["score"] for reply in replies} == {replies[0]["score"]}
        assert counted(service.metrics)[:2] == (30, 2)
