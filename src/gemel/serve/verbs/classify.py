"""Classify: which of the enrolled classes is an item of, or none; and which classes are there?"""

from __future__ import annotations

import numpy as np
from msgspec import UNSET

from gemel.arrays import Float64
from gemel.errors import InvalidInput
from gemel.ledger.bodies import Classified
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Move, Steps, unfit
from gemel.serve.wire.searches import (
    ClassCount,
    ClassesBody,
    ClassesReply,
    ClassifyBody,
    ClassifyReply,
    ClassReply,
)

MAX_NOTED = 100
"""Characters of an attribute that an entry of the ledger has room for."""
AS_MATCH = {"class": "match", "review": "review", "unknown": "no_match"}


def classify(context: Context, body: ClassifyBody) -> Steps[ClassifyReply]:
    """The classes most like an item, and whether it is one of them."""
    if not isinstance(body.k, int) or isinstance(body.k, bool) or body.k < 1:
        raise InvalidInput(f"k is {body.k!r}, expected a whole number from 1 up", where="k")
    live, gallery = context.live, context.searched
    encoded: Encoded = yield Encode(live, [("query", body.query, None)])
    yield Move("find", "classify")
    label = body.label or live.label
    index = live.classes.index(live, gallery, label, body.where)
    present, scores = index.scores(encoded.rows[0])
    counts = index.supports.counts[present]
    judged = index.judged(live.policy, scores, counts)
    shown = np.argsort(-scores, kind="stable")[: body.k]
    supports = index.nearest_supports(encoded.rows[0], present[shown])
    classes = [
        ClassReply(
            label=index.groups.values[int(present[i])],
            score=float(scores[i]),
            probability=_at(judged.probabilities, i),
            p_value=_at(judged.p_values, i),
            supports=int(counts[i]),
            support_id=support,
            least=_at(judged.least, i),
        )
        for i, support in zip(shown.tolist(), supports, strict=True)
    ]
    context.books.count("classify", AS_MATCH[judged.outcome])
    policy, top = index.policy, classes[0]
    reply = ClassifyReply(
        outcome=judged.outcome,
        label=top.label if judged.outcome == "class" else None,
        classes=classes,
        anomaly=_at(policy.anomaly(encoded.rows) if policy else None, 0),
        alpha=policy.alpha if policy else None,
        method=index.method,
        release=live.release.id,
        space=live.release.space_id,
        decision_id=None,
        warning=(live.of_unknown if policy else live.of_strangers) or UNSET,
        as_likely=[index.groups.values[int(present[i])] for i in judged.as_likely] or UNSET,
        outside=live.items.outside(encoded.items[0].payload) or UNSET,
        unfit=unfit(encoded.items),
    )
    noted = Classified(
        outcome=judged.outcome,
        label=None if reply.label is None else context.masked(reply.label),
        attribute=label[:MAX_NOTED],
        score=top.score,
        probability=top.probability,
        p_value=top.p_value,
        support=context.masked(top.support_id),
        anomaly=reply.anomaly,
    )
    reply.decision_id = context.note("classify", noted)
    return reply


def _at(values: Float64 | None, i: int) -> float | None:
    return None if values is None else float(values[i])


def classes(context: Context, body: ClassesBody) -> Steps[ClassesReply]:
    """How many supports each class has."""
    gallery, label = context.gallery, body.label or context.live.label
    yield Move("find")
    groups = gallery.groups(label)
    counts = zip(groups.values, groups.counts.tolist(), strict=True)
    listed = sorted((ClassCount(v, n) for v, n in counts), key=lambda c: -c.supports)
    return ClassesReply(listed, len(groups), label)
