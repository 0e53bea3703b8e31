"""Several processes share embeddings in a real server, and need it for nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import redis
from tests.programs import REDIS, require
from tests.serve import small
from tests.serve.small import ROWS
from tests.serve.test_cache import ENTRY, row

from gemel.encode.encoder import Encoder
from gemel.errors import ConfigError
from gemel.release.release import Release
from gemel.serve.cache.own import Cache
from gemel.serve.cache.shared import REST_SECONDS, Shared
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.telemetry import Metrics, log_to

QUIET = log_to(level="critical")


@dataclass
class Server:
    """A server that listens at a socket in a folder."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/socket"

    def start(self) -> None:
        require(redis_server=REDIS)
        options = ("--port", "0", "--unixsocket", "socket", "--save", "", "--dir", ".")
        self.process = subprocess.Popen(
            [str(REDIS), *options], cwd=self.folder, stdout=subprocess.DEVNULL
        )
        with redis.Redis.from_url(self.url) as asked:
            for _ in range(1000):
                try:
                    asked.ping()
                    return
                except redis.ConnectionError:
                    assert self.process.poll() is None
        raise AssertionError("it did not start")

    def send(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:  # a path of a socket has to be short
        one = Server(Path(folder))
        one.start()
        yield one
        one.stop()


@pytest.fixture
def empty(server: Server) -> Server:
    with redis.Redis.from_url(server.url) as asked:
        asked.flushall()
    return server


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return small.release(tmp_path_factory.mktemp("release") / "small").encoder


@dataclass
class Process:
    """What one process has: a cache of its own, the shared tier, and a clock."""

    metrics: Metrics
    shared: Shared
    cache: Cache
    now: list[float]

    def counted(self) -> dict[str, int]:
        value = self.metrics.registry.get_sample_value
        said = {r: value("gemel_cache_total", {"result": r}) for r in ("hit", "shared", "miss")}
        said["failed"] = value("gemel_cache_failures_total")
        return {name: int(n or 0) for name, n in said.items()}


def process(url: str, n_kept: int = 2000, timeout_s: float = 10.0) -> Process:
    metrics, now = Metrics(), [0.0]
    shared = Shared(url, metrics, QUIET, clock=lambda: now[0], timeout_s=timeout_s)
    return Process(metrics, shared, Cache(n_kept * ENTRY, metrics, shared), now)


def test_a_process_that_begins_finds_what_others_have_made(empty: Server, encoder: Encoder) -> None:
    """Zipf's law with exponent 1.1 over 20,000 items, as for the cache of one process."""
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, 20_001) ** 1.1
    asked = rng.choice(20_000, 10_000, p=weights / weights.sum()).reshape(-1, 20)
    shares = []
    for _ in range(2):
        one = process(empty.url)
        for batch in asked:
            one.cache.encode(encoder, [row(int(i)) for i in batch])
            one.shared.flush()  # else a busy machine leaves out what waits too long
        said = one.counted()
        one.shared.close()
        assert said["hit"] + said["shared"] + said["miss"] == asked.size
        shares.append((said["hit"] + said["shared"]) / asked.size)
    alone, beside = shares
    assert alone > 0.6 and beside == 1.0, (alone, beside)


def test_what_it_gives_is_what_the_encoder_gives_and_never_of_another(
    empty: Server, encoder: Encoder
) -> None:
    first, second = process(empty.url), process(empty.url)
    rows = [row(i) for i in range(6)]
    made = first.cache.encode(encoder, rows)
    first.shared.flush()
    np.testing.assert_array_equal(second.cache.encode(encoder, rows), made)
    assert second.counted() == {"hit": 0, "shared": 6, "miss": 0, "failed": 0}
    second.cache.encode(encoder, rows)
    assert second.counted()["hit"] == 6, "it is kept here from then on"
    other = Encoder(encoder.prepare, small.network(7))
    np.testing.assert_allclose(second.cache.encode(other, rows), other.encode(rows), atol=1e-6)
    second.cache.encode(encoder, rows, tenant="acme")
    assert second.counted()["miss"] == 12, "another space, another tenant"
    second.shared.flush()
    with redis.Redis.from_url(empty.url) as asked:
        names = asked.keys("gemel:*")
        assert len(names) == 18
        assert all(0 < asked.ttl(name) <= 86_400 for name in names)
    for one in (first, second):
        one.shared.close()


def test_what_is_no_embedding_is_not_taken_for_one(empty: Server, encoder: Encoder) -> None:
    first = process(empty.url)
    made = first.cache.encode(encoder, ROWS[:3])
    first.shared.flush()
    with redis.Redis.from_url(empty.url) as asked:
        bad = (b"", made[0].tobytes() + b"x", (2 * made[0]).tobytes())
        for name, value in zip(asked.keys("gemel:*"), bad, strict=True):
            asked.set(name, value)
    second = process(empty.url)
    np.testing.assert_array_equal(second.cache.encode(encoder, ROWS[:3]), made)
    assert second.counted() == {"hit": 0, "shared": 0, "miss": 3, "failed": 3}
    for one in (first, second):
        one.shared.close()


def test_a_server_that_hangs_or_is_gone_fails_nothing(empty: Server, encoder: Encoder) -> None:
    one = process(empty.url, timeout_s=0.1)
    expected = encoder.encode(ROWS)
    for first, stop, again in (
        (0, lambda: empty.send(signal.SIGSTOP), lambda: empty.send(signal.SIGCONT)),
        (1000, empty.stop, empty.start),
    ):
        failed = one.counted()["failed"]
        stop()
        for i in range(first, first + 50):
            rows = [{**each, "born": float(i)} for each in ROWS]
            np.testing.assert_allclose(
                one.cache.encode(encoder, rows), encoder.encode(rows), atol=1e-6
            )
        assert one.counted()["failed"] == failed + 1, "it was asked once, and then left alone"
        again()
        one.now[0] += REST_SECONDS + 1
        fresh = process(empty.url)
        np.testing.assert_allclose(one.cache.encode(encoder, ROWS), expected, atol=1e-6)
        one.shared.flush()
        np.testing.assert_allclose(fresh.cache.encode(encoder, ROWS), expected, atol=1e-6)
        fresh.shared.close()
    assert one.counted()["failed"] == 2
    one.shared.close()


def test_two_services_share_and_one_whose_server_is_gone_answers(
    empty: Server, release: Release
) -> None:
    pair: dict[str, Any] = {"left": ROWS[0], "right": ROWS[1]}
    scores = set()
    for url, known in ((empty.url, 0), (empty.url, 2), ("redis://127.0.0.1:1/0", 0)):
        metrics = Metrics()
        shared = Shared(url, metrics, QUIET, timeout_s=10.0)
        service = Service(release, metrics=metrics, cache_bytes=10**6, shared=shared)
        with running(create_app(service)) as at:
            reply = httpx.post(f"{at}/v1/verify", json=pair)
            assert reply.status_code == 200
            scores.add(reply.json()["score"])
            figures = httpx.get(f"{at}/metrics").text
        shared.flush()
        shared.close()
        assert f'gemel_cache_total{{result="shared"}} {known}.0' in figures
    assert len(scores) == 1
    with pytest.raises(ConfigError, match="no address"):
        Shared("http://127.0.0.1", Metrics(), QUIET)
