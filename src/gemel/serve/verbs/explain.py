"""Explain: why are two things decided as they are? It decides and records nothing."""

from __future__ import annotations

from gemel.decide.categories import pair_of
from gemel.errors import InvalidInput
from gemel.release.explanation import Explanation, Question, explaining
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Move, Steps
from gemel.serve.wire.pairs import ExplainBody
from gemel.tasks.explain import advance


def explain(context: Context, body: ExplainBody) -> Steps[Explanation]:
    """Why a pair, or an item and a record of the gallery, is decided as it is.

    All variants of a pair are encoded where everything is; cutting and scoring them has a lane of
    its own.
    """
    live = context.live
    is_hit = _is_hit(body)
    if is_hit:
        _ = context.gallery  # refused before anything waits
    yield Move("explain")
    steps = explaining(
        live.release,
        live.encoder.prepare,
        _of_hit(context, body) if is_hit else _of_pair(context, body),
        parts=body.parts == "auto",
    )
    wanted, explanation = advance(steps, None)
    while explanation is None:
        encoded: Encoded = yield Encode(live, [("", p, None) for p in wanted], checked=True)
        yield Move("explain")
        wanted, explanation = advance(steps, encoded.rows)
    return explanation


def _is_hit(body: ExplainBody) -> bool:
    """Whether it asks about an item and a record.

    Raises:
        InvalidInput: neither that nor two items.
    """
    pair, hit = (body.left, body.right), (body.query, body.id)
    if None not in pair and hit == (None, None):
        return False
    if None not in hit and pair == (None, None):
        return True
    is_hit = pair == (None, None) and hit != (None, None)
    begun = ("query", "id") if is_hit else ("left", "right")
    raise InvalidInput(
        "expected two items, or an item and a record",
        where=next((name for name in begun if getattr(body, name) is None), "id"),
        hint="send `left` and `right`, or `query` and `id`, that of a record in the gallery",
    )


def _of_pair(context: Context, body: ExplainBody) -> Question:
    read, (left, right) = context.live.items.read, pair_of(body.category)
    return Question.of_pair(read(body.left, "left", left), read(body.right, "right", right))


def _of_hit(context: Context, body: ExplainBody) -> Question:
    items, gallery = context.live.items, context.gallery
    query = items.read(body.query, "query", pair_of(body.category)[0])
    record = gallery.get(body.id or "")
    return Question(
        pair=(query.payload, record.embedding),
        category=(query.category, items.category(record.attributes)),
        rows=(query.payload, record.attributes),
        stage="search",
        gallery_size=gallery.count(),
    )
