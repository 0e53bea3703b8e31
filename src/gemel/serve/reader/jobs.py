"""What is asked of the process beside: a large body looked through, a heavy item weighed or read.

Both processes know these: the service runs them itself where it can start no other.
"""

from __future__ import annotations

import importlib
import json
from functools import lru_cache
from typing import Any

from msgspec import Struct

from gemel.encode import modality
from gemel.encode.modality import Modality, Prepare
from gemel.serve.http.body import Body


class Look(Struct, frozen=True, tag=True):
    """Return if a body, which comes behind the job, is what a route takes.

    Attributes:
        kind: module and name of the type that it must have.
    """

    kind: str

    def run(self, body: bytes = b"") -> None:
        """See the class.

        Raises:
            MalformedBody: as `Body.read`.
            InvalidInput: as `Body.read`.
        """
        _body(self.kind).read(body)


class Weigh(Struct, frozen=True, tag=True):
    """What items weigh, see `Modality.weight`."""

    modality: str
    items: list[Any]

    def run(self, _: bytes = b"") -> list[float]:
        """See the class."""
        weigh = modality.named(self.modality).weight
        return [weigh(item) for item in self.items]


class Read(Struct, frozen=True, tag=True):
    """The payload that an item stands for, as its modality lets it travel.

    Attributes:
        spec: of the preprocessing, JSON.
        item: of a request.
    """

    spec: bytes
    item: Any

    def run(self, _: bytes = b"") -> Any:
        """See the class.

        Raises:
            InvalidInput: it cannot be encoded.
        """
        kind, prepare = _prepare(self.spec)
        return kind.travelling(kind.payload(prepare, self.item))


Job = Look | Weigh | Read


class Refused(Struct, frozen=True, tag=True):
    """An error of the request: name of its class, and what it says."""

    error: str
    what: str
    where: str
    hint: str


class Done(Struct, frozen=True, tag=True):
    """What a job came to."""

    value: Any


class Broken(Struct, frozen=True, tag=True):
    """A fault of gemel: how it was raised, for the log."""

    traceback: str


Outcome = Refused | Done | Broken


def place(kind: type[Any]) -> str:
    """Where a type is found again."""
    return f"{kind.__module__}:{kind.__qualname__}"


@lru_cache(maxsize=64)
def _body(kind: str) -> Body[Any]:
    module, _, name = kind.partition(":")
    return Body(getattr(importlib.import_module(module), name))


@lru_cache(maxsize=4)
def _prepare(spec: bytes) -> tuple[Modality, Prepare]:
    said = json.loads(spec)
    kind = modality.named(said["modality"])
    return kind, kind.prepare(said)
