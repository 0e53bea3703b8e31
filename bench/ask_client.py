"""Clients that each wait for an answer before they ask again, on kept connections.

    python bench/ask_client.py URL BODIES CLIENTS SECONDS

Prints requests a second and latencies in ms. Each client starts at another line of the bodies.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np


def asked(url: str, bodies: Path, clients: int, seconds: float) -> dict[str, Any]:
    """What clients in a process of their own measure."""
    command = [sys.executable, __file__, url, str(bodies), str(clients), str(seconds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def client(url: str, sent: list[bytes], until: float, took: list[float]) -> None:
    """Ask one after another on one connection until a time; milliseconds of each answer."""
    at = urlsplit(url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port, limit=1 << 24)
    line = f"POST {at.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for body in sent:
        began = time.perf_counter()
        if began > until:
            break
        writer.write(f"{line}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        said = (await reader.readuntil(b"\r\n\r\n")).lower()
        n_bytes = int(said.partition(b"content-length:")[2].split(b"\r\n")[0])
        content = await reader.readexactly(n_bytes)
        if b" 200 " not in said.partition(b"\r\n")[0]:
            raise SystemExit(f"{said.decode()}{content.decode()}")
        took.append((time.perf_counter() - began) * 1000)
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("bodies", type=Path, help="a body a line")
    parser.add_argument("clients", type=int)
    parser.add_argument("seconds", type=float)
    said = parser.parse_args()
    bodies, took = said.bodies.read_bytes().splitlines(), list[float]()

    async def all_of_them() -> None:
        until, step = time.perf_counter() + said.seconds, len(bodies) // said.clients
        parts = (bodies[i * step :] + bodies[: i * step] for i in range(said.clients))
        await asyncio.gather(*(client(said.url, part * 20, until, took) for part in parts))

    began = time.perf_counter()
    asyncio.run(all_of_them())
    rate = len(took) / max(said.seconds, time.perf_counter() - began)
    p50, p99 = np.percentile(took, [50, 99]).round(2).tolist()
    print(json.dumps({"requests_per_second": round(rate, 1), "p50_ms": p50, "p99_ms": p99}))


if __name__ == "__main__":
    main()
