"""Which of a few records are the same: all compared with all, decided and put into clusters.

For as many records as a request may hold; larger sets are a job for `gemel duplicates`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.arrays import Float32, Float64, Int64
from gemel.decide.sets import judge, lowest, scored
from gemel.errors import InvalidInput
from gemel.serve.bodies import Item, RecordItem
from gemel.serve.live import Live
from gemel.serve.replies import ClusterReply, DuplicatesReply, PairReply
from gemel.tasks.canonical import centrality, foremost
from gemel.tasks.clusters import Links, Method, cluster, groups
from gemel.tasks.pairs import scan


@dataclass(frozen=True, slots=True)
class Group:
    """Put records into clusters, with their (n, d) float32 unit rows."""

    live: Live
    records: list[RecordItem]
    rows: Float32
    method: Method = "average"
    max_risk: float | None = None
    request_id: str = ""


def grouped(work: Group) -> DuplicatesReply:
    """Clusters of two records or more, and the pairs that match or are for review.

    Raises:
        InvalidInput: a limit of the risk where the release gives no probabilities.
    """
    # In the order of the ids, so that the order of the request changes nothing.
    order = sorted(range(len(work.records)), key=lambda i: work.records[i].id)
    records = [work.records[i] for i in order]
    ids = [record.id for record in records]
    rows, live = np.ascontiguousarray(work.rows[order]), work.live
    policy, comparator = live.policy, live.comparator
    n = len(ids)
    names = [live.category(record.payload, record.category) for record in records]
    pairs = scan(rows, comparator, range(n), floor=lowest(policy, policy.verify.review_low))
    categories = [(names[i], names[j]) for i, j in zip(pairs.left, pairs.right, strict=True)]
    items = [record.payload for record in records]
    judged = judge(
        policy,
        pairs.score,
        n * (n - 1) // 2,
        categories=categories,
        rows=lambda at: (items[pairs.left[at]], items[pairs.right[at]]),
    )

    def score_all(members: Int64) -> Float32:
        scores = comparator.matrix(rows[members], rows[members])
        return scored(policy, scores, [names[i] for i in members], [items[i] for i in members])

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
        score_all=score_all,
        cut=policy.verify.review_high,
        max_risk=work.max_risk,
    )
    n_values: Float64 = np.array([_n_values(item) for item in items], np.float64)
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
        if outcome != "no_match"
    ]
    return DuplicatesReply(
        clusters,
        decided,
        policy.verify.threshold,
        judged.prior,
        live.release.id,
        live.release.space_id,
        None,
    )


def _n_values(item: Item) -> int:
    """Values of a row; an image or a text is as complete as any other."""
    if not isinstance(item, dict):
        return 0
    return sum(value is not None and value != "" for value in item.values())


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
