"""Real service processes, and clients that ask them all the time."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.serve.rollout.kept import PEOPLE

from gemel.release.release import Release

N_CLIENTS = 3
DEADLINE_S = 60


@dataclass
class Load:
    """Clients that ask until they are told to end, and what they saw."""

    url: str
    seen: list[tuple[int, dict[str, Any], str]] = field(default_factory=list)
    end: threading.Event = field(default_factory=threading.Event)

    def ask(self, seed: int) -> None:
        rng = random.Random(seed)
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        for i in itertools.count():
            if self.end.is_set():
                break
            left, right = PEOPLE[at := 2 * rng.randrange(len(PEOPLE) // 2)], PEOPLE[at + 1]
            if i % 4:
                path, body = (
                    "/v1/verify",
                    {"left": left, "right": rng.choice((right, rng.choice(PEOPLE)))},
                )
            else:
                path, body = "/v1/search", {"query": left, "k": 3}
            headers = {
                "content-type": "application/json",
                "x-gemel-subject": f"{seed}/{i // 2}",
            }
            connection.request("POST", path, json.dumps(body), headers)
            reply = connection.getresponse()
            text = reply.read()
            self.seen.append((reply.status, json.loads(text), reply.headers["x-gemel-release"]))
        connection.close()


@contextmanager
def served(folder: Path, *words: str) -> Iterator[str]:
    """`gemel serve` as a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "gemel", "serve", "--port", "0", *words],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as child:
        try:
            assert child.stderr is not None
            lines = []
            for line in child.stderr:
                lines.append(line)
                if " serves; " in line:
                    break
            else:
                raise AssertionError("".join(lines))
            drain = threading.Thread(target=child.stderr.read)
            drain.start()
            yield line.split()[0]
        finally:
            child.terminate()


@contextmanager
def loaded(url: str) -> Iterator[Load]:
    load = Load(url)
    clients = [threading.Thread(target=load.ask, args=(seed,)) for seed in range(N_CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield load
    finally:
        load.end.set()
        for client in clients:
            client.join()


def until(client: httpx.Client, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The rollout, once something is so of it."""
    waited = threading.Event()
    for _ in range(DEADLINE_S * 10):
        reply = client.get("/v1/rollout").json()
        if is_so(reply):
            return reply
        waited.wait(0.1)
    raise AssertionError(reply)


def check(load: Load, stable: Release, candidate: Release) -> dict[str, int]:
    """Every reply was whole and of one release; how many each gave."""
    counts = {stable.id: 0, candidate.id: 0}
    spaces = {release.id: release.space_id for release in (stable, candidate)}
    for status, body, header in load.seen:
        assert status == 200, body
        assert body["release"] == header
        assert body["space"] == spaces[header]
        assert {hit["release"] for hit in body.get("hits", ())} <= {header}
        counts[header] += 1
    return counts
