"""Checks and digests for the arrays that cross the stages.

Embeddings outside `train` are `(n, d) float32`, C-contiguous, unit rows. Shape and range are
checked here, once, where data enters a stage; the stages then trust each other.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.errors import DataError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int16 = NDArray[np.int16]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

UNIT_TOLERANCE = 1e-3


def unit_rows(rows: NDArray[Any]) -> Float32:
    """Rows scaled to length one; a row of zeros stays zero.

    Args:
        rows: (n, d), any float type.
    Returns:
        (n, d) float32, C-contiguous.
    """
    x = np.ascontiguousarray(rows, dtype=np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", x, x, dtype=np.float64))
    return np.ascontiguousarray(x / np.maximum(length, 1e-12)[:, None].astype(np.float32))


def check_embeddings(rows: NDArray[Any], *, dim: int | None = None, where: str = "") -> Float32:
    """The same rows as `(n, d) float32`, C-contiguous, after checking that they are embeddings.

    Args:
        rows: (n, d), unit rows.
        dim: the d that is expected, or None for any.
        where: named in the error.
    Raises:
        DataError: wrong shape, a value that is not finite, or a row that is not of unit length.
    """
    x = np.ascontiguousarray(rows, dtype=np.float32)
    if x.ndim != 2 or (dim is not None and x.shape[1] != dim):
        wanted = "(n, d)" if dim is None else f"(n, {dim})"
        raise DataError(f"embeddings have shape {x.shape}, expected {wanted}", where=where)
    length = np.einsum("ij,ij->i", x, x, dtype=np.float64)
    bad = np.flatnonzero(~(np.abs(length - 1.0) <= UNIT_TOLERANCE))
    if bad.size:
        raise DataError(
            f"embedding {bad[0]} has squared length {length[bad[0]]:.4g}, expected 1",
            where=where,
            hint="scale rows with gemel.arrays.unit_rows and look for NaN in the input",
        )
    return x


def digest(*parts: bytes) -> str:
    """SHA-256 over the parts, each preceded by its length, as 64 hex digits.

    Example:
        >>> digest(b"ab", b"c") == digest(b"a", b"bc")
        False
    """
    h = hashlib.sha256()
    for part in parts:
        h.update(len(part).to_bytes(8, "big"))
        h.update(part)
    return h.hexdigest()


def canonical_json(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no blanks, UTF-8, no NaN.

    Example:
        >>> canonical_json({"b": 1, "a": [1.5, None]})
        b'{"a":[1.5,null],"b":1}'
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()
