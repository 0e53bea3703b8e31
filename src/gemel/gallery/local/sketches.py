"""Sketches of the rows in memory: made when first asked for, added to as rows come.

Rows never move within one memory, so a sketch that was made stays true; a compacted memory starts
with none.
"""

from __future__ import annotations

import threading

import numpy as np

from gemel.arrays import Float32
from gemel.encode.sketch import Sketch, Words

BLOCK_ROWS = 16_384


class Sketches:
    """The sketches of one memory's rows, for one number of bits at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bits = 0
        self._words: Words = np.empty((0, 0), np.uint64)
        self._n = 0

    def of(self, matrix: Float32, bits: int) -> Words:
        """Sketches of all rows: (bits / 64, n) uint64.

        Args:
            matrix: (n, d) float32, the rows of this memory so far.
            bits: of a sketch.
        """
        with self._lock:
            if bits != self._bits:
                self._bits, self._n = bits, 0
                self._words = np.empty((bits // 64, len(matrix)), np.uint64)
            if len(matrix) > self._words.shape[1]:
                words = np.empty((bits // 64, len(matrix) * 3 // 2), np.uint64)
                words[:, : self._n] = self._words[:, : self._n]
                self._words = words
            sketch = Sketch(bits)
            for start in range(self._n, len(matrix), BLOCK_ROWS):
                rows = matrix[start : start + BLOCK_ROWS]
                self._words[:, start : start + len(rows)] = sketch.of(rows)
            self._n = max(self._n, len(matrix))
            return self._words[:, : len(matrix)]
