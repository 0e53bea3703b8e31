from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.serve.small import ROWS

from gemel.serve.live import Live
from gemel.serve.queues.queues import PART, Lanes
from gemel.serve.reader.reader import Reader
from gemel.serve.service import Service
from gemel.serve.verbs.embed import embed
from gemel.serve.verbs.verify import verify
from gemel.serve.wire.pairs import VerifyBody
from gemel.serve.wire.vectors import EmbeddingsBody
from gemel.settings import ServeSettings
from gemel.telemetry import log_to

ANNA = ROWS[0]


def test_long_requests_are_done_one_after_the_other_and_short_ones_in_between(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, years = Live.encode, []

    def noted(live: Live, payloads: Any) -> Any:
        years.extend(payload["born"] for payload in payloads)
        return encode(live, payloads)

    monkeypatch.setattr(Live, "encode", noted)
    log = log_to(level="critical")

    async def story() -> None:
        lanes = Lanes(ServeSettings(max_batch=8), service.metrics, log, Reader())
        lanes.start()

        async def many(first: int) -> None:
            body = EmbeddingsBody([{**ANNA, "born": first + i} for i in range(5 * PART)])
            context = service.context()
            reply = await lanes.answer(context, embed(context, body))
            assert [item.index for item in reply.data] == list(range(5 * PART))

        async def one() -> None:
            context = service.context()
            await lanes.answer(context, verify(context, VerifyBody(ANNA, ANNA)))

        await asyncio.gather(many(1100), many(1200), one())
        await lanes.stop()

    asyncio.run(story())
    long = [year for year in years if year < 1300]
    assert long == [*range(1100, 1100 + 5 * PART), *range(1200, 1200 + 5 * PART)]
    assert years.index(ANNA["born"]) < years.index(1100 + 5 * PART - 1)
