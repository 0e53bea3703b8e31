"""A learned comparator for embeddings of any modality: a small network on what two rows share.

Both rows are brought to few numbers by one matrix. What the network sees of a pair are the products
and the absolute differences of these and the cosine of the whole rows, all of which are the same
from both sides, and hence so is the score. It starts as the cosine and gives about log-odds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from gemel.arrays import Float32
from gemel.encode.comparators import FILE
from gemel.errors import ReleaseError

WEIGHTS = "comparator.safetensors"
TENSORS = ("narrow", "hidden", "hidden_bias", "last", "line")
PIECE = 1 << 14
"""Pairs that are scored at a time; bounds memory at some megabytes."""


@dataclass(frozen=True, eq=False)
class Pairwise:
    """A line of the cosine, and what a layer of hidden units adds.

    Args:
        narrow: (d, p), takes rows to p numbers.
        hidden: (2 p + 1, h), of products, differences and the cosine.
        hidden_bias: (h,).
        last: (h,), what each hidden unit adds.
        line: (2,), slope of the cosine, and what is added to all scores.
    """

    narrow: Float32
    hidden: Float32
    hidden_bias: Float32
    last: Float32
    line: Float32

    kind: ClassVar[str] = "pairwise"
    cohort_id: ClassVar[str | None] = None

    @property
    def cost(self) -> float:
        """Products of a comparison, in those of a cosine."""
        return 1 + 2 * self.hidden.size / len(self.narrow)

    def describe(self) -> str:
        """What a score is."""
        return "learned similarity of two embeddings, about log-odds"

    def score(self, left: Float32, right: Float32) -> Float32:
        """Score of row i of left with row i of right: (n,) float32."""
        out = np.empty(len(left), np.float32)
        for start in range(0, len(left), PIECE):
            a, b = left[start : start + PIECE], right[start : start + PIECE]
            cosine = np.einsum("ij,ij->i", a, b)
            out[start : start + PIECE] = self._of(a @ self.narrow, b @ self.narrow, cosine)
        return out

    def matrix(self, left: Float32, right: Float32) -> Float32:
        """Score of every left row with every right row: (n, m) float32."""
        out, kept = np.empty((len(left), len(right)), np.float32), self.keep(right)
        for i, row in enumerate(left):
            out[i] = self.against(row, right, kept)
        return out

    def keep(self, rows: Float32) -> Float32:
        """Rows narrowed: (n, p) float32."""
        return rows @ self.narrow

    def against(self, row: Float32, rows: Float32, kept: Float32) -> Float32:
        """Score of one row with each of those that were narrowed: (n,) float32."""
        out, near = np.empty(len(rows), np.float32), row @ self.narrow
        for start in range(0, len(rows), PIECE):
            at = slice(start, start + PIECE)
            out[at] = self._of(near[None], kept[at], rows[at] @ row)
        return out

    def _of(self, left: Float32, right: Float32, cosine: Float32) -> Float32:
        """Scores of narrowed rows, (n, p) or (1, p) with (n, p), and their cosines."""
        seen = np.concatenate([left * right, np.abs(left - right), cosine[:, None]], axis=1)
        units = np.maximum(seen @ self.hidden + self.hidden_bias, 0)
        found: Float32 = units @ self.last + self.line[0] * cosine + self.line[1]
        return found

    def save(self, folder: Path) -> None:
        """Write `comparator.json` and `comparator.safetensors` into the folder."""
        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in TENSORS}
        save_file(tensors, folder / WEIGHTS)
        (folder / FILE).write_text(json.dumps({"kind": self.kind}))

    @classmethod
    def load(cls, folder: Path, spec: dict[str, Any]) -> Pairwise:
        """The comparator whose weights are in the folder.

        Raises:
            ReleaseError: they are missing, damaged or of shapes that do not fit.
        """
        path = folder / WEIGHTS
        try:
            tensors = load_file(path)
            found = cls(**{name: tensors[name].astype(np.float32) for name in TENSORS})
            p, h = found.narrow.shape[1], len(found.last)
            shapes = found.hidden.shape, found.hidden_bias.shape, found.line.shape
            if shapes != ((2 * p + 1, h), (h,), (2,)):
                raise ValueError(f"shapes {shapes} do not fit")
        except (OSError, SafetensorError, IndexError, KeyError, TypeError, ValueError) as e:
            raise ReleaseError(f"no readable comparator weights: {e}", where=str(path)) from e
        return found
