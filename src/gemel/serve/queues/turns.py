"""Whose turn it is among those who wait, so that who sends much keeps nobody else waiting.

Each owner has a line of its own, in order of arrival; between lines, whoever was given least goes
first. Not safe to use from several threads by itself.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar

MAX_KNOWN = 1000
"""Owners without a line whose share is remembered before those that are even are forgotten."""


class Waits(Protocol):
    """What stands in a line: whose it is, and its weight."""

    @property
    def owner(self) -> str:
        """Whose line it stands in."""

    @property
    def weight(self) -> int:
        """What it takes of a turn."""


W = TypeVar("W", bound=Waits)


class Turns(Generic[W]):
    """The lines of one lane.

    Attributes:
        weight: of all that waits.

    Source: Goyal, Vin and Cheng 1996, Start-time fair queueing.
    """

    def __init__(self) -> None:
        self.weight = 0
        self._lines: dict[str, deque[W]] = {}
        self._weights: dict[str, int] = {}
        self._given: dict[str, int] = {}
        self._now = 0

    def __bool__(self) -> bool:
        return bool(self._lines)

    def put(self, one: W) -> None:
        """Add to the end of its owner's line."""
        line = self._lines.get(one.owner)
        if line is None:
            line = self._lines[one.owner] = deque()
            # To have been away is no credit, and to come back at once no way around a turn.
            self._given[one.owner] = max(self._now, self._given.get(one.owner, 0))
            self._weights[one.owner] = 0
        line.append(one)
        self._weights[one.owner] += one.weight
        self.weight += one.weight

    def take(self, room: int) -> W | None:
        """Who is next, out of its line; None if nobody waits or it weighs more than the room."""
        if not self._lines:
            return None
        owner = min(self._lines, key=self._given.__getitem__)
        one = self._lines[owner][0]
        if one.weight > room:
            return None
        self._now = self._given[owner]
        self._given[owner] += one.weight
        self._lines[owner].popleft()
        self._left(one)
        return one

    def drop(self, one: W) -> None:
        """Take out whoever waits no more."""
        self._lines[one.owner].remove(one)
        self._left(one)

    def share(self, owner: str, most: int) -> float:
        """What an owner may have waiting of `most`, if all who wait have as much."""
        return most / (len(self._lines) + (owner not in self._lines))

    def of(self, owner: str) -> int:
        """Weight of what an owner has waiting."""
        return self._weights.get(owner, 0)

    def ahead(self, owner: str) -> int:
        """Weight of what is done before an owner's next, about: no more of others than of it."""
        own = self.of(owner)
        others = (min(w, own + 1) for name, w in self._weights.items() if name != owner)
        return own + sum(others)

    def _left(self, one: W) -> None:
        self.weight -= one.weight
        self._weights[one.owner] -= one.weight
        if self._lines[one.owner]:
            return
        del self._lines[one.owner], self._weights[one.owner]
        if not self._lines:
            self._given.clear()
            self._now = 0
        elif len(self._given) > MAX_KNOWN + len(self._lines):
            kept = self._given.items()
            self._given = {o: g for o, g in kept if g > self._now or o in self._lines}
