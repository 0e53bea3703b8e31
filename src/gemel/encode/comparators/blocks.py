"""A learned comparator for embeddings that are made of blocks, such as those of rows.

It looks at how well each block agrees, how much evidence both sides have there, and what is missing
on one side, and gives the log-odds of a match up to a constant. Everything it looks at is symmetric
in the two sides, hence so is the score. It reads unit rows only: the first coordinate is constant
before rows are scaled, which gives the lengths of the blocks back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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
PIECE = 1 << 10
"""Pairs that are scored at a time: what is computed of them stays in the cache of a processor."""
PRESENT = 1e-4
LEAST = 1e-6
"""The constant coordinate, at least, as far as anything is divided by it."""


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
    mass = np.where(there, length, 0) * (1.0 / np.maximum(np.abs(rows[:, :1]), LEAST))
    return Side(rows, unit, mass.astype(np.float32, copy=False))


def agreement(a: Side, b: Side, swaps: Sequence[tuple[int, int]]) -> Float32:
    """Cosines of each block, of blocks that changed places, and of the whole, row by row.

    Args:
        a: left rows.
        b: right rows.
        swaps: pairs of blocks; a pair counts as much as the worse of its two crossed cosines.
    Returns:
        (n, B + len(swaps) + 1) float32.
    """
    found = [_rowwise(u, v) for u, v in zip(a.unit, b.unit, strict=True)]
    for i, j in swaps:
        found.append(np.minimum(_rowwise(a.unit[i], b.unit[j]), _rowwise(a.unit[j], b.unit[i])))
    found.append(_rowwise(a.whole, b.whole))
    return np.stack(found, -1)


def _rowwise(u: Float32, v: Float32) -> Float32:
    product: Float32 = np.einsum("ij,ij->i", u, v)
    return product


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


def one_with_all(
    one: Side, rows: Float32, kept: Float32, swaps: Sequence[tuple[int, int]]
) -> Float32:
    """The evidence of one row with each of many: (A + 2 B, n) float32, see `evidence`.

    Rows are read once and not taken apart, a block at a time: what a search spends its time on.

    Args:
        one: (1, d).
        rows: (n, d) unit rows.
        kept: (2 B, n), of `Blocks.keep`.
        swaps: pairs of blocks.
    """
    n_blocks = len(one.unit)
    over, mass = kept[:n_blocks], kept[n_blocks:]
    swapped = sorted({i for swap in swaps for i in swap})
    place = {block: at for at, block in enumerate(swapped)}
    seen = np.empty((3 * n_blocks + len(swaps) + 1, len(rows)), np.float32)
    crossed = np.empty((len(swapped), len(swapped), len(rows)), np.float32)
    start = 1
    for i, unit in enumerate(one.unit):
        block = rows[:, start : start + unit.shape[1]]
        if i in place:
            # Standing, with many rows on the left: four times as quick with OpenBLAS.
            units = np.concatenate([one.unit[j].T for j in swapped], axis=1)
            np.multiply((block @ units).T, over[i], out=crossed[place[i]])
            seen[i] = crossed[place[i], place[i]]
        else:
            np.multiply(block @ unit[0], over[i], out=seen[i])
        start += unit.shape[1]
    for at, (i, j) in enumerate(swaps, n_blocks):
        np.minimum(crossed[place[j], place[i]], crossed[place[i], place[j]], out=seen[at])
    at = n_blocks + len(swaps)
    lengths = mass * np.maximum(np.abs(rows[:, 0]), LEAST)
    own = one.mass[0] * np.maximum(np.abs(one.whole[0, 0]), LEAST)
    np.einsum("i,in,in->n", own, seen[:n_blocks], lengths, out=seen[at])
    seen[at] += one.whole[0, 0] * rows[:, 0]
    at += 1
    np.minimum(one.mass.T, mass, out=seen[at : at + n_blocks])
    np.not_equal(one.mass.T > 0, mass > 0, out=seen[at + n_blocks :], casting="unsafe")
    return seen


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
        out, kept = np.empty((len(left), len(right)), np.float32), self.keep(right)
        for i, row in enumerate(left):
            out[i] = self.against(row, right, kept)
        return out

    def keep(self, rows: Float32) -> Float32:
        """One over the lengths of the blocks, 0 of what is empty, and the masses: (n, 2 B)."""
        side = take_apart(rows, self.blocks)
        lengths = side.mass * np.maximum(np.abs(rows[:, :1]), LEAST)
        over = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return np.concatenate([over, side.mass], axis=1)

    def against(self, row: Float32, rows: Float32, kept: Float32) -> Float32:
        """Score of one row with each of those that were kept: (n,) float32."""
        out = np.empty(len(rows), np.float32)
        one = take_apart(row[None], self.blocks)
        for start in range(0, len(rows), PIECE):
            at = slice(start, start + PIECE)
            seen = one_with_all(one, rows[at], np.ascontiguousarray(kept[at].T), self.swaps)
            out[at] = self.of_evidence(seen.T)
        return out

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
