"""Which of a few records are the same: all compared with all, decided and put into clusters.

For as many records as a request may hold; larger sets are a job for `gemel duplicates`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.arrays import Float32, Float64
from gemel.calibrate.judged import judge, one_band
from gemel.errors import InvalidInput
from gemel.serve.live import Live
from gemel.serve.schemas import ClusterReply, DuplicatesReply, PairReply
from gemel.tasks.canonical import centrality, foremost
from gemel.tasks.clusters import Links, Method, cluster, groups
from gemel.tasks.pairs import scan


@dataclass(frozen=True, slots=True)
class Group:
    """Put encoded records into clusters: n ids, items and (n, d) float32 rows."""

    live: Live
    ids: list[str]
    items: list[Any]
    rows: Float32
    method: Method = "average"
    max_risk: float | None = None
    request_id: str = ""


def grouped(work: Group) -> DuplicatesReply:
    """Clusters of two records or more, and the pairs that match or are for review.

    Raises:
        ConfigError: the release decides by category.
        InvalidInput: a limit of the risk where the release gives no probabilities.
    """
    # In the order of the ids, so that the order of the request changes nothing.
    order = sorted(range(len(work.ids)), key=lambda i: work.ids[i])
    ids = [work.ids[i] for i in order]
    rows, live = np.ascontiguousarray(work.rows[order]), work.live
    policy, comparator = live.policy, live.comparator
    n = len(ids)
    band = one_band(policy)
    pairs = scan(rows, comparator, range(n), floor=band.review_low)
    judged = judge(policy, pairs.score, n * (n - 1) // 2)
    if work.max_risk is not None and np.isnan(judged.probability).any():
        raise InvalidInput("the release gives no probabilities", where="max_risk")
    match = judged.match
    found = cluster(
        Links(
            n,
            pairs.left[match],
            pairs.right[match],
            pairs.score[match],
            1 - judged.probability[match],
        ),
        method=work.method,
        score_all=lambda members: comparator.matrix(rows[members], rows[members]),
        cut=band.review_high,
        max_risk=work.max_risk,
    )
    n_values: Float64 = np.array([_n_values(work.items[i]) for i in order], np.float64)
    chosen = foremost(found.label, n_values, centrality(found.label, rows))
    clusters = []
    for members in groups(found.label, least=2):
        number = int(found.label[members[0]])
        clusters.append(
            ClusterReply(
                records=[ids[i] for i in members],
                canonical=ids[int(members[chosen[members]][0])],
                weakest_link=_known(found.weakest[number]),
                risk=_known(found.risk[number]),
            )
        )
    columns = (pairs.left.tolist(), pairs.right.tolist(), pairs.score.tolist(), judged.outcome)
    decided = [
        PairReply(ids[left], ids[right], score, _known(probability), outcome)
        for left, right, score, outcome, probability in zip(
            *columns, judged.probability, strict=True
        )
    ]
    return DuplicatesReply(
        clusters,
        decided,
        band.threshold,
        judged.prior,
        live.release.id,
        live.release.space_id,
        None,
    )


def _n_values(item: Any) -> int:
    """Values of a row; an image or a text is as complete as any other."""
    if not isinstance(item, dict):
        return 0
    return sum(value is not None and value != "" for value in item.values())


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
