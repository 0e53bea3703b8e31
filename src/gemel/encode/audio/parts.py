"""What a recording is made of: stretches of time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from gemel.arrays import Float32
from gemel.data.sources import recordings
from gemel.encode.parts import Cut

N_PARTS = 8
SHORTEST = 0.1
"""Seconds."""


class AudioParts:
    """Stretches of a recording; taken away, they are silent.

    Args:
        payload: bytes of the file.
    """

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self._sound, self._rate = recordings.samples(payload)

    def coarse(self) -> list[Cut]:
        """At most eight stretches of equal length."""
        return self._cuts(0, len(self._sound), N_PARTS)

    def finer(self, cut: Cut) -> list[Cut]:
        """The two halves of a stretch."""
        start, stop = cut.key
        return self._cuts(start, stop, 2) if stop - start >= 2 * SHORTEST * self._rate else []

    def borrowed(self, cut: Cut, other: Any) -> None:
        """None: what is said when in two recordings need not correspond."""

    def nothing(self) -> bytes:
        """Silence, as long as the recording."""
        return self._file(np.zeros_like(self._sound))

    def _cuts(self, start: int, stop: int, most: int) -> list[Cut]:
        n = max(1, min(most, int((stop - start) / (SHORTEST * self._rate))))
        edges = np.linspace(start, stop, n + 1).astype(int).tolist()
        cuts = []
        for a, b in pairwise(edges):
            rest = self._sound.copy()
            rest[a:b] = 0
            name = f"{a / self._rate:.1f} to {b / self._rate:.1f} s"
            cuts.append(Cut(name, self._file(rest), (a, b)))
        return cuts

    def _file(self, sound: Float32) -> bytes:
        return recordings.wav(sound, self._rate, "FLOAT")
