"""Requests into batches, by pulling: a batch is what queued while the runtime was busy.

Nobody waits for a batch to fill. The queue is bounded, how long it will take is known from what was
done before, and the refusal comes before any work; who goes away makes room at once. Owners take
turns, and one that fills the queue keeps no other out. Every
waiter has its own result or its own error: a batch that fails as a whole is run again item by
item, so one bad item costs its own request only. The worker outlives every item.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from gemel.errors import DeadlineExceeded, Overloaded
from gemel.figures import number_of
from gemel.serve.queues.turns import Turns
from gemel.telemetry import Metrics

ALONE = 1 << 62
"""Room of a batch that has nothing yet: whatever is heavier than a batch is one of its own."""
KEPT = 0.9
"""Of what is known of the speed, when another batch is done."""
AHEAD = 1
"""Batches that may be done and not handed out: a thread that went on would only take time from the
event loop, which has that to do and requests to refuse."""
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Limits:
    """How much may wait, and how long.

    Args:
        max_batch: weight of a batch, at most; a single heavier item is a batch of its own.
        max_queue: waiting weight from which on new requests are refused, but for owners that have
            less than an equal part of it.
        timeout_s: age at which a waiter gets DeadlineExceeded.
        nice: steps by which its thread yields the processor to others, where threads can.
    """

    max_batch: int = 32
    max_queue: int = 256
    timeout_s: float = 5.0
    nice: int = 0


class Answer(NamedTuple, Generic[Result]):
    """A result, when it was begun, and how long it waited and ran."""

    value: Result
    begun: float
    wait_s: float
    run_s: float


@dataclass(eq=False, slots=True)
class _Waiter(Generic[Item]):
    item: Item
    weight: int
    future: asyncio.Future[Any]
    since: float
    owner: str = ""
    is_queued: bool = True


class Batcher(Generic[Item, Result]):
    """Runs items in batches in a thread of its own.

    Args:
        run: takes a batch, gives one result per item, in order; a result that is an exception is
            that item's error, an exception that is raised is the whole batch's.
        limits: bounds of batch, queue and waiting time.
        lane: its name in metrics.
        metrics: what is counted.
        log: a logger.
        clock: seconds of a monotonic clock.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Sequence[Result | Exception]],
        limits: Limits,
        lane: str,
        metrics: Metrics,
        log: Any,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._clock = clock
        self._limits = limits
        self._log = log
        self._turns: Turns[_Waiter[Item]] = Turns()
        self._open: deque[_Waiter[Item]] = deque()
        self._running: tuple[int, float] | None = None
        self._done = self._took = self._pace = 0.0
        self._stopping = False
        self._idle = False
        self._n_handed = self._n_delivered = 0
        self._delivered = threading.Event()
        self._arrival = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"gemel-{lane}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._refused = {
            reason: metrics.counter("gemel_refused_total", lane, reason)
            for reason in ("overloaded", "deadline", "stopping")
        }
        self._failures = metrics.counter("gemel_batch_failures_total", lane)
        self._sizes = metrics.histogram("gemel_batch_payloads", lane)
        self._seconds = metrics.histogram("gemel_batch_seconds", lane)
        self._waits = metrics.histogram("gemel_batch_wait_seconds", lane)
        metrics.gauge("gemel_queue_payloads", lane).set_function(lambda: self._turns.weight)
        metrics.gauge("gemel_batch_running_seconds", lane).set_function(lambda: self.running_s)

    @property
    def running_s(self) -> float:
        """Seconds that the batch which is run now has taken so far; 0 if none is."""
        running = self._running
        return 0.0 if running is None else self._clock() - running[1]

    @property
    def is_stuck(self) -> bool:
        """One batch runs for so long that everybody who waits behind it is told to go."""
        return self.running_s > self._limits.timeout_s

    def start(self) -> None:
        """Begin to work; call it in the event loop that will submit."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def permit(self, owner: str = "") -> None:
        """Return if a request may be submitted now.

        Args:
            owner: whose it is.
        Raises:
            Overloaded: too much is waiting, or the service is stopping.
        """
        if self._stopping:
            self._refused["stopping"].inc()
            raise Overloaded("the service is stopping", hint="try another replica")
        weight, most = self._turns.weight, self._limits.max_queue
        if weight < most:
            return
        with self._arrival:
            is_more = self._turns.of(owner) + 1 > self._turns.share(owner, most)
        if is_more:
            what = f"{number_of(weight, 'payload is', 'payloads are')} waiting, the limit is {most}"
            raise self.refusal(what, self.backlog_s(owner))

    def refusal(self, what: str, retry_s: float) -> Overloaded:
        """The error of a request that is refused for load; counted.

        Args:
            what: see `GemelError`.
            retry_s: seconds after which there is room.
        """
        self._refused["overloaded"].inc()
        return Overloaded(what, hint="try again after the time in Retry-After", retry_s=retry_s)

    def backlog_s(self, owner: str = "") -> float:
        """Seconds until what an owner sends now has its turn, at the speed of late; 0 before any is
        known.
        """
        pace, running, left = self._pace, self._running, 0.0
        if running is not None:
            weight, started = running
            left = max(0.0, weight * pace - (self._clock() - started))
        if not self._turns.weight:
            return left
        with self._arrival:
            return left + self._turns.ahead(owner) * pace

    async def submit(self, item: Item, weight: int = 1, owner: str = "") -> Answer[Result]:
        """The answer to an item, for which there was a permit.

        Args:
            item: what to run.
            weight: payloads in it.
            owner: whose it is.
        Raises:
            DeadlineExceeded: it waited too long.
            Exception: whatever the item itself ran into.
        """
        loop = asyncio.get_running_loop()
        waiter = _Waiter(item, weight, loop.create_future(), self._clock(), owner)
        self._open.append(waiter)
        if self._timer is None:
            self._timer = loop.call_later(self._limits.timeout_s, self._expire)
        with self._arrival:
            self._turns.put(waiter)
            if self._idle:
                self._idle = False
                self._arrival.notify()
        try:
            answer: Answer[Result] = await waiter.future
        except asyncio.CancelledError:
            self._drop(waiter)
            raise
        return answer

    def _drop(self, waiter: _Waiter[Item]) -> None:
        """Let go of what nobody waits for any more, if it is not begun."""
        with self._arrival:
            if waiter.is_queued:
                self._turns.drop(waiter)
                waiter.is_queued = False

    async def stop(self) -> None:
        """Refuse new requests, finish those that wait, end the thread."""
        with self._arrival:
            self._stopping = True
            self._arrival.notify()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)
        if self._timer is not None:
            self._timer.cancel()

    def _work(self) -> None:
        """Take a batch, run it, hand the results to the event loop; until stopped."""
        if self._limits.nice and sys.platform == "linux":  # elsewhere it is of the whole process
            own = threading.get_native_id()
            os.setpriority(
                os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + self._limits.nice
            )
        while True:
            with self._arrival:
                while not self._turns:
                    if self._stopping:
                        return
                    self._idle = True
                    self._arrival.wait()
                batch = self._take()
            if not batch or self._loop is None:
                continue
            started, weight = self._clock(), sum(waiter.weight for waiter in batch)
            self._running = weight, started
            results = self._attempt([waiter.item for waiter in batch])
            self._running = None
            run_s = self._clock() - started
            self._done, self._took = KEPT * self._done + weight, KEPT * self._took + run_s
            # One batch that stood still says nothing of the next.
            self._pace = min(self._took / self._done, run_s / weight)
            try:
                self._loop.call_soon_threadsafe(self._deliver, batch, results, started, run_s)
            except RuntimeError:  # the event loop was closed: nobody waits any more
                return
            self._n_handed += 1
            self._wait_for(self._loop)

    def _wait_for(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until the event loop has handed out all but the last batches."""
        while self._n_handed - self._n_delivered > AHEAD and not loop.is_closed():
            self._delivered.clear()
            if self._n_handed - self._n_delivered > AHEAD:
                self._delivered.wait(1.0)

    def _take(self) -> list[_Waiter[Item]]:
        """The next batch: whose turn it is, without waiters that have gone."""
        batch: list[_Waiter[Item]] = []
        room = self._limits.max_batch
        while waiter := self._turns.take(room if batch else ALONE):
            waiter.is_queued = False
            if not waiter.future.done():
                batch.append(waiter)
                room -= waiter.weight
        return batch

    def _attempt(self, items: list[Item]) -> Sequence[Result | Exception]:
        """One result or error per item; never raises."""
        try:
            results = self._run(items)
            if len(results) != len(items):
                raise RuntimeError(f"{len(results)} results for {len(items)} items")
            return results
        except BaseException as error:  # also what is no Exception must reach its waiter
            failure = error if isinstance(error, Exception) else RuntimeError(repr(error))
            if len(items) == 1:
                return [failure]
            self._failures.inc()
            self._log.warning("batch_failed", n_items=len(items), error=type(error).__name__)
            return [self._attempt([item])[0] for item in items]

    def _deliver(
        self,
        batch: list[_Waiter[Item]],
        results: Sequence[Result | Exception],
        started: float,
        run_s: float,
    ) -> None:
        for waiter, result in zip(batch, results, strict=True):
            if waiter.future.done():
                continue
            if isinstance(result, Exception):
                waiter.future.set_exception(result)
            else:
                waiter.future.set_result(Answer(result, started, started - waiter.since, run_s))
        self._n_delivered += 1
        self._delivered.set()
        while self._open and self._open[0].future.done():
            self._open.popleft()
        self._sizes.observe(sum(waiter.weight for waiter in batch))
        self._seconds.observe(run_s)
        self._waits.observe(started - batch[0].since)

    def _expire(self) -> None:
        """Answer those that have waited too long; look again when the next one would have."""
        now = self._clock()
        self._timer = None
        while self._open:
            waiter = self._open[0]
            left_s = waiter.since + self._limits.timeout_s - now
            if left_s > 0 and not waiter.future.done():
                self._timer = asyncio.get_running_loop().call_later(left_s, self._expire)
                return
            self._open.popleft()
            if not waiter.future.done():
                self._refused["deadline"].inc()
                waiter.future.set_exception(
                    DeadlineExceeded(
                        f"no answer within {self._limits.timeout_s:g} s", hint="try again later"
                    )
                )
