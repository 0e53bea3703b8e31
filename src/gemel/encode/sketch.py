"""Embeddings as a few hundred bits: cheap to compare, good enough to leave most strangers out.

A bit is the side of a plane on which an embedding lies, so that the share of equal bits falls with
the angle between two embeddings. The planes are the signs of a Hadamard matrix with columns flipped
by a hash: no file, no seed and no fitting, the same on every machine. Coordinates are rounded to
whole numbers first, which makes the sums exact and a sketch independent of its batch.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32
from gemel.errors import ConfigError

Words = NDArray[np.uint64]

WORD = 64
SCALE = 4096.0
"""Steps of a coordinate: the sums of a thousand coordinates stay below 2^24, exact in float32."""


class Sketch:
    """Sketches of embeddings; also what scores pairs by them.

    Args:
        bits: of a sketch, a multiple of 64 from 64 to 4096.
    Raises:
        ConfigError: another number of bits.
    Source: Charikar 2002, Similarity estimation techniques from rounding algorithms; Hadamard
        planes: Andoni et al. 2015, Practical and optimal LSH for angular distance.
    Example:
        >>> rows = np.eye(3, dtype=np.float32)
        >>> Sketch(64).score(rows, rows).tolist()
        [1.0, 1.0, 1.0]
    """

    def __init__(self, bits: int) -> None:
        if bits % WORD or not WORD <= bits <= 4096:
            raise ConfigError(
                f"a sketch of {bits} bits", hint=f"a multiple of {WORD} from {WORD} to 4096"
            )
        self.bits = bits

    def of(self, rows: Float32) -> Words:
        """Sketches of unit rows, a column each.

        Args:
            rows: (n, d) float32, unit rows.
        Returns:
            (bits / 64, n) uint64; words in rows, so that a scan reads memory in order.
        """
        whole = np.rint(rows * np.float32(SCALE))
        sides = whole @ _planes(rows.shape[1], self.bits) > 0
        packed = np.packbits(sides, axis=1).view(np.uint64)
        return np.ascontiguousarray(packed.T)

    def distance(self, query: Words, sketches: Words) -> NDArray[np.uint16]:
        """Bits in which each of n sketches differs from one: (w,), (w, n) -> (n,) uint16."""
        out: NDArray[np.uint16] = np.bitwise_count(sketches[0] ^ query[0]).astype(np.uint16)
        for word, of_query in zip(sketches[1:], query[1:], strict=True):
            out += np.bitwise_count(word ^ of_query)
        return out

    def similarity(self, distance: NDArray[np.uint16]) -> Float32:
        """Scores of distances: 1 if no bit differs, -1 if all do; float32."""
        score: Float32 = 1 - distance.astype(np.float32) * np.float32(2 / self.bits)
        return score

    def score(self, left: Float32, right: Float32) -> Float32:
        """Score of row i of left with row i of right: (n,) float32."""
        apart = np.bitwise_count(self.of(left) ^ self.of(right)).sum(axis=0, dtype=np.uint16)
        return self.similarity(apart)

    def matrix(self, left: Float32, right: Float32) -> Float32:
        """Score of every left row with every right row: (n, m) float32."""
        sketches = self.of(right)
        out = np.empty((len(left), len(right)), np.float32)
        for i, query in enumerate(self.of(left).T):
            out[i] = self.similarity(self.distance(query, sketches))
        return out


@lru_cache(maxsize=8)
def _planes(dim: int, bits: int) -> Float32:
    """(dim, bits) float32 of +1 and -1."""
    size = 1 << max(dim - 1, 1).bit_length()
    rows, columns = np.arange(dim)[:, None], np.arange(size)
    hadamard = 1 - 2 * (np.bitwise_count(rows & columns) & 1).astype(np.float32)
    blocks = []
    for block in range(-(-bits // size)):
        name = f"sketch {dim} {bits} {block}".encode()
        flips = np.frombuffer(hashlib.shake_256(name).digest(dim), np.uint8) & 1
        blocks.append((1 - 2 * flips.astype(np.float32))[:, None] * hadamard)
    planes = np.concatenate(blocks, axis=1)
    # Columns that differ most in frequency first, where fewer are wanted than there are.
    step = planes.shape[1] // bits
    return np.ascontiguousarray(planes[:, ::step][:, :bits])
