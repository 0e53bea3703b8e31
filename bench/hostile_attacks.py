"""The attacks of bench_hostile: each a coroutine that asks what nobody asks who means well.

    python bench/hostile_attacks.py URL KIND NAME... [--times N]

An attack goes on until it is killed, or has asked as often as was said; it waits for its answer
before it asks again, so that it costs the machine no more than the service spends on it. After each
answer it prints its name and the status.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import struct
import zlib
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

N_ROWS = 1000
N_KEYS = 600_000
N_SILENT = 300
N_HALF = 60
HALF_BYTES = 9_000_000
Ask = Callable[[bytes], Awaitable[bytes]]


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def bomb(side: int = 7000) -> str:
    """A PNG of 49 million pixels, all of them there, in some 50 KB; in base64."""
    packer = zlib.compressobj(9)
    row = b"\0" + bytes(side)
    data = b"".join([packer.compress(row) for _ in range(side)]) + packer.flush()

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return base64.b64encode(file).decode()


def duplicates(item: Any) -> bytes:
    """A thousand equal records."""
    records = [{"id": str(i), "payload": item} for i in range(N_ROWS)]
    return post("/v1/duplicates", json.dumps({"records": records}).encode())


def keys(item: Any) -> bytes:
    """Seven megabytes of keys, and one bad value."""
    many = ",".join(f'"k{i}":1' for i in range(N_KEYS))
    return post("/v1/verify", f'{{"left":{{{many},"x":[]}},"right":{{}}}}'.encode())


def text(item: Any) -> bytes:
    """Nine megabytes of text in one field."""
    value = dict.fromkeys(item, "a" * HALF_BYTES)
    return post("/v1/verify", json.dumps({"left": value, "right": item}).encode()[:9_900_000])


def header(item: Any) -> bytes:
    """Twenty megabytes of one header."""
    return b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000_000


def bombs(item: Any) -> bytes:
    """Two images of 49 million pixels each."""
    one = {"image": bomb()}
    return post("/v1/verify", json.dumps({"left": one, "right": one}).encode())


def words(item: Any) -> bytes:
    """A text of a megabyte, each character of it a word."""
    return post("/v1/verify", json.dumps({"left": {"text": "." * 2**20}, "right": item}).encode())


def embeddings(item: Any) -> bytes:
    """A thousand items, whose reply is large."""
    return post("/v1/embeddings", json.dumps({"input": [item] * N_ROWS}).encode())


SINGLE = {f.__name__: f for f in (duplicates, keys, text, words, header, bombs, embeddings)}


async def ask(host: str, port: int, sent: bytes) -> bytes:
    """Send it all; what comes back."""
    reader, writer = await asyncio.open_connection(host, port)
    with contextlib.suppress(OSError):
        writer.write(sent)
        await writer.drain()
    try:
        return await reader.read()
    except OSError:
        return b""
    finally:
        writer.close()


async def repeat(at: tuple[str, int], name: str, sent: bytes, times: int, pause: float) -> None:
    """Ask, wait until it is answered or refused, then again."""
    n = 0
    while n != times:
        n += 1
        with contextlib.suppress(OSError):
            said = await ask(*at, sent)
            print(name, said[9:12].decode("latin-1") or "closed", flush=True)
        await asyncio.sleep(pause)


async def attack(at: tuple[str, int], names: list[str], item: Any, times: int) -> None:
    tasks = []
    for name in names:
        if name in SINGLE:
            tasks.append(repeat(at, name, SINGLE[name](item), times, 0.05))
        elif name == "silent":
            tasks += [repeat(at, name, b"", -1, 1) for _ in range(N_SILENT)]
        elif name == "half":
            half = post("/v1/verify", b" " * HALF_BYTES)[:-9]
            tasks += [repeat(at, name, half, -1, 1) for _ in range(N_HALF)]
    print("attacks", flush=True)
    await asyncio.gather(*tasks)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("item", help="an item that the service takes, as JSON")
    parser.add_argument("names", nargs="+", choices=[*SINGLE, "silent", "half"])
    parser.add_argument("--times", type=int, default=-1)
    parser.add_argument("--nice", type=int, default=0, help="how far it yields the processor")
    said = parser.parse_args()
    os.nice(said.nice)
    at = urlsplit(said.url)
    item = json.loads(said.item)
    asyncio.run(attack((str(at.hostname), int(at.port or 80)), said.names, item, said.times))


if __name__ == "__main__":
    main()
