"""Verify: are two things the same?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import UNSET

from gemel.decide.categories import pair_of
from gemel.decide.outcomes import Decision
from gemel.errors import InvalidInput
from gemel.ledger.bodies import Verified
from gemel.ledger.verdicts import is_asked
from gemel.release.for_set import kind
from gemel.release.items import Read
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Steps, unfit
from gemel.serve.wire.items import MAX_VIEWS
from gemel.serve.wire.pairs import VerifyBody, VerifyReply

ORDER = {"no_match": 0, "review": 1, "match": 2}
ONE_PAIR = ((0, 1),)


class Question(NamedTuple):
    """A body as it is encoded: items, each with its place and category, and which to compare."""

    items: list[tuple[str, Any, str | None]]
    pairs: Sequence[tuple[int, int]]


def verify(context: Context, body: VerifyBody) -> Steps[VerifyReply]:
    """Whether two items are the same; of several views, all of them must match."""
    items, pairs = question(body)
    encoded: Encoded = yield Encode(context.live, items, pairs)
    return decided(context, encoded.items, pairs, encoded.scores)


def question(body: VerifyBody, place: str = "") -> Question:
    """What a body asks to be encoded and compared.

    Args:
        body: of the request, or one of many.
        place: where in the request it stands, with a dot behind it.
    Raises:
        InvalidInput: a side has no views or too many.
    """
    category = pair_of(body.category)
    sides = [_views(f"{place}{name}", getattr(body, name)) for name in ("left", "right")]
    items = [
        (at, item, stated)
        for views, stated in zip(sides, category, strict=True)
        for at, item in views
    ]
    n = len(sides[0])
    if len(items) == 2:
        return Question(items, ONE_PAIR)
    return Question(items, [(i, j) for i in range(n) for j in range(n, len(items))])


def decided(
    context: Context,
    items: Sequence[Read],
    pairs: Sequence[tuple[int, int]],
    scores: Sequence[float],
) -> VerifyReply:
    """The reply to one question, counted and noted.

    Args:
        context: of the request.
        items: of the question, read.
        pairs: of positions in items.
        scores: of the pairs.
    """
    decision, score = _strictest(context, items, pairs, scores)
    live = context.live
    context.books.count("verify", decision.outcome)
    reply = VerifyReply(
        outcome=decision.outcome,
        score=score,
        threshold=decision.threshold,
        probability=decision.probability,
        release=live.release.id,
        space=live.release.space_id,
        decision_id=None,
        category=decision.category,
        interval=decision.interval,
        rule=decision.rule,
        unproven=live.mark,
        probability_is=kind(live.release, decision.probability),
        prior=live.policy.prior,
        outside=_outside(context, items, pairs[0][1]) or UNSET,
        not_compared=_not_compared(context, items, pairs[0][1]) or UNSET,
        unfit=unfit(items),
    )
    probability = context.books.review_probability(reply.outcome)
    entry = Verified(
        outcome=reply.outcome,
        score=reply.score,
        threshold=reply.threshold,
        probability=reply.probability,
        interval=reply.interval,
        review_probability=probability,
        category=reply.category or UNSET,
    )
    reply.decision_id = context.note("verify", entry)
    reply.asked = reply.decision_id is not None and is_asked(reply.decision_id, probability)
    return reply


def _outside(context: Context, items: Sequence[Read], n_left: int) -> list[str]:
    """What is far outside on either side; the first `n_left` items are of the left."""
    sides = ["left"] * n_left + ["right"] * (len(items) - n_left)
    outside = context.live.items.outside
    return [
        said
        for item, side in zip(items, sides, strict=True)
        for said in outside(item.payload, side)
    ]


def _not_compared(context: Context, items: Sequence[Read], n_left: int) -> list[str]:
    """Fields that one side has and the other leaves empty; the first `n_left` are of the left."""
    found = []
    for field in context.live.encoder.prepare.fields:
        given = [item.payload.get(field.name) is not None for item in items]
        if any(given[:n_left]) != any(given[n_left:]):
            found.append(field.name)
    return found


def _views(place: str, side: Any) -> Sequence[tuple[str, Any]]:
    """The views of one side, each with its place.

    Raises:
        InvalidInput: none or too many.
    """
    if type(side) is not list:
        return ((place, side),)
    if not 1 <= len(side) <= MAX_VIEWS:
        raise InvalidInput(f"{len(side)} views, expected 1 to {MAX_VIEWS}", where=place)
    return [(f"{place}[{i}]", item) for i, item in enumerate(side)]


def _strictest(
    context: Context,
    items: Sequence[Read],
    pairs: Sequence[tuple[int, int]],
    scores: Sequence[float],
) -> tuple[Decision, float]:
    """The decision that is furthest from a match among those of all views, and its score."""
    policy, found = context.live.policy, []
    for (i, j), score in zip(pairs, scores, strict=True):
        left, right = items[i], items[j]
        decision = policy.decide(score, (left.category, right.category))
        found.append((policy.ruled(decision, left.payload, right.payload), score))
    return min(found, key=lambda pair: (ORDER[pair[0].outcome], pair[1] - pair[0].threshold))
