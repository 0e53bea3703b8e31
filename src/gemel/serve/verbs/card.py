"""Card: what is the release that answers for, what was measured, when does it expire?"""

from __future__ import annotations

from gemel.release.words.card import Card
from gemel.release.words.card import card as card_of
from gemel.serve.context import Context
from gemel.serve.steps import Move, Steps
from gemel.serve.wire.operation import CardBody


def card(context: Context, body: CardBody) -> Steps[Card]:
    """The card of the release that is live."""
    yield Move("find")
    return card_of(context.live.release)
