"""A learned comparator for embeddings that are made of blocks, such as those of rows.

It looks at how well each block agrees, how much evidence both sides have there, and what is missing
on one side, and gives the log-odds of a match up to a constant. Everything it looks at is symmetric
in the two sides, hence so is the score. It reads unit rows only: the first coordinate is constant
before rows are scaled, which gives the lengths of the blocks back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from gemel.arrays import Float32, Int64
from gemel.encode.comparators import FILE
from gemel.errors import ReleaseError

WEIGHTS = "comparator.safetensors"
PIECE = 1 << 15
"""Pairs that are scored at a time; bounds memory at some tens of megabytes."""
PRESENT = 1e-4


@dataclass(frozen=True)
class Side:
    """Embeddings taken apart: unit blocks, their lengths, and the whole.

    Args:
        whole: (n, d) unit rows.
        unit: per block (n, width), unit rows or zeros.
        mass: (n, B), lengths of the blocks relative to the constant coordinate.
    """

    whole: Float32
    unit: list[Float32]
    mass: Float32

    def __len__(self) -> int:
        return len(self.whole)

    def take(self, idx: slice | Int64) -> Side:
        """Some of the rows."""
        return Side(self.whole[idx], [u[idx] for u in self.unit], self.mass[idx])


def take_apart(rows: Float32, blocks: Sequence[int]) -> Side:
    """The blocks of `(n, 1 + sum(blocks))` unit rows."""
    ends = np.cumsum((1, *blocks))
    parts = [rows[:, end - width : end] for end, width in zip(ends[1:], blocks, strict=True)]
    length = np.sqrt(np.stack([np.einsum("ij,ij->i", part, part) for part in parts], 1))
    there = length > PRESENT
    # What is divided by infinity is zero.
    by: Float32 = np.where(there, length, np.float32(np.inf))
    unit = [part / by[:, i : i + 1] for i, part in enumerate(parts)]
    mass = np.where(there, length, 0) * (1.0 / np.maximum(np.abs(rows[:, :1]), 1e-6))
    return Side(rows, unit, mass.astype(np.float32, copy=False))


Product = Callable[[Float32, Float32], Float32]


def _rowwise(u: Float32, v: Float32) -> Float32:
    product: Float32 = np.einsum("ij,ij->i", u, v)
    return product


def _all(u: Float32, v: Float32) -> Float32:
    product: Float32 = np.matmul(u, v.T)
    return product


def agreement(
    a: Side, b: Side, swaps: Sequence[tuple[int, int]], product: Product = _rowwise
) -> Float32:
    """Cosines of each block, of blocks that changed places, and of the whole.

    Args:
        a: left rows.
        b: right rows.
        swaps: pairs of blocks; a pair counts as much as the worse of its two crossed cosines.
        product: of (n, w) and (m, w): row by row or all with all.
    Returns:
        (..., B + len(swaps) + 1) float32.
    """
    found = [product(u, v) for u, v in zip(a.unit, b.unit, strict=True)]
    for i, j in swaps:
        found.append(np.minimum(product(a.unit[i], b.unit[j]), product(a.unit[j], b.unit[i])))
    found.append(product(a.whole, b.whole))
    return np.stack(found, -1)


def evidence(agreement: Float32, left: Float32, right: Float32) -> Float32:
    """What the network sees of pairs.

    Args:
        agreement: (..., A), cosines: of the B blocks first, then of swapped blocks and the whole.
        left: (..., B), lengths of the left blocks.
        right: the same of the right blocks.
    Returns:
        (..., A + 2 B) float32: cosines, how much evidence both sides have, what one side lacks.
    """
    one_missing = (left > 0) != (right > 0)
    parts = [agreement, np.minimum(left, right), one_missing]
    return np.concatenate(parts, axis=-1, dtype=np.float32)


@dataclass(frozen=True)
class Blocks:
    """A small network over the evidence of each block.

    Args:
        blocks: widths of the blocks of an embedding, after its constant coordinate.
        swaps: pairs of blocks that may have changed places.
        weights: per layer a matrix (inputs, outputs) and a row of biases.
    """

    blocks: tuple[int, ...]
    swaps: tuple[tuple[int, int], ...]
    weights: tuple[tuple[Float32, Float32], ...]

    kind: ClassVar[str] = "blocks"
    cost: ClassVar[float] = 100.0
    cohort_id: ClassVar[str | None] = None

    def describe(self) -> str:
        """What a score is."""
        return "learned weights of the similarities of each field"

    def score(self, left: Float32, right: Float32) -> Float32:
        """Score of row i of left with row i of right: (n,) float32, about log-odds."""
        sides = take_apart(np.concatenate([left, right]), self.blocks)
        a, b = sides.take(slice(len(left))), sides.take(slice(len(left), None))
        return self.of_evidence(evidence(agreement(a, b, self.swaps), a.mass, b.mass))

    def matrix(self, left: Float32, right: Float32) -> Float32:
        """Score of every left row with every right row: (n, m) float32."""
        a, b = take_apart(left, self.blocks), take_apart(right, self.blocks)
        out = np.empty((len(a), len(b)), np.float32)
        step = max(1, PIECE // max(1, len(b)))
        for start in range(0, len(a), step):
            rows = slice(start, start + step)
            out[rows] = self._piece(a.take(rows), b)
        return out

    def _piece(self, a: Side, b: Side) -> Float32:
        seen = evidence(agreement(a, b, self.swaps, _all), a.mass[:, None], b.mass[None])
        return self.of_evidence(seen.reshape(len(a) * len(b), -1)).reshape(len(a), len(b))

    def of_evidence(self, x: Float32) -> Float32:
        """Scores of pairs whose `evidence` is at hand, (n, A + 2 B) -> (n,) float32."""
        for matrix, bias in self.weights[:-1]:
            x = x @ matrix
            x += bias
            np.maximum(x, 0, out=x)
        matrix, bias = self.weights[-1]
        out: Float32 = (x @ matrix + bias)[:, 0]
        return out

    def save(self, folder: Path) -> None:
        """Write `comparator.json` and `comparator.safetensors` into the folder."""
        tensors = {}
        for i, (matrix, bias) in enumerate(self.weights):
            tensors[f"{i}.matrix"] = np.ascontiguousarray(matrix)
            tensors[f"{i}.bias"] = np.ascontiguousarray(bias)
        save_file(tensors, folder / WEIGHTS)
        spec = {
            "kind": self.kind,
            "blocks": list(self.blocks),
            "swaps": [list(s) for s in self.swaps],
            "layers": len(self.weights),
        }
        (folder / FILE).write_text(json.dumps(spec))

    @classmethod
    def load(cls, folder: Path, spec: dict[str, Any]) -> Blocks:
        """The comparator whose `comparator.json` said `spec`.

        Raises:
            ReleaseError: its weights are missing, damaged or of another shape.
        """
        path = folder / WEIGHTS
        try:
            tensors = load_file(path)
            weights = tuple(
                (tensors[f"{i}.matrix"], tensors[f"{i}.bias"]) for i in range(spec["layers"])
            )
            blocks = tuple(int(w) for w in spec["blocks"])
            swaps = tuple((int(i), int(j)) for i, j in spec["swaps"])
            n_inputs = 3 * len(blocks) + len(swaps) + 1
            if weights[0][0].shape[0] != n_inputs:
                raise ValueError(f"{weights[0][0].shape[0]} inputs instead of {n_inputs}")
        except (OSError, SafetensorError, IndexError, KeyError, TypeError, ValueError) as e:
            raise ReleaseError(f"no readable comparator weights: {e}", where=str(path)) from e
        return cls(blocks, swaps, weights)
