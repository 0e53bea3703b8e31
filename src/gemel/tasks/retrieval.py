"""How well a search finds the other records of an identity: recall_at_k, MAP@R, MRR.

Every record that has a mate is a query against all others. Ranks are exact, and equal scores count
against the encoder, so embedding everything alike earns nothing. No threshold is known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.encode.comparators import Scorer
from gemel.errors import DataError

CELLS = 1 << 22
"""Scores computed at once: 16 MiB of float32."""


class Retrieval(msgspec.Struct, frozen=True, kw_only=True):
    """Quality of search over one split; plain JSON values.

    Args:
        n_queries: records with at least one mate.
        n_records: records that were searched.
        recall_at_k: k to share of queries with a mate among the first k.
        map_at_r: mean average precision at R, R = mates of the query.
        mrr: mean of one over the rank of the first mate.
    """

    n_queries: int
    n_records: int
    recall_at_k: dict[int, float]
    map_at_r: float
    mrr: float


def retrieve(
    embeddings: Float32,
    identities: Int64,
    comparator: Scorer,
    *,
    k: Sequence[int] = (1, 5, 10),
    files: Int64 | None = None,
) -> Retrieval:
    """How well each record finds the others of its identity among all records.

    Args:
        embeddings: (n, d) float32, unit rows.
        identities: (n,) int64 codes; -1 = unknown: never a query, always searched, never right.
        comparator: what scores a pair.
        k: the numbers of first results to look at.
        files: (n,) of which of two files each record is, which then searches the other one only.
    Raises:
        DataError: lengths differ, or no identity has two records.
    Source: Musgrave et al. 2020, A metric learning reality check (MAP@R).
    """
    if embeddings.ndim != 2 or identities.shape != embeddings.shape[:1]:
        raise DataError(f"{embeddings.shape} embeddings do not fit {identities.shape} identities")
    first_rank: list[int] = []
    average: list[float] = []
    for ranks in mate_ranks(embeddings, identities, comparator, files):
        first_rank.append(int(ranks[0]))
        average.append(average_precision_at_r(ranks))
    if not first_rank:
        raise DataError(
            "no identity has two records, so there is nothing to find",
            hint="check the identity column or the folders",
        )
    first: Float64 = np.asarray(first_rank, np.float64)
    return Retrieval(
        n_queries=len(first),
        n_records=len(embeddings),
        recall_at_k={int(depth): float((first <= depth).mean()) for depth in k},
        map_at_r=float(np.mean(average)),
        mrr=float((1 / first).mean()),
    )


def queries(identities: Int64, files: Int64 | None = None) -> Int64:
    """Positions of the records with a mate, by identity and then as they come.

    Args:
        identities: (n,) codes; -1 = unknown.
        files: as for `retrieve`.
    """
    order = np.argsort(identities, kind="stable")
    order = order[identities[order] >= 0]
    who = identities[order]
    n = np.bincount(who)
    if files is None:
        return order[n[who] > 1]
    of_first = np.bincount(who, files[order] == 0, len(n)).astype(np.int64)
    mates = np.where(files[order] == 0, (n - of_first)[who], of_first[who])
    return order[mates > 0]


def mate_ranks(
    embeddings: Float32, identities: Int64, comparator: Scorer, files: Int64 | None = None
) -> Iterator[Int64]:
    """Ranks of the mates of each query, rising, query by query as `queries` has them; best: 1.

    Args:
        embeddings: (n, d) float32, unit rows.
        identities: (n,) int64 codes; -1 = unknown.
        comparator: what scores a pair.
        files: as for `retrieve`.
    """
    order = np.argsort(identities, kind="stable")
    ids, rows = identities[order], np.ascontiguousarray(embeddings[order])
    start, end = np.searchsorted(ids, ids), np.searchsorted(ids, ids, side="right")
    of = None if files is None else files[order]
    asked = queries(ids, of)
    n_block = max(1, CELLS // max(len(rows), 1))
    for at in range(0, len(asked), n_block):
        block = asked[at : at + n_block]
        matrix = comparator.matrix(rows[block], rows)
        for scores, query in zip(matrix, block.tolist(), strict=True):
            out = np.arange(len(ids)) == query if of is None else of == of[query]
            yield _ranks(scores, slice(int(start[query]), int(end[query])), out)


def _ranks(scores: Float32, group: slice, out: Bool) -> Int64:
    """Ranks of a query's mates; an impostor of equal score ranks before a mate.

    Args:
        scores: of the query with all records.
        group: those of its identity.
        out: (n,) records that are not searched.
    """
    mates: NDArray[np.float32] = scores[group][~out[group]]
    mates[::-1].sort()
    scores = np.where(out, np.float32(-np.inf), scores)
    scores[group] = -np.inf
    candidates = scores[scores >= mates[-1]]
    candidates.sort()
    n_before = len(candidates) - np.searchsorted(candidates, mates, side="left")
    return n_before + np.arange(1, len(mates) + 1)


def average_precision_at_r(ranks: Int64) -> float:
    """Mean over the R mates of the precision at their rank, zero beyond rank R."""
    n = len(ranks)
    found = np.arange(1, n + 1)
    return float(np.where(ranks <= n, found / ranks, 0.0).mean())
