"""After a reply, asks the other release the same: a bounded queue and a thread that rests.

Nobody waits for it, and what it finds is counted and nowhere else: no ledger, no gallery, no
caller. It works in small parts, each begun while nobody else is answered if such a moment comes.
When it cannot keep up, requests are left out and that is counted.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter

from gemel.serve.books import Books
from gemel.serve.context import Context
from gemel.serve.live import Live
from gemel.serve.rollout.paired import difference
from gemel.serve.rollout.watch import Watch
from gemel.serve.steps import (
    Done,
    Encode,
    Encoded,
    Steps,
    Task,
    alone,
    answers,
    go_on,
    joined,
    parts,
    run,
)
from gemel.settings import AdaptSettings
from gemel.telemetry import Metrics

MAX_WAITING = 32
REST, REST_SECONDS = 3.0, 1.0
"""Times as long as a part took it rests, and seconds at most: a quarter of a core."""
PART = 4
"""Items that are encoded at once."""
LOOK_SECONDS, WAIT_SECONDS = 0.002, 0.25
"""How often it looks whether somebody is answered; after how long it goes on all the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A request that was answered, and who is to answer it again.

    Attributes:
        other: the bundle to ask.
        key: of the subject.
        is_ours: the candidate gave the reply, so `other` is stable.
        verb: that was asked.
        body: of the request.
        reply: that was given.
    """

    other: Live
    key: int
    is_ours: bool
    verb: Callable[[Context, Any], Any]
    body: Any
    reply: Any


class Shadow:
    """The thread that asks again.

    Args:
        watch: is told what differs.
        counts: how many were compared, failed and dropped, by these words.
        are_busy: tells whether somebody is answered at the moment.
    """

    def __init__(
        self, watch: Watch, counts: dict[str, Counter], are_busy: Callable[[], bool]
    ) -> None:
        self._watch, self._counts, self._are_busy = watch, counts, are_busy
        self._queue: queue.Queue[Pair | None] = queue.Queue(MAX_WAITING)
        self._books = Books(None, Metrics(), AdaptSettings(), tuple)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="gemel-shadow", daemon=True)
        self._thread.start()

    def offer(self, pair: Pair) -> None:
        """Ask the other one later, unless too many wait; returns at once."""
        try:
            self._queue.put_nowait(pair)
        except queue.Full:
            self._leave_out()

    def stop(self) -> None:
        """End after the part that is being done; what waits is left out."""
        self._end.set()
        with suppress(queue.Full):  # it looks at the end after each pair
            self._queue.put_nowait(None)
        self._thread.join()
        with suppress(queue.Empty):
            while True:
                if self._queue.get_nowait() is not None:
                    self._leave_out()

    def _leave_out(self) -> None:
        self._counts["dropped"].inc()
        self._watch.dropped()

    def _work(self) -> None:
        while True:
            pair = self._queue.get()
            if pair is None:
                return
            self._ask(pair)
            if self._end.is_set():
                return

    def _ask(self, pair: Pair) -> None:
        """Ask, and tell the watch; what stable cannot answer says nothing of the candidate."""
        context = Context(pair.other, self._books)
        try:
            reply = self._reply(pair.verb(context, pair.body))
        except _Ended:
            self._leave_out()
            return
        except Exception:  # whatever it is, it is counted and the next one is asked
            self._counts["failed"].inc()
            if not pair.is_ours:
                self._watch.compared(pair.key, None, failed=True)
            return
        both = (reply, pair.reply) if pair.is_ours else (pair.reply, reply)
        self._counts["compared"].inc()
        self._watch.compared(pair.key, difference(*both), failed=False)

    def _reply(self, steps: Steps[Any]) -> Any:
        """What a verb comes to, part by part."""
        with self._moment():
            outcome = go_on(steps, None)
        while not isinstance(outcome, Done):
            if isinstance(outcome, Encode) and len(outcome.items) > PART:
                done: list[Encoded] = []
                for part in parts(outcome, PART):
                    with self._moment():
                        done += answers([alone(part)], math.inf)
                with self._moment():
                    outcome = go_on(steps, outcome.scored(joined(done)))
                continue
            with self._moment():
                (found,) = run([Task(steps, outcome, math.inf)])
            if isinstance(found, Exception):
                raise found
            outcome = found
        return outcome.value

    @contextmanager
    def _moment(self) -> Iterator[None]:
        """Do a part while nobody else is answered, if such a moment comes; rest after it.

        Raises:
            _Ended: the end came first.
        """
        until = time.monotonic() + WAIT_SECONDS
        while self._are_busy() and time.monotonic() < until and not self._end.is_set():
            self._end.wait(LOOK_SECONDS)
        if self._end.is_set():
            raise _Ended
        started = time.perf_counter()
        yield
        self._end.wait(min(REST_SECONDS, REST * (time.perf_counter() - started)))


class _Ended(Exception):
    """The shadow ends, with a pair that was not asked."""
