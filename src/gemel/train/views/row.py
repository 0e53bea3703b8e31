"""Rows as they might have been typed: character edits and missing values, on prepared bytes.

Every edit is one that people make: a character replaced, left out, put in, or two swapped. Edits
are drawn per field, so that most fields of a view stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Int64
from gemel.encode.row.prepare import START, Strip
from gemel.train.arrays import Arrays

Bytes = NDArray[np.uint8]

P_EDIT = 0.2
"""Chance that a field of a view has an edit."""
P_SECOND = 0.3
"""Chance that an edited field has a second one."""
P_MISSING = 0.05
"""Chance that a field of a view is missing."""


@dataclass(frozen=True)
class RowViews:
    """Random variants of prepared rows.

    Args:
        strips: which bytes belong to which field.
    """

    strips: tuple[Strip, ...]

    def __call__(self, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        """The batch with typing errors and gaps; `arrays` itself is left as it is."""
        text = arrays["text"].copy()
        for strip in self.strips:
            part = text[:, strip.start : strip.start + strip.width]
            edited = _edit(part, rng.random(len(part)) < P_EDIT, rng)
            edited = _edit(
                edited, (edited != part).any(1) & (rng.random(len(part)) < P_SECOND), rng
            )
            edited[rng.random(len(part)) < P_MISSING] = 0
            text[:, strip.start : strip.start + strip.width] = edited
        return {**arrays, "text": text}


def _edit(strip: Bytes, chosen: NDArray[np.bool_], rng: np.random.Generator) -> Bytes:
    """The strip, (n, w), with one edit in each chosen row that is long enough to have one."""
    n, width = strip.shape
    length: Int64 = np.sum(strip > 0, axis=1, keepdims=True, dtype=np.int64)
    chosen = chosen & (length[:, 0] > 3)
    inside = rng.random((n, 1)) * np.maximum(length - 2, 1)
    at = 1 + inside.astype(np.int64)
    kind = rng.integers(0, 4, (n, 1))
    replace, leave_out, put_in, swap = (kind == k for k in range(4))
    column = np.arange(width)[None, :]
    swap = swap & (at + 1 < length - 1)
    source = np.broadcast_to(column, (n, width))
    source = np.where(leave_out & (column >= at), source + 1, source)
    source = np.where(put_in & (column > at), source - 1, source)
    source = np.where(swap & (column == at), at + 1, source)
    source = np.where(swap & (column == at + 1), at, source)
    moved = np.take_along_axis(strip, np.minimum(source, width - 1), axis=1)
    moved = np.where(source < width, moved, 0)
    moved = np.where((replace | put_in) & (column == at), _characters(strip, rng), moved)
    return np.where(chosen[:, None], moved, strip).astype(np.uint8)


def _characters(strip: Bytes, rng: np.random.Generator) -> Bytes:
    """A character for each row, (n, 1), as frequent as it is in this field."""
    known = strip[strip > START[0] + 1]
    if known.size == 0:
        return np.full((len(strip), 1), ord("a"), np.uint8)
    drawn: Bytes = known[rng.integers(0, known.size, len(strip))][:, None]
    return drawn
