"""What a text is made of: runs of words, and words."""

from __future__ import annotations

from itertools import pairwise

from gemel.encode.parts import Cut
from gemel.encode.row.prepare import folded

MAX_PARTS = 12


class TextParts:
    """Runs of neighbouring words of about equal length; taken away, the rest moves together.

    Args:
        payload: the text.
    """

    def __init__(self, payload: str) -> None:
        self.payload: str = payload
        self._words = payload.split()

    def coarse(self) -> list[Cut]:
        """At most 12 runs of words."""
        return self._cuts(0, len(self._words))

    def finer(self, cut: Cut) -> list[Cut]:
        """The runs of a run; none of a single word."""
        start, stop = cut.key
        return self._cuts(start, stop) if stop - start > 1 else []

    def borrowed(self, cut: Cut, other: object) -> str | None:
        """Nothing: where something of a text would stand in another one, nobody knows."""
        return None

    def nothing(self) -> str:
        """A text of no word that any text has."""
        return "\N{REPLACEMENT CHARACTER}"

    def _cuts(self, start: int, stop: int) -> list[Cut]:
        n = min(MAX_PARTS, stop - start)
        edges = [start + (stop - start) * i // n for i in range(n + 1)] if n else []
        cuts: dict[str, Cut] = {}
        for a, b in pairwise(edges):
            name = " ".join(folded(w) for w in self._words[a:b])
            name = name if len(name) <= 40 else f"{name[:37]}..."
            rest = " ".join([*self._words[:a], *self._words[b:]]) or self.nothing()
            # A run that comes again has the place in its name.
            name = name if name not in cuts else f"{name} (word {a + 1})"
            cuts[name] = Cut(name, rest, (a, b))
        return list(cuts.values())
