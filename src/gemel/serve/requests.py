"""What a request asks of the service, one small object per verb.

Each holds the bundle that was live when the request came, and answers from that one only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gemel.arrays import Float32
from gemel.decide.policy import Category
from gemel.errors import InvalidInput
from gemel.release.explanation import Explanation
from gemel.serve.bodies import MAX_VIEWS
from gemel.serve.live import Live
from gemel.tasks.explain import Steps

ONE_PAIR = ((0, 1),)


@dataclass(frozen=True, slots=True)
class Verify:
    """Compare two items and decide; either may be a list, of several views of one thing."""

    live: Live
    left: Any
    right: Any
    request_id: str = ""
    category: Category = None

    def items(self) -> tuple[tuple[str, Any], ...]:
        """What is to be encoded, each with its place in the request."""
        if type(self.left) is not list and type(self.right) is not list:
            return (("left", self.left), ("right", self.right))
        return (*_views("left", self.left), *_views("right", self.right))

    def check(self) -> None:
        """Raise unless each side is an item, or a list of a few.

        Raises:
            InvalidInput: no view or too many.
        """
        for place, side in (("left", self.left), ("right", self.right)):
            if type(side) is list and not 1 <= len(side) <= MAX_VIEWS:
                raise InvalidInput(f"{len(side)} views, expected 1 to {MAX_VIEWS}", where=place)

    def pairs(self) -> Sequence[tuple[int, int]]:
        """Positions in `items` of what is compared: each view on either side."""
        if type(self.left) is not list and type(self.right) is not list:
            return ONE_PAIR
        n, m = (len(x) if type(x) is list else 1 for x in (self.left, self.right))
        return [(i, n + j) for i in range(n) for j in range(m)]


def _views(place: str, side: Any) -> tuple[tuple[str, Any], ...]:
    if type(side) is not list:
        return ((place, side),)
    return tuple((f"{place}[{i}]", item) for i, item in enumerate(side))


@dataclass(frozen=True, slots=True)
class Embed:
    """Encode items; place is where in the request they stand, `{}` being their number.

    With `checked`, they are no items but payloads that the live encoder takes.
    """

    live: Live
    payloads: tuple[Any, ...]
    place: str = "input[{}]"
    first: int = 0
    checked: bool = False

    def items(self) -> tuple[tuple[str, Any], ...]:
        """What is to be encoded, each with its place in the request."""
        start = self.first
        return tuple((self.place.format(start + i), p) for i, p in enumerate(self.payloads))


@dataclass(frozen=True, slots=True)
class Explain:
    """Explain a pair of items, or an item and a record of the gallery."""

    live: Live
    left: Any
    right: Any = None
    record: str | None = None
    parts: bool = True
    category: Category = None

    def items(self) -> tuple[tuple[str, Any], ...]:
        """What is to be encoded, each with its place in the request."""
        if self.record is not None:
            return (("query", self.left),)
        return (("left", self.left), ("right", self.right))


@dataclass(frozen=True, slots=True)
class Advance:
    """Do one step of an explanation with the rows that it waits for."""

    steps: Steps[Explanation]
    rows: Float32 | None = None


@dataclass(frozen=True, slots=True)
class Find:
    """Search the gallery for the rows most like one: (d,) float32; query is what it was made of."""

    live: Live
    row: Float32
    k: int = 10
    where: dict[str, Any] | None = None
    request_id: str = ""
    category: str | None = None
    query: Any = None


@dataclass(frozen=True, slots=True)
class Identify:
    """Say who in the gallery a row is, or that nobody is: (d,) float32."""

    live: Live
    row: Float32
    where: dict[str, Any] | None = None
    request_id: str = ""
    category: str | None = None
    query: Any = None


@dataclass(frozen=True, slots=True)
class Classify:
    """Find the class of a row (d,) float32, classes being the values of an attribute."""

    live: Live
    row: Float32
    k: int = 5
    label: str = "class"
    where: dict[str, Any] | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Classes:
    """Count the records of each class."""

    live: Live
    label: str = "class"


@dataclass(frozen=True, slots=True)
class Get:
    """Look one record up."""

    live: Live
    record: str


@dataclass(frozen=True, slots=True)
class Enroll:
    """Put rows into the gallery: (n, d) float32, with an id and attributes each."""

    live: Live
    ids: list[str]
    rows: Float32
    attributes: list[dict[str, Any] | None]
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Take records out of the gallery."""

    live: Live
    ids: list[str]
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Note a person's answer to a decision."""

    live: Live
    decision_id: str
    genuine: bool
    reviewer: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Look up which decisions wait for an answer."""

    live: Live
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Propose:
    """Ask what the answers say about the threshold."""

    live: Live
