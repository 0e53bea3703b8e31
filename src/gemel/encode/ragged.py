"""Records of different lengths in arrays of one width: run together where they are about as long.

An array named `there` (n, ...) says what of each record is no padding. Padding costs as much as
what is there, so records go through a network in runs of like length, cut to the longest of each.
What comes out must not depend on it: a network that takes such arrays ignores what is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Int64

THERE = "there"
ROWS, PLACES = 64, 4096
"""Of a run, at most: records, and places with padding."""
CACHED = 384
"""Places with padding of a run of ONNX Runtime, at most, for each of its threads: what a sentence
encoder makes of more leaves the cache of a core, of fewer the products are small."""
RUN = 32
"""Places with padding that cost about as much as a run more."""
BYTES = 1 << 24
"""Of the arrays of a run, about: what a network makes of large images on the way is far larger."""
CACHED_BYTES = 1 << 15
"""The same of a run of ONNX Runtime, for each of its threads, where what a network makes of images
or n-grams on the way would leave the cache of a core: 8 images of 32 pixels, 2 of 64."""


def runs(
    arrays: Mapping[str, NDArray[Any]], most: int = PLACES, n_bytes: int = BYTES
) -> Iterator[tuple[Int64, dict[str, NDArray[Any]]]]:
    """Positions of records and their arrays, each record once; large ones a few at a time.

    Args:
        arrays: by name, first axis = n records; those of the shape of `there` are cut with it.
        most: places with padding of a run; one record may have more.
        n_bytes: of the arrays of a run where nothing is padded, about.
    """
    there = arrays.get(THERE)
    if there is None:
        n, total = len(next(iter(arrays.values()))), sum(a.nbytes for a in arrays.values())
        rows = n if total <= n_bytes else max(1, n_bytes * n // total)
        for start in range(0, n, rows):
            idx = np.arange(start, min(n, start + rows))
            yield idx, {name: a[start : start + rows] for name, a in arrays.items()}
        return
    if there.size <= most and len(there) <= ROWS and there.all():  # one record, or all as long
        yield np.arange(len(there)), dict(arrays)
        return
    size = np.count_nonzero(there.reshape(len(there), -1), axis=1)
    order = np.argsort(-size, kind="stable").astype(np.int64)
    start = 0
    while start < len(order):
        # The longest comes first, so that the rest of a run is no longer.
        places = max(1, int(np.prod(_extent(there[order[start : start + 1]]))))
        idx = order[start : start + max(1, min(ROWS, most // places))]
        idx = idx[: _worth_padding(size[idx])]
        cut = tuple(slice(0, n) for n in _extent(there[idx]))
        yield (
            idx,
            {
                name: a[idx][:, *cut] if a.shape == there.shape else a[idx]
                for name, a in arrays.items()
            },
        )
        start += len(idx)


def _worth_padding(size: NDArray[np.intp]) -> int:
    """How many of some records, of falling size, cost less together than in any two runs."""
    most = len(size)
    while most > 1:
        n = np.arange(1, most)
        apart = size[0] * n + size[1:most] * (most - n) + RUN
        if apart.min() >= size[0] * most:
            break
        most = int(apart.argmin()) + 1
    return most


def _extent(there: NDArray[Any]) -> tuple[int, ...]:
    """How far the longest of some records reaches on each axis but the first, at least 1."""
    axes = range(1, there.ndim)
    return tuple(
        max(1, int(np.flatnonzero(there.any(axis=(0, *(a for a in axes if a != axis))))[-1]) + 1)
        if there.any()
        else 1
        for axis in axes
    )
