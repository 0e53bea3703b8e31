"""The card of the live release: what it is for, what was measured, when it expires."""

from __future__ import annotations

import msgspec

from gemel.release.words.card import Card, card
from gemel.serve.http.endpoint import Answers, Call, Raw, Route
from gemel.serve.http.problems import JSON
from gemel.serve.service import Service

CARD = Route("GET", "/v1/card", "/v1/card", None, Card, "The card of the release that is live")


class Showing:
    """The handler; a release never changes, so its card is made once."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._made: tuple[str, Raw] | None = None
        self.answers: Answers = {CARD: self.card}

    async def card(self, call: Call, _: None) -> Raw:
        """The card; 404 where the release carries no evidence."""
        live = call.live = self._service.live
        if self._made is None or self._made[0] != live.release.id:
            self._made = live.release.id, Raw(JSON, msgspec.json.encode(card(live.release)))
        return self._made[1]
