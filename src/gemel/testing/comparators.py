"""What a comparator has to hold for a release to carry it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from gemel.arrays import Float32
from gemel.encode.comparators import (
    FILE,
    REGISTRY,
    Comparator,
    Keeps,
    ReadsPayloads,
    load,
    score_pairs,
)
from gemel.errors import ReleaseError
from gemel.testing.must import must

TOLERANCE = 1e-4
"""Of the spread of scores: what the order of a sum may change."""


def check_comparator(
    comparator: Comparator, rows: Float32, folder: Path, *, payloads: Sequence[Any] = ()
) -> None:
    """Raise AssertionError unless this behaves as a comparator.

    It gives finite scores, the same from both sides, alone and in a block; records are more alike
    to themselves than to others; what a folder keeps of it scores the same, and is refused once a
    file is lost.

    Args:
        comparator: of a registered kind.
        rows: (n, d) float32, at least eight different embeddings that it is made for.
        folder: an empty directory to save in.
        payloads: what the rows are embeddings of, for a comparator that reads payloads.
    """
    scores = _all(comparator, rows, payloads)
    must(scores.dtype == np.float32, f"scores are {scores.dtype}, not float32")
    must(bool(np.isfinite(scores).all()), "a score is not finite")
    bound = TOLERANCE * max(1.0, float(scores.std()))
    apart = abs(scores - scores.T).max()
    must(apart <= bound, f"a pair scores {apart:.1e} apart from its two sides")
    others = scores[~np.eye(len(rows), dtype=bool)]
    must(bool(scores.diagonal().mean() > others.mean()), "a record is less alike to itself")
    _check_blocks(comparator, rows, payloads, scores, bound)
    must(comparator.cost > 0, f"a comparison costs {comparator.cost}")
    must(bool(comparator.describe()), "nothing says what a score is")
    _check_files(comparator, rows, payloads, folder, bound)


def _all(comparator: Comparator, rows: Float32, payloads: Sequence[Any]) -> Float32:
    """Score of each row with each, (n, n), pair by pair in one call."""
    pairs = list(product(range(len(rows)), repeat=2))
    left, right = zip(*pairs, strict=True)
    return score_pairs(comparator, rows, payloads, left, right).reshape(len(rows), len(rows))


def _check_blocks(
    comparator: Comparator, rows: Float32, payloads: Sequence[Any], scores: Float32, bound: float
) -> None:
    n = len(rows)
    for i in range(n):
        other = (i + 3) % n
        alone = score_pairs(comparator, rows, payloads, [i], [other])
        must(alone.shape == (1,), f"one pair has scores of shape {alone.shape}")
        apart = abs(float(alone[0] - scores[i, other]))
        must(apart <= bound, f"a pair scores {apart:.1e} apart alone and beside others")
    if isinstance(comparator, ReadsPayloads):
        for refused in (comparator.score, comparator.matrix):
            must(_is_refused(refused, rows, rows), "embeddings without payloads are scored")
        return
    block = comparator.matrix(rows[:5], rows)
    must(block.shape == (5, n), f"5 rows with {n} have scores of shape {block.shape}")
    apart = abs(block - scores[:5]).max()
    must(apart <= bound, f"a pair scores {apart:.1e} apart alone and in a matrix")
    must(comparator.matrix(rows[:0], rows).shape == (0, n), "no rows must give no scores")
    if isinstance(comparator, Keeps):
        kept = np.concatenate([comparator.keep(rows[:3]), comparator.keep(rows[3:])])
        apart = abs(comparator.against(rows[1], rows, kept) - scores[1]).max()
        must(apart <= bound, f"a pair scores {apart:.1e} apart with what was kept of its rows")


def _check_files(
    comparator: Comparator, rows: Float32, payloads: Sequence[Any], folder: Path, bound: float
) -> None:
    comparator.save(folder)
    kind = json.loads((folder / FILE).read_text()).get("kind")
    must(kind == comparator.kind, f"the file says {kind!r}, the comparator {comparator.kind!r}")
    must(kind in REGISTRY.names(), f"nobody registered {kind!r} under {REGISTRY.group}")
    files = sorted(path.name for path in folder.iterdir())
    must(all(f.startswith("comparator.") for f in files), f"files are not comparator.*: {files}")
    again = load(folder)
    must(again.cohort_id == comparator.cohort_id, "the cohort has another id once it is loaded")
    apart = abs(_all(again, rows, payloads) - _all(comparator, rows, payloads)).max()
    must(apart <= bound, f"a loaded comparator scores {apart:.1e} apart from the saved one")
    for name in files:
        data = (folder / name).read_bytes()
        (folder / name).unlink()
        must(_is_refused(load, folder), f"a folder without {name} is not refused")
        (folder / name).write_bytes(data)


def _is_refused(call: Any, *args: Any) -> bool:
    try:
        call(*args)
    except ReleaseError:
        return True
    return False
