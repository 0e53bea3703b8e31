"""The wrong decisions nearest the threshold, with their records, for people to look at.

Blocked: at no time more than one block of scores and the few nearest mistakes are in memory.
"""

from __future__ import annotations

import heapq
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from gemel.arrays import Float32, Int64
from gemel.calibrate.scores.all_pairs import genuine_blocks, impostor_blocks
from gemel.decide.bands import matches
from gemel.encode.comparators import Scorer
from gemel.encode.prepare_image import decode
from gemel.release.probes import pack
from gemel.tasks.explain import Part

Kind = Literal["false_match", "false_non_match"]
Level = Callable[[Float32, Any, Any], Float32]
MAX_RECORDS = 6000
THUMBNAIL = 96


class Item(msgspec.Struct, frozen=True):
    """A record as a report shows it.

    Attributes:
        id: of the record.
        identity: name of its identity.
        payload: `{"row": {...}}`, or `{"image": base64}` with a small copy of the picture.
    """

    id: str
    identity: str
    payload: dict[str, Any]


class Mistake(msgspec.Struct, frozen=True):
    """A comparison that the policy decides wrongly; parts say why, of those nearest to it."""

    kind: Kind
    score: float
    left: Item
    right: Item
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Pair:
    """Score and record positions of a comparison."""

    score: float
    left: int
    right: int


def nearest(
    embeddings: Float32,
    identities: Int64,
    comparator: Scorer,
    threshold: float,
    *,
    level: Level | None = None,
    n: int = 20,
    seed: int = 0,
) -> tuple[list[Pair], list[Pair]]:
    """False matches and false non-matches nearest the threshold, nearest first, n of each at most.

    Args:
        embeddings: (m, d) float32 unit rows.
        identities: (m,) int64; -1 = unknown, takes part in nothing.
        comparator: what scores a pair.
        threshold: a score at or above it matches.
        level: makes levelled scores of scores and both positions; None = they are as they are.
        n: mistakes of each kind.
        seed: above 6,000 records, that many are looked at, whole identities drawn at random.
    """
    kept = whole_identities(identities, MAX_RECORDS, seed)
    kept = kept[np.argsort(identities[kept], kind="stable")]
    x, codes = embeddings[kept], identities[kept]
    genuine = (
        (score, left, right, ~matches(score, threshold))
        for score, left, right in _levelled(genuine_blocks(x, codes, comparator), kept, level)
    )
    impostor = (
        (score, np.full(len(score), i), np.arange(at.start, at.stop), matches(score, threshold))
        for score, i, at in _levelled(impostor_blocks(x, codes, comparator), kept, level)
    )
    return _keep(impostor, threshold, n, kept), _keep(genuine, threshold, n, kept)


def whole_identities(identities: Int64, limit: int, seed: int = 0) -> Int64:
    """Positions of the records of randomly chosen identities, ascending, about `limit` at most.

    Args:
        identities: (n,) int64; -1 = unknown, never chosen.
        limit: all known records are kept if there are no more than this.
        seed: of the choice.
    """
    known = np.flatnonzero(identities >= 0)
    if len(known) > limit:
        codes, size = np.unique(identities[known], return_counts=True)
        order = np.random.default_rng(seed).permutation(len(codes))
        fits = np.cumsum(size[order]) <= limit
        fits[:2] = True
        known = known[np.isin(identities[known], codes[order][fits])]
    return known.astype(np.int64)


def describe(
    kind: Kind,
    pairs: Iterable[Pair],
    item: Callable[[int], Item],
    reasons: Callable[[Pair], tuple[Part, ...]],
    n_reasons: int,
) -> list[Mistake]:
    """The pairs with their records, the first ones with what each part is worth."""
    return [
        Mistake(kind, p.score, item(p.left), item(p.right), reasons(p) if i < n_reasons else ())
        for i, p in enumerate(pairs)
    ]


def shown(payload: Any) -> dict[str, Any]:
    """A payload as a report carries it: a row as it is, a picture as a small copy."""
    if not isinstance(payload, bytes):
        return pack(payload)
    small = decode(payload, THUMBNAIL)
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    out = io.BytesIO()
    small.save(out, "PNG", optimize=True)
    return pack(out.getvalue())


def _levelled(
    blocks: Iterator[tuple[Float32, Any, Any]], kept: Int64, level: Level | None
) -> Iterator[tuple[Float32, Any, Any]]:
    for score, left, right in blocks:
        yield (score if level is None else level(score, kept[left], kept[right])), left, right


Block = tuple[Float32, Any, Any, Any]


def _keep(blocks: Iterator[Block], threshold: float, n: int, kept: Int64) -> list[Pair]:
    heap: list[tuple[float, int, int, float]] = []
    for score, left, right, wrong in blocks:
        at = np.flatnonzero(wrong)
        if len(heap) == n and at.size:
            at = at[np.abs(score[at] - threshold) < -heap[0][0]]
        if at.size > n:
            at = at[np.argpartition(np.abs(score[at] - threshold), n - 1)[:n]]
        for i in at.tolist():
            entry = (
                -abs(float(score[i]) - threshold),
                int(left[i]),
                int(right[i]),
                float(score[i]),
            )
            if len(heap) < n:
                heapq.heappush(heap, entry)
            else:
                heapq.heappushpop(heap, entry)
    ordered = sorted(heap, reverse=True)
    return [Pair(s, int(kept[i]), int(kept[j])) for _, i, j, s in ordered]
