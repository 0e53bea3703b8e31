from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.serve.small import ROWS

from gemel.encode.encoder import Encoder
from gemel.serve.live import Live
from gemel.serve.queues.queues import LONG_SECONDS, PART, Lanes
from gemel.serve.reader.reader import Reader
from gemel.serve.service import Service
from gemel.serve.steps import PART_SECONDS
from gemel.serve.verbs.batches import verify_batch
from gemel.serve.verbs.embed import embed
from gemel.serve.verbs.verify import verify
from gemel.serve.wire.pairs import VerifyBatchBody, VerifyBody
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


def test_a_few_items_that_take_long_are_done_in_parts_and_decided_alike(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [VerifyBody(ROWS[i % 3], ROWS[i % 5]) for i in range(18)]
    alone = [service.verify(pair.left, pair.right) for pair in pairs]
    encode, sizes = Live.encode, []

    def noted(live: Live, payloads: Any) -> Any:
        sizes.append(len(payloads))
        return encode(live, payloads)

    monkeypatch.setattr(Live, "encode", noted)
    monkeypatch.setattr(Encoder, "seconds", lambda _, items: [0.4 * PART_SECONDS] * len(items))
    log = log_to(level="critical")

    async def story() -> None:
        lanes = Lanes(ServeSettings(), service.metrics, log, Reader())
        lanes.start()
        context = service.context()
        reply = await lanes.answer(context, verify_batch(context, VerifyBatchBody(pairs)))
        assert [one.score for one in reply.results] == [one.score for one in alone]
        assert [one.outcome for one in reply.results] == [one.outcome for one in alone]
        await lanes.stop()

    asyncio.run(story())
    assert 4 * 0.4 * PART_SECONDS < LONG_SECONDS < 8 * 0.4 * PART_SECONDS
    assert sizes == [2] * 16 + [4], "a piece of sixteen pairs is long, the other of two is not"


def test_what_items_take_is_known_from_those_before(service: Service) -> None:
    encoder = service.context().live.encoder
    encoder.encode(ROWS * 20)
    one, two = encoder.seconds(ROWS[:2])
    assert one == two and 0 < one < 0.01


def test_what_takes_a_moment_does_not_wait_for_the_turn_of_what_takes_long(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Encoder, "seconds", lambda _, items: [0.8 * LONG_SECONDS] * len(items))
    ended: list[str] = []

    async def story() -> None:
        lanes = Lanes(ServeSettings(), service.metrics, log_to(level="critical"), Reader())
        lanes.start()

        async def many(name: str) -> None:
            context = service.context()
            body = EmbeddingsBody([ROWS[i % 5] for i in range(50)])
            await lanes.answer(context, embed(context, body))
            ended.append(name)

        async def one() -> None:
            context = service.context()
            await lanes.answer(context, verify(context, VerifyBody(ANNA, ROWS[1])))
            ended.append("one")

        await asyncio.gather(many("first"), many("second"), one())
        await lanes.stop()

    asyncio.run(story())
    assert ended == ["one", "first", "second"]
