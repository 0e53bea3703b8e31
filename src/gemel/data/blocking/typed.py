"""Rows typed again with errors: pairs that belong together where nobody has labelled any.

They say which keys survive a typing error, not how often real records have one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.arrays import Int64
from gemel.data.blocking.keys import Part, Rows
from gemel.data.blocking.passes import Hits, hits

if TYPE_CHECKING:
    import polars as pl

ROWS = 1_000
ANOTHER = 0.5
"""Chance that one more field has an error: more than most real records have, since keys that reach
these pairs reach those, and not the other way round."""
GONE = 0.1
"""Chance that a field loses its value instead of a letter."""


def survivors(frame: pl.DataFrame, parts: Sequence[Part]) -> Hits:
    """Which keys of some of the rows survive when they are typed again with errors.

    Args:
        frame: at least one row.
        parts: ways to take a key.
    """
    rows, left, right = typed_again(frame, list(dict.fromkeys(part.field for part in parts)))
    return hits(Rows(rows), parts, left, right)


def typed_again(frame: pl.DataFrame, fields: Sequence[str]) -> tuple[pl.DataFrame, Int64, Int64]:
    """Rows with one below the other: some as they are, and the same with errors.

    Args:
        frame: at least one row.
        fields: to make errors in.
    Returns:
        The rows as text, and the positions of the pairs at the left and the right.
    """
    import polars as pl

    rng = np.random.default_rng(0)
    picked = np.sort(rng.choice(frame.height, min(ROWS, frame.height), replace=False))
    some = frame.select(pl.col(fields).cast(pl.String))[picked]
    rows = [_typed(row, rng) for row in some.to_dicts()]
    n = len(rows)
    again = pl.DataFrame(rows, schema=some.schema)
    return pl.concat([some, again]), np.arange(n), n + np.arange(n)


def _typed(row: dict[str, Any], rng: np.random.Generator) -> dict[str, str | None]:
    there = [name for name, value in row.items() if value]
    wrong = rng.permutation(there)[: rng.geometric(1 - ANOTHER)]
    return row | {name: _wrong(row[name], rng) for name in wrong.tolist()}


def _wrong(value: str, rng: np.random.Generator) -> str | None:
    """The value with a letter replaced, left out, put in, or two of them swapped; or none."""
    if rng.random() < GONE:
        return None
    at, kind = int(rng.integers(0, len(value))), int(rng.integers(0, 4))
    letter = value[int(rng.integers(0, len(value)))] if value[at].isalpha() else str(at % 10)
    if kind == 0:
        return value[:at] + letter + value[at + 1 :]
    if kind == 1 and len(value) > 1:
        return value[:at] + value[at + 1 :]
    if kind == 2:
        return value[:at] + letter + value[at:]
    return value[:at] + value[at + 1 : at + 2] + value[at] + value[at + 2 :]
