from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.serve.small import ROWS

from gemel.encode.encoder import Encoder
from gemel.errors import Overloaded
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
LONG = {**ANNA, "born": 1100}
PAIR = VerifyBody(ANNA, ROWS[1])


class Held:
    """Encoding of what is long: it takes longer than a part, and does not end before `go`.

    Attributes:
        begun: set when the first of it is encoded.
        go: lets it end.
    """

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    async def until_begun(self) -> None:
        assert await asyncio.to_thread(self.begun.wait, 60)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held, encode = Held(), Live.encode

    def encoded(live: Live, payloads: Any) -> Any:
        if LONG in payloads:
            held.begun.set()
            assert held.go.wait(60)
        return encode(live, payloads)

    def seconds(_: Encoder, items: Any) -> list[float]:
        return [2 * PART_SECONDS if item == LONG else 0.0 for item in items]

    monkeypatch.setattr(Live, "encode", encoded)
    monkeypatch.setattr(Encoder, "seconds", seconds)
    yield held
    held.go.set()


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


def lanes_of(service: Service, **settings: Any) -> Lanes:
    """Lanes that were started."""
    lanes = Lanes(ServeSettings(**settings), service.metrics, log_to(level="critical"), Reader())
    lanes.start()
    return lanes


@pytest.mark.parametrize("n_long", [1, 4 * PART], ids=["one item", "in parts"])
def test_what_takes_a_moment_is_answered_while_what_takes_long_is_encoded(
    service: Service, held: Held, n_long: int
) -> None:
    async def story() -> Any:
        lanes, context = lanes_of(service), service.context()
        body = EmbeddingsBody([LONG] * n_long)
        long = asyncio.create_task(lanes.answer(context, embed(context, body)))
        await held.until_begun()
        async with asyncio.timeout(60):
            short = await lanes.answer(context, verify(context, PAIR))
        assert short.score == service.verify(PAIR.left, PAIR.right).score
        assert not long.done()
        held.go.set()
        reply = await long
        await lanes.stop()
        return reply

    rows = [json.loads(bytes(item.embedding)) for item in asyncio.run(story()).data]
    np.testing.assert_allclose(rows, service.embed([LONG] * n_long), atol=1e-6)


def test_a_pair_with_one_item_that_takes_long_is_decided_as_it_is_alone(
    service: Service, held: Held
) -> None:
    held.go.set()
    pairs = [VerifyBody(ANNA, LONG), PAIR, VerifyBody(LONG, ROWS[2])]
    alone = [service.verify(pair.left, pair.right).score for pair in pairs]

    async def story() -> None:
        lanes, context = lanes_of(service), service.context()
        each = [lanes.answer(context, verify(context, pair)) for pair in pairs]
        assert [one.score for one in await asyncio.gather(*each)] == pytest.approx(alone)
        reply = await lanes.answer(context, verify_batch(context, VerifyBatchBody(pairs)))
        assert [one.score for one in reply.results] == pytest.approx(alone)
        await lanes.stop()

    asyncio.run(story())


def test_of_what_takes_long_no_more_waits_than_may_and_nothing_else_is_refused(
    service: Service, held: Held
) -> None:
    async def story() -> None:
        lanes, context = lanes_of(service, max_queue=2), service.context()
        body = EmbeddingsBody([LONG])
        begun = asyncio.create_task(lanes.answer(context, embed(context, body)))
        await held.until_begun()
        waits = asyncio.create_task(lanes.answer(context, embed(context, body)))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await lanes.answer(context, embed(context, body))
        async with asyncio.timeout(60):
            await lanes.answer(context, verify(context, PAIR))
        held.go.set()
        await asyncio.gather(begun, waits)
        await lanes.stop()

    asyncio.run(story())
    text = service.metrics.text().decode()
    assert 'gemel_refused_total{lane="encode_long",reason="overloaded"} 1.0' in text
    assert 'gemel_refused_total{lane="encode",reason="overloaded"} 0.0' in text


def test_a_service_that_stops_finishes_what_takes_long_too(service: Service, held: Held) -> None:
    async def story() -> None:
        lanes, context = lanes_of(service), service.context()
        body = EmbeddingsBody([LONG])
        long = [asyncio.create_task(lanes.answer(context, embed(context, body))) for _ in "ab"]
        await held.until_begun()
        short = asyncio.create_task(lanes.answer(context, verify(context, PAIR)))
        await asyncio.sleep(0)
        stops = asyncio.create_task(lanes.stop())
        assert (await short).score == service.verify(PAIR.left, PAIR.right).score
        assert not stops.done() and not any(one.done() for one in long)
        held.go.set()
        await stops
        assert [len(reply.data) for reply in await asyncio.gather(*long)] == [1, 1]
        with pytest.raises(Overloaded):
            await lanes.answer(context, embed(context, body))

    asyncio.run(story())
