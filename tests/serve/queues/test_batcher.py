from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gemel.errors import DeadlineExceeded, InvalidInput, Overloaded
from gemel.serve.queues.batcher import Batcher, Limits
from gemel.telemetry import Metrics, log_to


class Gate:
    """A runtime that doubles numbers, waits while closed, and remembers its batches."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.batches: list[list[Any]] = []

    def __call__(self, items: Sequence[Any]) -> list[Any]:
        self.batches.append(list(items))
        self.entered.set()
        self.open.wait(10)
        if "poison" in items:
            raise ValueError("poison")
        return [InvalidInput("no") if item == "invalid" else item * 2 for item in items]


def batcher(
    run: Callable[..., Any],
    metrics: Metrics | None = None,
    clock: Callable[[], float] = time.monotonic,
    **limits: Any,
) -> Batcher[Any, Any]:
    log = log_to(level="critical")
    return Batcher(run, Limits(**limits), "encode", metrics or Metrics(), log, clock)


async def busy(lane: Batcher[Any, Any], gate: Gate) -> asyncio.Task[Any]:
    """A first item that keeps the runtime busy until the gate opens."""
    gate.open.clear()
    gate.entered.clear()
    first = asyncio.create_task(lane.submit(0))
    await asyncio.to_thread(gate.entered.wait, 10)
    return first


def test_a_batch_is_what_queued_while_the_runtime_was_busy() -> None:
    async def story() -> None:
        gate = Gate()
        lane = batcher(gate)
        lane.start()
        first = await busy(lane, gate)
        others = [asyncio.create_task(lane.submit(i)) for i in range(1, 6)]
        await asyncio.sleep(0)
        gate.open.set()
        assert (await first).value == 0
        assert [(await t).value for t in others] == [2, 4, 6, 8, 10]
        assert gate.batches == [[0], [1, 2, 3, 4, 5]]
        await lane.stop()

    asyncio.run(story())


def test_a_batch_holds_no_more_weight_than_allowed_and_keeps_the_order() -> None:
    async def story() -> None:
        gate = Gate()
        lane = batcher(gate, max_batch=4)
        lane.start()
        first = await busy(lane, gate)
        others = [
            asyncio.create_task(lane.submit(i, w)) for i, w in ((1, 2), (2, 2), (3, 9), (4, 1))
        ]
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(first, *others)
        assert gate.batches == [[0], [1, 2], [3], [4]]
        await lane.stop()

    asyncio.run(story())


class Noticed(threading.Event):
    """An event that tells when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_for = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_for.set()
        return super().wait(timeout)


def test_no_more_is_done_while_the_event_loop_has_no_time_to_hand_it_out() -> None:
    async def story() -> None:
        gate = Gate()
        lane = batcher(gate, max_batch=1)
        lane._delivered = noticed = Noticed()
        lane.start()
        first = await busy(lane, gate)
        others = [asyncio.create_task(lane.submit(i)) for i in range(1, 6)]
        await asyncio.sleep(0)
        gate.open.set()
        assert noticed.waited_for.wait(10), "here the event loop stands still"
        assert gate.batches == [[0], [1]]
        assert [(await task).value for task in (first, *others)] == [0, 2, 4, 6, 8, 10]
        await lane.stop()

    asyncio.run(story())


def test_poison_costs_its_own_waiter_only_and_the_next_request_is_served() -> None:
    async def story() -> None:
        gate, metrics = Gate(), Metrics()
        lane = batcher(gate, metrics)
        lane.start()
        first = await busy(lane, gate)
        items: list[Any] = [1, "poison", 2, "invalid", 3]
        tasks = [asyncio.create_task(lane.submit(item)) for item in items]
        await asyncio.sleep(0)
        gate.open.set()
        results = await asyncio.gather(first, *tasks, return_exceptions=True)
        values = [r if isinstance(r, BaseException) else r.value for r in results]
        assert values[0:2] == [0, 2]
        assert isinstance(values[2], ValueError)
        assert values[3] == 4
        assert isinstance(values[4], InvalidInput)
        assert values[5] == 6
        assert (await lane.submit(7)).value == 14
        count = metrics.registry.get_sample_value
        assert count("gemel_batch_failures_total", {"lane": "encode"}) == 1
        await lane.stop()

    asyncio.run(story())


@pytest.mark.parametrize("failure", [MemoryError(), SystemExit(3), KeyboardInterrupt()])
def test_the_worker_outlives_whatever_the_runtime_raises(failure: BaseException) -> None:
    def run(items: Sequence[Any]) -> list[Any]:
        if "bad" in items:
            raise failure
        return list(items)

    async def story() -> None:
        lane = batcher(run)
        lane.start()
        (outcome,) = await asyncio.gather(lane.submit("bad"), return_exceptions=True)
        assert isinstance(outcome, MemoryError | RuntimeError)
        assert (await lane.submit("good")).value == "good"
        await lane.stop()

    asyncio.run(story())


def test_a_runtime_that_loses_results_is_an_error_and_not_a_mix_up() -> None:
    def run(items: Sequence[Any]) -> list[Any]:
        return list(items)[: 1 if len(items) > 1 else None]

    async def story() -> None:
        lane = batcher(run)
        tasks = [asyncio.create_task(lane.submit(i)) for i in range(4)]
        await asyncio.sleep(0)
        lane.start()
        assert [(await t).value for t in tasks] == [0, 1, 2, 3]
        await lane.stop()

    asyncio.run(story())


def test_a_full_queue_refuses_before_any_work() -> None:
    async def story() -> None:
        gate, metrics = Gate(), Metrics()
        lane = batcher(gate, metrics, max_queue=3)
        lane.start()
        first = await busy(lane, gate)
        waiting = [asyncio.create_task(lane.submit(i)) for i in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="3 payloads are waiting"):
            lane.permit()
        labels = {"lane": "encode", "reason": "overloaded"}
        assert metrics.registry.get_sample_value("gemel_refused_total", labels) == 1
        gate.open.set()
        await asyncio.gather(first, *waiting)
        lane.permit()
        await lane.stop()

    asyncio.run(story())


def test_who_waits_too_long_is_told_while_the_runtime_is_still_busy() -> None:
    async def story() -> None:
        gate = Gate()
        lane = batcher(gate, timeout_s=0.05)
        lane.start()
        first = await busy(lane, gate)
        second = asyncio.create_task(lane.submit(1))
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(r) for r in results] == [DeadlineExceeded, DeadlineExceeded]
        gate.open.set()
        assert (await lane.submit(2)).value == 4
        assert [1] not in gate.batches, "an expired waiter costs no work"
        await lane.stop()

    asyncio.run(story())


def test_who_goes_away_costs_no_work() -> None:
    async def story() -> None:
        gate = Gate()
        lane = batcher(gate)
        lane.start()
        first = await busy(lane, gate)
        gone, stays = (asyncio.create_task(lane.submit(i)) for i in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        gate.open.set()
        assert (await stays).value == 4
        await first
        assert gate.batches == [[0], [2]]
        await lane.stop()

    asyncio.run(story())


def test_who_goes_away_makes_room_at_once() -> None:
    async def story() -> None:
        gate = Gate()
        lane = batcher(gate, max_queue=4)
        lane.start()
        first = await busy(lane, gate)
        gone = asyncio.create_task(lane.submit("gone", weight=4))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            lane.permit()
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        lane.permit()
        gate.open.set()
        await first
        await lane.stop()
        assert gate.batches == [[0]]

    asyncio.run(story())


def test_how_long_what_waits_will_take_is_told_by_what_was_done() -> None:
    """Ten payloads a second, but for one batch that stood still."""

    async def story() -> None:
        gate, now, held_s = Gate(), [0.0], [0.0]

        def run(items: Sequence[Any]) -> list[Any]:
            made = gate(items)
            now[0] += held_s[0] + 0.1 * len(items)
            return made

        lane = batcher(run, clock=lambda: now[0])
        lane.start()
        assert lane.backlog_s() == 0
        for held_s[0] in (0.0, 60.0, 0.0):
            await lane.submit(1)
        first = await busy(lane, gate)
        others = [asyncio.create_task(lane.submit(i)) for i in range(20)]
        await asyncio.sleep(0)
        assert lane.backlog_s() == pytest.approx(2.1)
        now[0] += 0.04
        assert lane.backlog_s() == pytest.approx(2.06)
        assert lane.refusal("full", lane.backlog_s()).retry_s == pytest.approx(2.06)
        gate.open.set()
        await asyncio.gather(first, *others)
        assert lane.backlog_s() == 0
        await lane.stop()

    asyncio.run(story())


def test_stopping_finishes_what_waits_and_refuses_what_comes() -> None:
    async def story() -> None:
        gate = Gate()
        lane = batcher(gate)
        lane.start()
        first = await busy(lane, gate)
        waiting = [asyncio.create_task(lane.submit(i)) for i in (1, 2)]
        await asyncio.sleep(0)
        stopping = asyncio.create_task(lane.stop())
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="stopping"):
            lane.permit()
        gate.open.set()
        assert [(await t).value for t in (first, *waiting)] == [0, 2, 4]
        await stopping

    asyncio.run(story())
