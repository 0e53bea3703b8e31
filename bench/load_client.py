"""Requests at a steady rate, whatever becomes of those before: what an overload is made of.

    python bench/load_client.py URL BODIES RATE SECONDS DEADLINE_MS [--connections 800]

Prints two lists. `asked` has for each request when it was due, its milliseconds from when it was
sent, its status (0 where the connection failed or nothing came, -1 where all connections were
waiting), and how late it was sent: that is this client's own fault. `failed` has more of the first
few that were sent and not answered with 200: what came of the reply, why the connection ended, for
how long it had been idle, and how many answers it had brought before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

MAX_CONNECTIONS = 800
TICK_SECONDS = 0.001
WAIT_SECONDS = 10
"""For answers, at the end."""
MAX_FAILED, MAX_SAID = 5, 2000
"""Failures that are kept, and bytes of what came of their replies."""


class Client(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self, load: Load) -> None:
        self._load, self._got = load, b""
        self.due = self.sent = self.idle_since = 0.0
        self.n_answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for a request."""
        self._transport: Any = transport
        self.idle_since = time.monotonic()

    def ask(self, due: float, sent: bytes) -> None:
        """Send a request that was due then."""
        self.due, self.sent, self._got = due, time.monotonic(), b""
        self._transport.write(sent)

    def data_received(self, data: bytes) -> None:
        """A part of a reply."""
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length:")[2].split()[0]):
            self._load.answered(self, int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """No more requests here."""
        self._load.lost(self, "closed by the service" if exc is None else repr(exc))

    def failure(self, status: int, why: str) -> dict[str, Any]:
        """All that is known of a request that failed."""
        return {
            "due": self.due,
            "ms": (time.monotonic() - self.sent) * 1000,
            "status": status,
            "why": why,
            "said": self._got[:MAX_SAID].decode("latin-1"),
            "idle_ms": (self.sent - self.idle_since) * 1000,
            "answers_before": self.n_answers,
        }


class Load:
    """A rate of requests, and what became of them."""

    def __init__(self, url: str, bodies: list[bytes], deadline_ms: int) -> None:
        at = urlsplit(url)
        self._at = str(at.hostname), int(at.port or 80)
        head = f"POST {at.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"X-Gemel-Timeout-Ms: {deadline_ms}\r\nContent-Length: "
        self._requests = [f"{head}{len(b)}\r\n\r\n".encode() + b for b in bodies]
        self._idle: list[Client] = []
        self._busy: set[Client] = set()
        self.found: list[tuple[float, float, int, float]] = []
        self.failed: list[dict[str, Any]] = []

    def answered(self, client: Client, status: int) -> None:
        """Note a reply; the connection is free."""
        self._note(client, status, "answered so")
        client.n_answers, client.idle_since = client.n_answers + 1, time.monotonic()
        self._busy.discard(client)
        self._idle.append(client)

    def lost(self, client: Client, why: str) -> None:
        """Note that a connection was closed."""
        if client in self._busy:
            self._busy.discard(client)
            self._note(client, 0, why)
        elif client in self._idle:
            self._idle.remove(client)

    def _note(self, client: Client, status: int, why: str) -> None:
        if status != 200 and len(self.failed) < MAX_FAILED:
            self.failed.append(client.failure(status, why))
        ms, late = time.monotonic() - client.sent, client.sent - client.due
        self.found.append((client.due, ms * 1000, status, late * 1000))

    async def run(self, rate: float, seconds: float, most: int = MAX_CONNECTIONS) -> None:
        """Ask at that rate for so long, then wait for what is under way."""
        loop, n, start = asyncio.get_running_loop(), 0, time.monotonic()
        for _ in range(min(most, int(rate))):
            _, client = await loop.create_connection(lambda: Client(self), *self._at)
            self._idle.append(client)
        start = time.monotonic()
        while (now := time.monotonic()) < start + seconds:
            while (due := start + n / rate) <= now:
                n += 1
                if self._idle:
                    client = self._idle.pop()
                    self._busy.add(client)
                    client.ask(due, self._requests[n % len(self._requests)])
                else:
                    self.found.append((due, 0.0, -1, 0.0))
            await asyncio.sleep(TICK_SECONDS)
        until = time.monotonic() + WAIT_SECONDS
        while self._busy and time.monotonic() < until:
            await asyncio.sleep(0.01)
        for client in tuple(self._busy):
            self.lost(client, "nothing came")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("bodies", type=Path, help="a body a line")
    parser.add_argument("rate", type=float)
    parser.add_argument("seconds", type=float)
    parser.add_argument("deadline_ms", type=int)
    parser.add_argument("--connections", type=int, default=MAX_CONNECTIONS, help="at most")
    said = parser.parse_args()
    load = Load(said.url, said.bodies.read_bytes().splitlines(), said.deadline_ms)
    uvloop.run(load.run(said.rate, said.seconds, said.connections))
    print(json.dumps({"asked": load.found, "failed": load.failed}))


if __name__ == "__main__":
    main()
