"""After a reply, asks the other release the same: a bounded queue and a thread that rests.

Nobody waits for it, and what it finds is counted and nowhere else: no ledger, no gallery, no
caller. When it cannot keep up, requests are left out and that is counted.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter

from gemel.serve.books import Books
from gemel.serve.context import Context
from gemel.serve.live import Live
from gemel.serve.rollout.paired import difference
from gemel.serve.rollout.watch import Watch
from gemel.serve.steps import answers
from gemel.settings import AdaptSettings
from gemel.telemetry import Metrics

MAX_WAITING = 32
REST = 3.0
"""Times as long as it worked it rests: a quarter of a core at most."""


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
    """

    def __init__(self, watch: Watch, counts: dict[str, Counter]) -> None:
        self._watch, self._counts = watch, counts
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
            self._counts["dropped"].inc()
            self._watch.dropped()

    def stop(self) -> None:
        """End after the pair that is being asked."""
        self._end.set()
        with suppress(queue.Full):  # it looks at the end before each pair
            self._queue.put_nowait(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            pair = self._queue.get()
            if self._end.is_set() or pair is None:
                return
            started = time.perf_counter()
            self._ask(pair)
            self._end.wait(min(1.0, REST * (time.perf_counter() - started)))

    def _ask(self, pair: Pair) -> None:
        """Ask, and tell the watch; what stable cannot answer says nothing of the candidate."""
        context = Context(pair.other, self._books)
        try:
            (reply,) = answers([pair.verb(context, pair.body)], math.inf)
        except Exception:  # whatever it is, it is counted and the next one is asked
            self._counts["failed"].inc()
            if not pair.is_ours:
                self._watch.compared(pair.key, None, failed=True)
            return
        both = (reply, pair.reply) if pair.is_ours else (pair.reply, reply)
        self._counts["compared"].inc()
        self._watch.compared(pair.key, difference(*both), failed=False)
