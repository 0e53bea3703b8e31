"""Reading input into one validated dataset; every refused row is reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gemel.data.dataset import BadRecord, Dataset, codes
from gemel.data.schema import Field

__all__ = ["BadRecord", "Dataset", "from_rows"]


def from_rows(
    rows: Sequence[dict[str, Any]],
    *,
    identities: Sequence[str | int | None] | None = None,
    ids: Sequence[str | int] | None = None,
    fields: Sequence[Field] | None = None,
) -> Dataset:
    """Dataset of rows that are already in memory (inference follows)."""
    import polars as pl

    if fields is None:
        fields = [Field(n, "number" if isinstance(v, int | float) else "text") for n, v in rows[0].items()]
    types = {f.name: pl.Float64 if f.kind == "number" else pl.String for f in fields}
    data = {f.name: [r.get(f.name) for r in rows] for f in fields}
    frame = pl.DataFrame(data, schema=types, strict=False)
    labels = identities if identities is not None else [None] * len(rows)
    code, names = codes([None if v is None else str(v) for v in labels])
    names_of = [str(v) for v in ids] if ids is not None else [str(i + 1) for i in range(len(rows))]
    return Dataset(
        "row", tuple(fields), np.array(names_of, dtype=np.str_), code, names, n_read=len(rows), frame=frame
    )
