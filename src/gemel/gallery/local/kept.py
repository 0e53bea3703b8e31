"""What comparators keep of the rows of a gallery, so that a search need not compute it anew.

It is a few numbers of each row, from that row alone; rows of one memory never change, so what is
there stays true and only grows.
"""

from __future__ import annotations

import threading

import numpy as np

from gemel.arrays import Float32
from gemel.encode.comparators import Keeps

MOST = 4
"""Comparators whose numbers are kept: of the release that answers and of those being tried."""
AT_ONCE = 1 << 14
GROWTH = 1.5


class Kept:
    """Of the rows of one memory, by comparator."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: list[tuple[Keeps, Float32, int]] = []

    def of(self, comparator: Keeps, matrix: Float32) -> Float32:
        """What the comparator keeps of each row: (n, c) float32.

        Args:
            comparator: it is told from others by being the same object.
            matrix: (n, d), all rows of the memory so far.
        """
        with self._lock:
            room, n_known = next(
                ((room, n) for known, room, n in self._of if known is comparator), (None, 0)
            )
            if room is not None and n_known >= len(matrix):
                return room[: len(matrix)]
            for start in range(n_known, len(matrix), AT_ONCE):
                new = comparator.keep(matrix[start : start + AT_ONCE])
                room = _roomy(room, start, max(len(matrix), start + len(new)), new.shape[1])
                room[start : start + len(new)] = new
            if room is None:
                room = np.empty((0, 0), np.float32)
            others = [entry for entry in self._of if entry[0] is not comparator]
            self._of = [*others[1 - MOST :], (comparator, room, len(matrix))]
            return room[: len(matrix)]


def _roomy(room: Float32 | None, n: int, needed: int, width: int) -> Float32:
    """An array of at least so many rows, whose first n are as they were."""
    if room is not None and len(room) >= needed:
        return room
    larger = np.empty((needed if room is None else int(needed * GROWTH), width), np.float32)
    if room is not None:
        larger[:n] = room[:n]
    return larger
