"""Requests as bytes, and what comes back for them."""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """The last answer that came; status 0 where the connection was closed without one."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Of the problem in the body; empty if it is none."""
        try:
            said: Any = json.loads(self.body)
        except ValueError:
            return ""
        return str(said.get("code") or said.get("error", {}).get("code") or "")


def request(line: str, body: bytes = b"", **more: str | None) -> bytes:
    """A request with a length and without a second one.

    Args:
        line: method and path.
        body: JSON, unless said otherwise.
        more: headers, `_` for `-`; None leaves one out.
    """
    headers: dict[str, str | None] = {"Host": "localhost", "Connection": "close"}
    if body:
        headers |= {"Content-Type": JSON, "Content-Length": str(len(body))}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    head = "".join(f"{k}: {v}\r\n" for k, v in headers.items() if v is not None)
    return f"{line} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def connect(url: str) -> socket.socket:
    """A socket to the service."""
    at = urlsplit(url)
    return socket.create_connection((at.hostname, at.port), timeout=30)


def received(sock: socket.socket, *, whole: bool = False) -> Answer:
    """What comes until the other side closes, or one whole answer; of several, the last."""
    parts: list[bytes] = []
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            parts.append(part)
            if whole and b"".join(parts).rstrip().endswith(b"}"):
                break
    last = b"".join(parts).rpartition(b"HTTP/1.1 ")[2]
    if not last:
        return Answer(0, {}, b"")
    head, _, body = last.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(int(first.split()[0]), headers, body)


def answer(url: str, sent: bytes, *, whole: bool = False) -> Answer:
    """What comes back for bytes."""
    with connect(url) as sock:
        with contextlib.suppress(ConnectionError):  # it may be refused before it was sent
            sock.sendall(sent)
        return received(sock, whole=whole)
