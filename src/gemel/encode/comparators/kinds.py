"""The comparator of a space that holds records of two kinds, such as pictures and texts.

A picture is more like another picture than like its own text. So the cosine of two records of one
kind is brought to the scale of those of two kinds: shifted and scaled so that strangers look alike
in the middle and at the upper end. Which kind an embedding is of, the sign of its first coordinate
says.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gemel.arrays import Float32
from gemel.encode.comparators import FILE
from gemel.errors import ReleaseError


@dataclass(frozen=True)
class Scale:
    """Cosine of two records of one kind = shift + scale * what it is across kinds."""

    shift: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Kinds:
    """The cosine without the first coordinate, of two records of one kind on the common scale.

    Args:
        first: of two records with a first coordinate of 0 or above.
        second: of two with one below.
    """

    first: Scale = Scale()
    second: Scale = Scale()

    kind: ClassVar[str] = "kinds"
    cost: ClassVar[float] = 1.0
    cohort_id: ClassVar[str | None] = None

    def describe(self) -> str:
        """What a score is."""
        return "cosine of two embeddings, of two of one kind brought to the scale of two kinds"

    def score(self, left: Float32, right: Float32) -> Float32:
        """Score of row i of left with row i of right: (n,) float32."""
        raw = np.einsum("ij,ij->i", left[:, 1:], right[:, 1:])
        return self._scaled(raw, left[:, 0], right[:, 0])

    def matrix(self, left: Float32, right: Float32) -> Float32:
        """Score of every left row with every right row: (n, m) float32."""
        raw = np.matmul(left[:, 1:], right[:, 1:].T)
        return self._scaled(raw, left[:, :1], right[None, :, 0])

    def save(self, folder: Path) -> None:
        """Write `comparator.json` into the folder."""
        each = {name: [s.shift, s.scale] for name, s in self._scales().items()}
        (folder / FILE).write_text(json.dumps({"kind": self.kind, **each}))

    @classmethod
    def load(cls, folder: Path, spec: dict[str, Any]) -> Kinds:
        """The comparator whose `comparator.json` said `spec`.

        Raises:
            ReleaseError: it says no scales.
        """
        try:
            scales = {name: Scale(*map(float, spec[name])) for name in ("first", "second")}
        except (KeyError, TypeError, ValueError) as e:
            raise ReleaseError(f"no scales of two kinds: {e!r}", where=str(folder / FILE)) from e
        if not all(math.isfinite(s.shift) and 0 < s.scale < math.inf for s in scales.values()):
            raise ReleaseError("scales that make no sense", where=str(folder / FILE))
        return cls(**scales)

    def _scales(self) -> dict[str, Scale]:
        return {"first": self.first, "second": self.second}

    def _scaled(self, raw: Float32, left: Float32, right: Float32) -> Float32:
        for scale, is_left, is_right in (
            (self.first, left >= 0, right >= 0),
            (self.second, left < 0, right < 0),
        ):
            levelled = (raw - np.float32(scale.shift)) / np.float32(scale.scale)
            raw = np.where(is_left & is_right, levelled, raw)
        return raw.astype(np.float32, copy=False)
