"""The service `gemel.v1.Gemel`: a method for each verb of the table of routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from google.protobuf.message import Message

from gemel.errors import InvalidInput
from gemel.serve.grpc.exchange import Answer, Classes, Handler
from gemel.serve.grpc.messages import File, Method, message_name
from gemel.serve.grpc.text import numbers
from gemel.serve.grpc.values import from_reply, to_json
from gemel.serve.http.body import Body
from gemel.serve.http.door import Door
from gemel.serve.http.problems import V2
from gemel.serve.http.routes.call import Call, Route
from gemel.serve.http.routes.table import RELEASE, TABLE
from gemel.serve.verbs import rollout
from gemel.serve.wire.vectors import EmbeddingsBody

PACKAGE, SERVICE = "gemel.v1", "Gemel"
PROTO = Path(__file__).parent / "gemel.proto"
NAMES: dict[Any, str] = {rollout.status: "RolloutStatus"}


class Asked(NamedTuple):
    """A method, and the route that answers it."""

    method: Method
    route: Route


@cache
def methods() -> tuple[Asked, ...]:
    """Every method; of two routes of one verb, the first."""
    return tuple({asked.method.name: asked for asked in reversed([*_methods()])}.values())[::-1]


def _methods() -> Iterator[Asked]:
    for route in TABLE:
        if route is RELEASE:
            yield Asked(Method("Release", None, route.reply, route.summary), route)
        if route.verb is None or route.path.startswith(V2):
            continue
        words = route.verb.__name__.split("_")
        name = NAMES.get(route.verb, "".join(word.title() for word in words))
        hints = get_type_hints(route.verb)
        (body,) = (kind for of, kind in hints.items() if of not in ("context", "return"))
        yield Asked(Method(name, body, route.reply, route.summary), route)


def file(written: str | None = None) -> File:
    """The description of the service.

    Args:
        written: a `.proto` file whose numbers are kept; the one beside this module if left out.
    """
    if written is None:
        written = PROTO.read_text(encoding="utf-8")
    return File(PACKAGE, SERVICE, (asked.method for asked in methods()), numbers(written))


def handlers(door: Door, classes: Classes) -> Iterator[Handler]:
    """The methods of the service."""
    for method, route in methods():
        took = classes[message_name(method.body) if method.body else f"{method.name}Request"]
        answer = _answer(door, route, classes[message_name(method.reply)])
        yield Handler(method.name, route, took, answer, _reader(method.body))


def _answer(door: Door, route: Route, gave: type[Message]) -> Answer:
    ask = door.answer_to(route)

    async def answer(call: Call, body: Any) -> Message:
        return from_reply(await ask(call, body), gave)

    return answer


def _reader(kind: type[Any] | None) -> Callable[[Any], Any]:
    """Reads the body in a message, by the rules by which bodies of HTTP are read."""
    if kind is None:
        return lambda _: None
    read = Body(kind).read

    def body(message: Any) -> Any:
        found: Any = read(to_json(message))
        if isinstance(found, EmbeddingsBody) and found.encoding_format == "base64":
            raise InvalidInput(
                "floats are sent as floats here", where="encoding_format", hint="leave it out"
            )
        return found

    return body
