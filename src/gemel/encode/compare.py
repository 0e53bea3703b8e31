"""From two embeddings to a score: higher is more alike, everywhere.

A comparator is part of a release, not of the space: it reads embeddings and never payloads, so a
new comparator needs no re-embedding. It is symmetric, and scores one pair the same alone or in a
block. Engines only propose candidates; this module has the last word on their scores.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from gemel.arrays import Float32
from gemel.errors import ReleaseError

FILE = "comparator.json"


class Comparator(Protocol):
    """Scores pairs of embeddings of one space."""

    def score(self, left: Float32, right: Float32) -> Float32:
        """Score of row i of left with row i of right: (n, d), (n, d) -> (n,) float32."""

    def matrix(self, left: Float32, right: Float32) -> Float32:
        """Score of every left row with every right row: (n, d), (m, d) -> (n, m) float32."""

    def save(self, folder: Path) -> None:
        """Write `comparator.json` (and what it names) into the folder."""


@dataclass(frozen=True)
class Cosine:
    """The cosine of the angle between two unit rows, in [-1, 1]."""

    def score(self, left: Float32, right: Float32) -> Float32:
        """Cosine of row i of left with row i of right: (n,) float32."""
        scores: Float32 = np.einsum("ij,ij->i", left, right)
        return scores

    def matrix(self, left: Float32, right: Float32) -> Float32:
        """Cosine of every left row with every right row: (n, m) float32."""
        scores: Float32 = np.matmul(left, right.T)
        return scores

    def save(self, folder: Path) -> None:
        """Write `comparator.json` into the folder."""
        (folder / FILE).write_text(json.dumps({"kind": "cosine"}))


def load(folder: Path) -> Comparator:
    """The comparator that a folder describes.

    Raises:
        ReleaseError: there is none, or it is of a kind that this version does not know.
    """
    path = folder / FILE
    try:
        spec = json.loads(path.read_text())
    except (OSError, ValueError) as e:
        raise ReleaseError(f"no readable comparator: {e}", where=str(path)) from e
    return _of(folder, spec)


def _of(folder: Path, spec: dict[str, Any]) -> Comparator:
    """The comparator that a specification describes."""
    kind = spec.get("kind")
    if kind == "cosine":
        return Cosine()
    if kind == "blocks":
        from gemel.encode.blocks import Blocks

        return Blocks.load(folder, spec)
    if kind == "as-norm" and isinstance(spec.get("inner"), dict):
        from gemel.encode.asnorm import AsNorm

        return AsNorm.load(folder, spec, _of(folder, spec["inner"]))
    raise ReleaseError(f"unknown comparator {kind!r}", where=str(folder / FILE))
