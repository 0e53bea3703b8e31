"""The lanes that work travels in: each a bounded queue and a thread of its own.

Encoding, searching and changing the gallery do not wait for each other, nor does anybody for an
item that takes long and cannot be taken apart. What has gathered in a lane is done together. What
the verbs do is theirs.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, get_args

from msgspec import structs

from gemel.encode.modality import Payload, Prepare
from gemel.errors import DeadlineExceeded, InvalidInput
from gemel.release import items
from gemel.release.items import Payloads
from gemel.serve.context import Context, Stage
from gemel.serve.http.body import LARGE
from gemel.serve.live import Live
from gemel.serve.queues.batcher import Answer, Batcher, Limits
from gemel.serve.queues.in_turn import InTurn
from gemel.serve.reader.jobs import Read, Weigh
from gemel.serve.reader.reader import Reader
from gemel.serve.steps import (
    PART_SECONDS,
    Done,
    Encode,
    Encoded,
    Lane,
    Move,
    Step,
    Steps,
    Task,
    alone,
    go_on,
    joined,
    parts,
    run,
)
from gemel.settings import ServeSettings
from gemel.telemetry import Metrics

T = TypeVar("T")
LANES: tuple[Lane, ...] = get_args(Lane)
MAX_WEIGHT = 100
"""Work that one request may bring, see `Modality.weight`: of images, 100 million pixels."""
PART = 4
"""Items of a long request that are encoded at once, so that others need not wait for many."""
NICE = 5
"""Of the thread that reads what is heavy: where processors are few, the event loop goes first."""
LONG_SECONDS, TURN_SECONDS = 0.06, 0.5
"""Of encoding, about, from which on the items of a request are done in parts, and from which on it
waits for others like it to end."""
REST, REST_SECONDS = 3, 0.02
"""Times as long as a part took, and seconds at most, that a long request waits after it, where
others were answered meanwhile."""
LIGHT = 4
"""Items that weigh more are read apart from where all others are encoded."""


class Lanes:
    """The lanes of one service.

    Args:
        settings: limits of queue, batch and time.
        metrics: what is counted.
        log: a logger.
        reader: reads what is heavy.
    """

    def __init__(self, settings: ServeSettings, metrics: Metrics, log: Any, reader: Reader) -> None:
        self._reader = reader
        limits = Limits(settings.max_batch, settings.max_queue, settings.timeout_ms / 1000)
        self._max_batch, self._timeout_s = settings.max_batch, limits.timeout_s
        reading = replace(limits, nice=NICE)
        self._lanes: dict[Lane, Batcher[Task[Any], Step | Done[Any]]] = {
            name: Batcher(run, reading if name == "read" else limits, name, metrics, log)
            for name in LANES
        }
        self._long = InTurn(limits.timeout_s)
        self._n_short = self._n_asked = 0

    def start(self) -> None:
        """Begin to take work."""
        for lane in self._lanes.values():
            lane.start()

    async def stop(self) -> None:
        """Finish what is in the queues and end."""
        for lane in self._lanes.values():
            await lane.stop()

    def permit(self, lanes: Sequence[Lane], deadline: float = math.inf, owner: str = "") -> None:
        """Return if a verb that goes through these lanes may begin.

        Args:
            lanes: in any order.
            deadline: of the caller; of the monotonic clock, seconds.
            owner: whose request it is.
        Raises:
            Overloaded: too much is waiting, or what waits will not be done until the deadline or
                within the longest time that a request may wait; or the service is stopping.
        """
        slowest, backlog_s = None, 0.0
        for name in lanes:
            lane = self._lanes[name]
            lane.permit(owner)
            this_s = lane.backlog_s(owner)
            slowest = lane if this_s > 0 and (slowest is None or this_s > backlog_s) else slowest
            backlog_s += this_s
        if slowest is None:
            return
        left_s = min(self._timeout_s, deadline - time.monotonic())
        if backlog_s > left_s:
            raise slowest.refusal(
                f"what waits takes {backlog_s:.1f} s, this request has {max(0.0, left_s):.1f} s",
                backlog_s - left_s,
            )

    @property
    def are_busy(self) -> bool:
        """Somebody waits for an answer."""
        return self._n_asked > 0

    def stuck(self) -> list[Lane]:
        """Lanes in which one batch runs for so long that whoever waits behind it gets no answer."""
        return [name for name, lane in self._lanes.items() if lane.is_stuck]

    async def answer(self, context: Context, steps: Steps[T], *, n_bytes: int = 0) -> T:
        """What a verb comes to, for which there was a permit.

        Args:
            context: of the request; takes the times of the stages.
            steps: the verb, at its beginning.
            n_bytes: of a large body; nothing of it is looked at in the event loop.
        Raises:
            DeadlineExceeded: it waited too long.
            Exception: whatever the verb itself ran into.
        """
        self._n_asked += 1
        try:
            if context.deadline == math.inf:
                return await self._answer(context, steps, n_bytes)
            return await self._in_time(context, steps, n_bytes)
        finally:
            self._n_asked -= 1

    async def _in_time(self, context: Context, steps: Steps[T], n_bytes: int) -> T:
        try:
            async with asyncio.timeout(context.deadline - time.monotonic()):
                return await self._answer(context, steps, n_bytes)
        except TimeoutError as e:
            raise DeadlineExceeded("no answer until the deadline of the request") from e

    async def _answer(self, context: Context, steps: Steps[T], n_bytes: int) -> T:
        outcome: Step | Done[T] = go_on(steps, None)
        while not isinstance(outcome, Done):
            if isinstance(outcome, Encode):
                outcome = await self._read(context, outcome, n_bytes)
                seconds = outcome.seconds
                outcome = self._apart(context, outcome, seconds)
                takes_s = self._takes_s(outcome, seconds)
                if takes_s > TURN_SECONDS:
                    async with self._long.turn(context.caller.owner, len(outcome.items)):
                        return await self._in_parts(context, steps, outcome, n_bytes)
                if takes_s > LONG_SECONDS:
                    self._n_short += 1
                    return await self._in_parts(context, steps, outcome, n_bytes, rests=False)
            self._n_short += 1
            outcome = await self._submit(context, Task(steps, outcome, context.deadline))
        return outcome.value

    def _apart(self, context: Context, step: Encode, seconds: Sequence[float]) -> Encode:
        """The step, in the lane of those of which an item takes longer than a part, if one does.

        Raises:
            Overloaded: too much is waiting there.
        """
        if max(seconds, default=0.0) <= PART_SECONDS:
            return step
        step = structs.replace(step, lane="encode_long")
        self.permit([step.lane], context.deadline, context.caller.owner)
        return step

    def _takes_s(self, step: Encode, seconds: Sequence[float]) -> float:
        """Seconds, about, that parts of it take together; infinite where it exceeds a batch."""
        n = len(seconds)
        if n > self._max_batch and not step.pairs:
            return math.inf
        return sum(seconds) if n > 1 else 0.0

    async def _in_parts(
        self,
        context: Context,
        steps: Steps[T],
        outcome: Step | Done[T],
        n_bytes: int,
        *,
        rests: bool = True,
    ) -> T:
        """What a verb comes to from a step on that is long.

        Others go between its parts and steps, and where they did it rests, if it is one that does.
        """
        submit = self._submit_and_rest if rests else self._submit
        while not isinstance(outcome, Done):
            if (
                not isinstance(outcome, Encode)
                or self._takes_s(outcome, outcome.seconds) <= LONG_SECONDS
            ):
                task = Task(steps, outcome, context.deadline)
                outcome = await submit(context, task, True)
            else:
                done: list[Encoded] = []
                for part in parts(outcome, min(PART, self._max_batch)):
                    task = _begun(alone(part), part, context.deadline)
                    done.append((await submit(context, task, not done)).value)
                together = _together(steps, outcome, done)
                task = _begun(together, Move("find"), context.deadline)
                outcome = (await submit(context, task, False)).value
            if isinstance(outcome, Encode):
                outcome = await self._read(context, outcome, n_bytes)
                outcome = self._apart(context, outcome, outcome.seconds)
        return outcome.value

    async def _submit_and_rest(self, context: Context, task: Task[Any], is_timed: bool) -> Any:
        n_short = self._n_short
        answer = await self._ask(context, task, is_timed)
        if self._n_short > n_short:
            await asyncio.sleep(min(REST * answer.run_s, REST_SECONDS))
        return answer.value

    async def _read(self, context: Context, step: Encode, n_bytes: int) -> Encode:
        """The step; where its items are heavy, they were read in a lane of its own, piece by piece.

        Raises:
            InvalidInput: they are more than one request may bring, or one cannot be encoded.
        """
        modality = step.live.items.modality
        if step.checked or modality.is_light:
            return step
        weights = await self._weights(context, step, n_bytes)
        if sum(weights) > MAX_WEIGHT:
            raise InvalidInput(
                f"the {modality.nouns[1]} of this request are {math.ceil(sum(weights))} times the "
                f"work of a small one, at most {MAX_WEIGHT} are read",
                hint="send fewer or smaller ones at a time",
            )
        is_little = max(weights, default=0) <= LIGHT and sum(weights) <= self._max_batch
        if is_little and not n_bytes:
            return step
        self._lanes["read"].permit(context.caller.owner)
        found: list[tuple[str, Any, str | None]] = []
        beside = partial(_beside, self._reader, step.live)
        for some, weight in _grouped(step.items, weights):
            part = Encode(step.live, some)
            reading = _reading(part, beside if weight > LIGHT else None)
            task = _begun(reading, Move("read"), context.deadline)
            read = (await self._submit(context, task, False)).value
            places = [place for place, _, _ in some]
            found += [(at, r.payload, r.category) for at, r in zip(places, read, strict=True)]
        return Encode(step.live, found, step.pairs, checked=True)

    async def _weights(self, context: Context, step: Encode, n_bytes: int) -> list[float]:
        """What each item weighs; of many or large ones, found where nobody else waits."""
        modality, items = step.live.items.modality, [item for _, item, _ in step.items]
        job = Weigh(modality.name, items)
        if len(items) <= LIGHT and not n_bytes:
            return job.run()
        self._lanes["read"].permit(context.caller.owner)
        weigh = partial(self._reader.run, job) if n_bytes >= LARGE else job.run
        task = _begun(_weighing(weigh), Move("read"), context.deadline)
        weights: list[float] = (await self._submit(context, task, False)).value
        return weights

    async def _submit(self, context: Context, task: Task[Any], is_timed: bool = True) -> Any:
        return (await self._ask(context, task, is_timed)).value

    async def _ask(self, context: Context, task: Task[Any], is_timed: bool) -> Answer[Any]:
        step = task.step
        lane, owner = self._lanes[step.lane], context.caller.owner
        answer = await lane.submit(task, step.weight, owner)
        if is_timed and step.stage:
            context.timing += (
                Stage("queue", answer.begun - answer.wait_s, answer.wait_s),
                Stage(step.stage, answer.begun, answer.run_s),
            )
        return answer


def _weighing(weigh: Callable[[], list[float]]) -> Steps[list[float]]:
    """What items weigh."""
    yield Move("read")
    return weigh()


def _reading(step: Encode, beside: Payloads | None) -> Steps[list[items.Read]]:
    """What a step reads, without encoding it."""
    yield Move("read")
    return step.read(beside)


def _beside(reader: Reader, live: Live, prepare: Prepare, item: Any) -> Payload:
    """The payload that an item stands for, made in the process beside.

    Raises:
        InvalidInput: it cannot be encoded.
    """
    return live.items.modality.arrived(prepare, reader.run(Read(live.encoder.spec, item)))


def _begun(steps: Steps[Any], step: Step, deadline: float) -> Task[Any]:
    """A task that goes on with that step, its first."""
    go_on(steps, None)
    return Task(steps, step, deadline)


def _grouped(
    of: Sequence[tuple[str, Any, str | None]], weights: Sequence[float]
) -> Iterator[tuple[list[tuple[str, Any, str | None]], float]]:
    """Items that are read at once, in order, with their weight: many of almost none, or one."""
    some: list[tuple[str, Any, str | None]] = []
    total = 0.0
    for item, weight in zip(of, weights, strict=True):
        if some and total + weight > 1:
            yield some, total
            some, total = [], 0.0
        some.append(item)
        total += weight
    if some:
        yield some, total


def _together(steps: Steps[T], whole: Encode, done: Sequence[Encoded]) -> Steps[Step | Done[T]]:
    """What a verb needs after a step that was done in parts, or has come to."""
    yield Move("find")
    return go_on(steps, whole.scored(joined(done)))
