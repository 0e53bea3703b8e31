"""The health service that balancers and probes know: `grpc.health.v1.Health`, `Check` of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.message import Message
from msgspec import Struct

from gemel.errors import GemelError, UnknownPath
from gemel.serve.grpc import inference, native
from gemel.serve.grpc.exchange import Classes, Handler
from gemel.serve.grpc.messages import File, Method
from gemel.serve.http.door import Door
from gemel.serve.http.routes.call import Call
from gemel.serve.http.routes.table import READY

PACKAGE, SERVICE = "grpc.health.v1", "Health"
SERVING, NOT_SERVING = 1, 2


class HealthCheck(Struct):
    """Which service is asked about; empty for all."""

    service: str


class HealthStatus(Struct):
    """A number of the enumeration `ServingStatus`."""

    status: int


@cache
def file() -> File:
    """The description of the service."""
    return File(PACKAGE, SERVICE, [Method("Check", HealthCheck, HealthStatus)])


def handlers(door: Door, classes: Classes) -> Iterator[Handler]:
    """The methods of the service; who asks needs no key."""
    ready = door.answer_to(READY)
    known = {"", *(f"{one.PACKAGE}.{one.SERVICE}" for one in (native, inference))}

    async def check(call: Call, message: Any) -> Message:
        if message.service not in known:
            raise UnknownPath("no service of that name", hint="leave it empty")
        try:
            await ready(call, None)
        except GemelError:
            return classes["HealthStatus"](status=NOT_SERVING)
        return classes["HealthStatus"](status=SERVING)

    yield Handler("Check", READY, classes["HealthCheck"], check)
