"""Duplicates: which of a few records are the same?

For as many records as a request may hold; larger sets are a job for `gemel duplicates`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from msgspec import UNSET

from gemel.arrays import Float64
from gemel.decide.sets import Judged
from gemel.errors import DuplicateRecord, InvalidInput
from gemel.ledger.bodies import Grouped
from gemel.release.for_set import before, for_set, kinds
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Move, Steps, unfit
from gemel.serve.wire.enrolled import ClusterReply, DuplicatesBody, DuplicatesReply, PairReply
from gemel.tasks.canonical import centrality, foremost
from gemel.tasks.clusters import Clusters, groups
from gemel.tasks.pairs import Pairs, joined, scan
from gemel.tasks.sameness import Records, clustered, floor

STRIDE = 64
"""Records compared with all others in one go: others that wait in the lane come in between."""
MAX_PAIRS = 20_000
"""Pairs that may match, in one request: what is judged, clustered and sent back."""


def duplicates(context: Context, body: DuplicatesBody) -> Steps[DuplicatesReply]:
    """Clusters of two records or more, and the pairs that match or are for review."""
    live, given = context.live, body.records
    ids = [record.id for record in given]
    if len(set(ids)) < len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise DuplicateRecord(f"id {twice!r} stands twice", where="records")
    items = [(f"records[{i}].payload", r.payload, r.category) for i, r in enumerate(given)]
    encoded: Encoded = yield Encode(live, items)
    yield Move("group", "compare")
    # In the order of the ids, so that the order of the request changes nothing.
    order = sorted(range(len(ids)), key=lambda i: ids[i])
    read, ids = [encoded.items[i] for i in order], [ids[i] for i in order]
    policy = before(live.release, body.prior)
    records = Records(
        policy=policy,
        comparator=live.comparator,
        rows=np.ascontiguousarray(encoded.rows[order]),
        categories=[item.category for item in read],
        values=[item.payload for item in read],
    )
    n = len(ids)
    found: list[Pairs] = []
    for start in range(0, n, STRIDE):
        if start:
            yield Move("group")
        block = range(start, min(start + STRIDE, n))
        found.append(scan(records.rows, live.comparator, block, floor=floor(policy)))
        _check_room(sum(map(len, found)))
    yield Move("group", "cluster")
    pairs = joined(found)
    levelled, n_pairs = records.levelled(pairs), n * (n - 1) // 2
    policy = for_set(live.release, levelled, n_pairs, share=body.prior).policy
    records = replace(records, policy=policy)
    judged = records.judged(pairs)
    if body.max_risk is not None and np.isnan(judged.probability).any():
        raise InvalidInput("the release gives no probabilities", where="max_risk")
    yield Move("group")
    clusters = clustered(records, pairs, judged, method=body.method, max_risk=body.max_risk)
    said = live.items.outside
    outside = [words for i, one in enumerate(read) for words in said(one.payload, repr(ids[i]))]
    reply = DuplicatesReply(
        clusters=_clusters(clusters, records, ids),
        pairs=_pairs(pairs, judged, kinds(live.release, policy, judged.probability), ids),
        threshold=policy.verify.threshold,
        prior=policy.prior,
        release=live.release.id,
        space=live.release.space_id,
        decision_id=None,
        unproven=live.mark,
        outside=outside or UNSET,
        unfit=unfit(encoded.items),
    )
    noted = Grouped(
        records=n,
        clusters=len(reply.clusters),
        matches=sum(pair.outcome == "match" for pair in reply.pairs),
    )
    reply.decision_id = context.note("duplicates", noted)
    return reply


def _check_room(n_pairs: int) -> None:
    """Raise if these are more pairs than one request may come to.

    Raises:
        InvalidInput: they are.
    """
    if n_pairs > MAX_PAIRS:
        raise InvalidInput(
            f"more than {MAX_PAIRS:,} pairs of these records may match",
            where="records",
            hint="send fewer at a time, or use `gemel duplicates` for many",
        )


def _clusters(found: Clusters, records: Records, ids: list[str]) -> list[ClusterReply]:
    """Clusters of two records or more, each with the record that stands for it."""
    n_values: Float64 = np.array([_n_values(item) for item in records.values], np.float64)
    chosen = foremost(found.label, n_values, centrality(found.label, records.rows))
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
    return clusters


def _pairs(pairs: Pairs, judged: Judged, kinds: list[str], ids: list[str]) -> list[PairReply]:
    """Those that match or are for review, with what each probability is."""
    found = []
    columns = (pairs.left.tolist(), pairs.right.tolist(), pairs.score.tolist(), judged.outcome)
    for left, right, score, outcome, probability, kind in zip(
        *columns, judged.probability, kinds, strict=True
    ):
        if outcome != "no_match":
            known = _known(probability)
            kind = None if known is None else kind
            found.append(PairReply(ids[left], ids[right], score, known, outcome, kind))
    return found


def _n_values(item: object) -> int:
    """Values of a row; an image or a text is as complete as any other."""
    if not isinstance(item, dict):
        return 0
    return sum(value is not None and value != "" for value in item.values())


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
