"""What a payload is made of: its parts, and the payload without one of them.

A payload with a part taken away is a payload like any other, so that whatever encodes and scores
payloads can tell what the part was worth. Parts come coarse first (fields, large regions), and a
part can be taken apart again (words, smaller regions). Each modality brings its own; nothing is
known of scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, as shares of an image's width and height."""


@dataclass(frozen=True)
class Cut:
    """A part, and what is left without it.

    Attributes:
        name: of the part; on rows, the same part of another row has the same name.
        without: the payload without it.
        key: where it is, for taking it apart; empty if it cannot be.
        box: where it is in an image, None elsewhere.
    """

    name: str
    without: Any
    key: tuple[Any, ...]
    box: Box | None = None


class Parts(Protocol):
    """The parts of one payload."""

    payload: Any

    def coarse(self) -> list[Cut]:
        """Few parts that make up the payload."""

    def finer(self, cut: Cut) -> list[Cut]:
        """The parts of a part; none if it has no parts."""

    def borrowed(self, cut: Cut, other: Any) -> Any | None:
        """The payload with a part as the other one has it; None where that is the same, or moot."""

    def nothing(self) -> Any:
        """The payload with everything taken away."""
