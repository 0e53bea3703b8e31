"""The pairs that a comparator is fitted on, drawn from the training records.

For each query: its mates, the records that the cosine takes for its mates, and some of the rest at
random. Weights make the three stand for all pairs of the query, so that what is fitted on them is
fitted on the population that a threshold will meet, at a thousandth of the pairs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gemel.arrays import Bool, Float32, Int64
from gemel.data.pairing import ALL, Pairing
from gemel.encode.comparators.blocks import agreement, evidence, take_apart

N_NEAREST = 30
N_RANDOM = 20
MAX_MATES = 20
MAX_QUERIES = 8_000
PIECE = 1 << 23
"""Numbers of embeddings that are looked at together: as many pairs as these allow."""


class Layout(NamedTuple):
    """Widths of the blocks of an embedding, and pairs of blocks that may have changed places."""

    blocks: tuple[int, ...]
    swaps: tuple[tuple[int, int], ...]

    @property
    def n_agreements(self) -> int:
        """Cosines among the evidence of a pair: of blocks, of swapped blocks, of the whole."""
        return len(self.blocks) + len(self.swaps) + 1


class Candidates(NamedTuple):
    """Queries with their candidates: row indices, labels, weights, and where each query starts."""

    query: Int64
    candidate: Int64
    genuine: Float32
    weight: Float32
    start: Int64


def draw(
    embeddings: Float32, identities: Int64, rng: np.random.Generator, pairing: Pairing = ALL
) -> Candidates:
    """Candidates of up to 8,000 records, those with mates first.

    Args:
        embeddings: (n, d) unit rows.
        identities: (n,) codes.
        rng: draws queries, mates where there are very many, and the rest.
        pairing: of the rows: what is of the same file is no candidate; given pairs are the
            candidates.
    """
    if pairing.given is not None:
        return _of_given(pairing.given, pairing.is_genuine(identities))
    n, files = len(embeddings), pairing.files
    has_mate = np.bincount(identities)[identities] > 1
    queries = rng.permutation(n)
    queries = queries[np.argsort(~has_mate[queries], kind="stable")][:MAX_QUERIES]
    rows: list[tuple[Int64, Float32, Float32]] = []
    for part in np.array_split(queries, max(1, len(queries) // 256)):
        cosines = embeddings[part] @ embeddings.T
        for i, row in zip(part, cosines, strict=True):
            out = None if files is None else files == files[i]
            rows.append(_of_one(int(i), row, identities, rng, out))
    sizes = np.array([len(r[0]) for r in rows])
    return Candidates(
        np.repeat(queries, sizes),
        np.concatenate([r[0] for r in rows]),
        np.concatenate([r[1] for r in rows]),
        np.concatenate([r[2] for r in rows]),
        np.concatenate([[0], np.cumsum(sizes)]),
    )


def _of_given(given: Int64, same: Bool) -> Candidates:
    """The given pairs from both ends, all of one weight."""
    query, candidate = np.concatenate([given, given[:, ::-1]]).T
    order = np.argsort(query, kind="stable")
    query, candidate = query[order], candidate[order]
    genuine = np.concatenate([same, same])[order].astype(np.float32)
    start = np.append(np.flatnonzero(np.diff(query, prepend=-1)), len(query))
    return Candidates(query, candidate, genuine, np.ones(len(query), np.float32), start)


def _of_one(
    i: int,
    cosines: Float32,
    identities: Int64,
    rng: np.random.Generator,
    out: Bool | None = None,
) -> tuple[Int64, Float32, Float32]:
    """Candidates of record i with label and weight; none of those that are out."""
    mate = identities == identities[i]
    all_mates = np.flatnonzero(mate if out is None else mate & ~out)
    all_mates = all_mates[all_mates != i]
    if out is not None:
        mate |= out
    mates = all_mates
    if len(mates) > MAX_MATES:
        mates = rng.choice(mates, MAX_MATES, replace=False)
    others = np.where(mate, -np.inf, cosines)
    n_others = int((~mate).sum())
    n_near = min(N_NEAREST, n_others)
    near = np.argpartition(-others, max(0, n_near - 1))[:n_near]
    taken = mate
    taken[near] = True
    drawn = rng.integers(0, len(identities), N_RANDOM)
    drawn = drawn[~taken[drawn]]
    sizes = (len(mates), len(near), len(drawn))
    each = (
        len(all_mates) / max(1, len(mates)),
        1.0,
        (n_others - n_near) / max(1, len(drawn)),
    )
    genuine = np.repeat(np.array([1, 0, 0], np.float32), sizes)
    weight = np.repeat(np.array(each, np.float32), sizes)
    return np.concatenate([mates, near, drawn]), genuine, weight


def evidence_of(embeddings: Float32, layout: Layout, pairs: Candidates) -> Float32:
    """What a comparator sees of each pair of query and candidate: (n, A + 2 B) float32."""
    side, step = take_apart(embeddings, layout.blocks), max(1, PIECE // embeddings.shape[1])
    parts = []
    for start in range(0, len(pairs.query), step):
        q, c = (side.take(i[start : start + step]) for i in (pairs.query, pairs.candidate))
        parts.append(evidence(agreement(q, c, layout.swaps), q.mass, c.mass))
    return np.concatenate(parts)
