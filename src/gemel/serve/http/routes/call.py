"""A request as its handler sees it, and the row of the table of routes that it came to.

Knows how a request is named, not how it is read or answered (`endpoint`).
"""

from __future__ import annotations

import itertools
import math
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gemel.serve.context import LOCAL, Caller, Role, Stage
from gemel.serve.live import Live
from gemel.serve.service import Verb
from gemel.serve.steps import Lane

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
"""What a server and an application hand each other (ASGI 3)."""
MAX_ID = 128
_PREFIX = secrets.token_hex(4)
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Raw:
    """A reply that is no JSON of a struct."""

    content_type: bytes
    body: bytes


@dataclass(eq=False, slots=True)
class Call:
    """A request as its handler sees it.

    Attributes:
        scope: of ASGI.
        request_id: the client's, or a new one.
        subject: for whom is asked, as the client says; empty if it does not.
        live: the bundle that answers; its ids go into the headers.
        timing: its stages, in order.
        query: names and values of the query string; of names that come twice, the last.
        ledger_fails: what is decided cannot be noted at the moment, and the headers say so.
        caller: who asks.
        n_held: bytes of a large body, as `Intake` counts them.
        traceparent: of the caller's trace (W3C); empty without.
        deadline: after which the caller waits no more; of the monotonic clock, seconds.
    """

    scope: Scope
    request_id: str
    subject: str = ""
    live: Live | None = None
    timing: list[Stage] = field(default_factory=list)
    query: dict[str, str] = field(default_factory=dict)
    ledger_fails: bool = False
    caller: Caller = LOCAL
    n_held: int = 0
    traceparent: str = ""
    deadline: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Route:
    """A row of the table of routes.

    Args:
        method: of HTTP.
        path: with `{name:path}` for a part that varies.
        body: type that the request's body must have, or None for no body.
        reply: type of the reply.
        summary: what it does, in one sentence.
        role: that a caller must have; None asks nobody who they are.
        verb: that answers; None for what the service tells of itself.
        lanes: that the verb goes through; a request is refused before any work if one is full.
        read: makes the verb's body of path and query string where the request brings none.
        is_tried: a rollout's candidate may answer it in place of stable.
        query: names that the query string may have; None does not look at it, for what probes and
            scrapers add.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    body: type[Any] | None = None
    reply: type[Any]
    summary: str
    role: Role | None
    verb: Verb[Any, Any] | None = None
    lanes: tuple[Lane, ...] = ()
    read: Callable[[Call], Any] | None = None
    is_tried: bool = False
    query: tuple[str, ...] | None = ()

    @property
    def label(self) -> str:
        """The path for people and metrics."""
        return self.path.replace("{record:path}", "{id}")


Answer = Callable[[Call, Any], Awaitable[Any]]
"""Takes the call and its decoded body, None where the route has none; gives the reply."""


def new_id() -> str:
    """A request id that no other request of any process has."""
    return f"{_PREFIX}-{next(_NUMBERS):08x}"


def accepted_id(value: bytes) -> str:
    """A client's request id if it can be repeated safely, else an empty string."""
    if 0 < len(value) <= MAX_ID and all(33 <= byte <= 126 for byte in value):
        return value.decode("ascii")
    return ""
