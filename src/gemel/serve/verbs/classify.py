"""Classify: which of the enrolled classes is an item of, or none; and which classes are there?"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from gemel.decide.classes import ClassOutcome
from gemel.errors import InvalidInput
from gemel.ledger.bodies import Classified
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Move, Steps
from gemel.serve.verbs.wire import MAX_K, Body, Filter, Item, Scalar

AS_MATCH = {"class": "match", "review": "review", "unknown": "no_match"}


class ClassifyBody(Body):
    """Which of the enrolled classes is this one of, or none?"""

    query: Item
    k: Annotated[int, Meta(ge=1, le=MAX_K, description="Classes at most")] = 5
    label: Annotated[
        str, Meta(min_length=1, description="Attribute whose values are the classes")
    ] = "class"
    where: Annotated[
        Filter | None, Meta(description="Only supports whose attributes have these values")
    ] = None


class ClassReply(Struct):
    """A class, and how likely it is.

    `probability` is among the classes there are; `p_value` says how usual such a score is for an
    item of this class. Both are null where the release has no policy of classes.
    """

    label: Scalar | bool
    score: float
    probability: float | None
    p_value: float | None
    supports: int
    support_id: str


class ClassifyReply(Struct):
    """A class, or none of them; classes best first.

    `anomaly` is the share of calibration items that are more usual than this one; null without a
    policy of classes. `alpha` is the share of items of known classes that may be called unknown.
    """

    outcome: ClassOutcome
    label: Scalar | bool
    classes: list[ClassReply]
    anomaly: float | None
    alpha: float | None
    method: str
    release: str
    space: str
    decision_id: str | None


class ClassesBody(Body):
    """Which classes are there?"""

    label: str = "class"


class ClassCount(Struct):
    """A class and its supports."""

    label: Scalar | bool
    supports: int


class ClassesReply(Struct):
    """The classes of a gallery, larger ones first."""

    classes: list[ClassCount]
    supports: int
    label: str


def classify(context: Context, body: ClassifyBody) -> Steps[ClassifyReply]:
    """The classes most like an item, and whether it is one of them."""
    if not isinstance(body.k, int) or isinstance(body.k, bool) or body.k < 1:
        raise InvalidInput(f"k is {body.k!r}, expected a whole number from 1 up", where="k")
    live, gallery = context.live, context.gallery
    encoded: Encoded = yield Encode(live, [("query", body.query, None)])
    yield Move("find", "classify")
    index = live.classes.index(live, gallery, body.label, body.where)
    present, scores = index.scores(encoded.rows[0])
    counts = index.supports.counts[present]
    outcome, p_values, shares = index.judged(live.policy, scores, counts)
    shown = np.argsort(-scores, kind="stable")[: body.k]
    supports = index.nearest_supports(encoded.rows[0], present[shown])
    classes = [
        ClassReply(
            label=index.groups.values[int(present[i])],
            score=float(scores[i]),
            probability=None if shares is None else float(shares[i]),
            p_value=None if p_values is None else float(p_values[i]),
            supports=int(counts[i]),
            support_id=support,
        )
        for i, support in zip(shown.tolist(), supports, strict=True)
    ]
    context.books.count("classify", AS_MATCH[outcome])
    policy, top = index.policy, classes[0]
    reply = ClassifyReply(
        outcome=outcome,
        label=top.label if outcome == "class" else None,
        classes=classes,
        anomaly=float(policy.anomaly(encoded.rows)[0]) if policy else None,
        alpha=policy.alpha if policy else None,
        method=index.method,
        release=live.release.id,
        space=live.release.space_id,
        decision_id=None,
    )
    noted = Classified(
        outcome=outcome,
        label=reply.label,
        attribute=body.label,
        score=top.score,
        probability=top.probability,
        p_value=top.p_value,
        support=top.support_id,
        anomaly=reply.anomaly,
    )
    reply.decision_id = context.note("classify", noted)
    return reply


def classes(context: Context, body: ClassesBody) -> Steps[ClassesReply]:
    """How many supports each class has."""
    gallery = context.gallery
    yield Move("find")
    groups = gallery.groups(body.label)
    counts = zip(groups.values, groups.counts.tolist(), strict=True)
    listed = sorted((ClassCount(v, n) for v, n in counts), key=lambda c: -c.supports)
    return ClassesReply(listed, len(groups), body.label)
