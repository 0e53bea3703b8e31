"""The one thread of a process that writes its entries, in group commits.

The queue is bounded. An entry leaves it when it is on disk, or when the place refuses it and a
note in its place says so; when the disk fails, all of them wait and are tried again.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from gemel.errors import LedgerError, LedgerUnavailable, RowRefused
from gemel.figures import number_of
from gemel.ledger.bodies import Refused, written
from gemel.ledger.entries import Draft, Entries

MAX_QUEUE = 20_000
MAX_BATCH = 2_000
GATHER_SECONDS = 0.02
RETRY_SECONDS = 0.5
WAIT_SECONDS = 10.0
SLOW_SECONDS = 0.75
REFUSED = "ledger.refused"


class Writer:
    """Takes drafts from many threads and appends them from one, started by the first.

    Args:
        entries: where they go.
        max_queue: drafts that may wait before `put` does.
    """

    def __init__(self, entries: Entries, *, max_queue: int = MAX_QUEUE) -> None:
        self.problem: LedgerError | None = None
        self.n_refused = 0
        self._entries = entries
        self._max_queue = max_queue
        self._queue: deque[Draft] = deque()
        self._n_put = 0
        self._n_settled = 0
        self._awaited: dict[str, LedgerError | None] = {}
        lock = threading.Lock()
        self._work = threading.Condition(lock)
        self._settled = threading.Condition(lock)
        self._thread: threading.Thread | None = None
        self._is_idle = False
        self._is_urgent = False
        self._is_closed = False
        self._has_stopped = False
        self._n_careful = 0
        self._begun: float | None = None

    def trouble(self) -> str | None:
        """Why entries do not get to their place at the moment; None if they do."""
        if self.problem is not None:
            return self.problem.what
        begun = self._begun
        seconds = 0.0 if begun is None else time.monotonic() - begun
        if seconds > SLOW_SECONDS:
            return f"entries have waited {seconds:.1f} s for the disk, or for who holds the file"
        return None

    @property
    def n_waiting(self) -> int:
        """Drafts that are not on disk yet."""
        return self._n_put - self._n_settled

    def put(self, draft: Draft) -> int:
        """Queue a draft; its number, counted from 1.

        Raises:
            LedgerError: the writer is closed, or the queue stayed full.
        """
        with self._work:
            if len(self._queue) >= self._max_queue:
                self._wait(lambda: len(self._queue) < self._max_queue, WAIT_SECONDS)
            if self._is_closed:
                raise LedgerError("the ledger is closed", where=self._entries.where)
            self._queue.append(draft)
            self._n_put += 1
            if self._is_idle:
                self._is_idle = False  # one wake-up, however many come until it runs
                self._work.notify()
            elif self._thread is None:
                self._start()
            return self._n_put

    def put_durably(self, drafts: Sequence[Draft]) -> None:
        """Queue drafts and wait until all are on disk.

        Raises:
            LedgerError: one is refused, or they are not on disk in time (they may still get there).
        """
        ids = [draft[0] for draft in drafts]
        self._awaited.update(dict.fromkeys(ids))
        try:
            number = [self.put(draft) for draft in drafts][-1]
            with self._work:
                self._wait(lambda: self._n_settled >= number, WAIT_SECONDS)
            errors = [self._awaited[record] for record in ids]
        finally:
            for record in ids:
                del self._awaited[record]
        for error in filter(None, errors):
            raise error

    def flush(self, timeout: float) -> None:
        """Wait until every draft put so far is settled.

        Raises:
            LedgerError: not in time.
        """
        with self._work:
            number = self._n_put
            self._wait(lambda: self._n_settled >= number, timeout)

    def close(self) -> None:
        """Settle what waits and end the thread.

        Raises:
            LedgerError: some drafts could not be written; they are lost.
        """
        with self._work:
            self._is_closed = True
            self._work.notify_all()
        if self._thread is not None:
            self._thread.join()
        if self._queue:
            raise LedgerError(
                f"{number_of(len(self._queue), 'entry')} could not be written: {self.problem}",
                where=self._entries.where,
            )

    def unwritten(self) -> list[Draft]:
        """What a closed writer could not get to its place, in order."""
        return list(self._queue)

    def _start(self) -> None:
        # A daemon: a process that forgets to close still ends; what it flushed is on disk.
        self._thread = threading.Thread(target=self._run, name="gemel-ledger", daemon=True)
        self._thread.start()

    def _wait(self, is_done: Callable[[], bool], timeout: float) -> None:
        """Wait, with the lock held, for the thread to get somewhere."""
        if is_done():
            return
        self._is_urgent = True
        self._work.notify()
        self._settled.wait_for(lambda: is_done() or self._has_stopped, timeout)
        if not is_done():
            raise LedgerUnavailable(
                f"not on disk after {timeout:g} s: {self.problem or 'the disk is too slow'}",
                where=self._entries.where,
                hint="look at free space and at who else holds the file",
            )

    def _run(self) -> None:
        while batch := self._next():
            try:
                n_done = self._append(batch)
            except LedgerError as e:
                if self._is_to_give_up(e):
                    break
            else:
                self._done(n_done)
        with self._work:
            self._has_stopped = True
            self._settled.notify_all()

    def _next(self) -> list[Draft]:
        """The next drafts, left in the queue; none when the writer is closed and done."""
        with self._work:
            while not self._queue and not self._is_closed:
                self._is_idle = True
                self._work.wait()
                self._is_idle = False
            is_hurried = self._is_urgent or self._is_closed or self._n_careful > 0
            if not is_hurried and len(self._queue) < MAX_BATCH:
                self._work.wait(GATHER_SECONDS)
            return list(islice(self._queue, 1 if self._n_careful else MAX_BATCH))

    def _append(self, batch: list[Draft]) -> int:
        """Write drafts; how many are settled. None are if one of several is refused."""
        self._begun = time.monotonic()
        try:
            self._entries.append(batch)
        except RowRefused as e:
            return self._refused(batch, e)
        except LedgerError:
            raise
        except Exception as e:  # whatever one entry does to the database layer, others go on
            return self._refused(batch, RowRefused(f"{type(e).__name__}: {e}"))
        finally:
            self._begun = None
        return len(batch)

    def _refused(self, batch: list[Draft], error: RowRefused) -> int:
        if len(batch) > 1:
            self._n_careful = len(batch)  # one by one, to find which
            return 0
        record, time_us, kind, _ = batch[0]
        text = written(Refused(kind=kind, reason=str(error))).decode()
        with contextlib.suppress(RowRefused):
            self._entries.append([(record, time_us, REFUSED, text)])
        self.n_refused += 1
        if record in self._awaited:
            self._awaited[record] = error
        return 1

    def _done(self, n_done: int) -> None:
        with self._work:
            for _ in range(n_done):
                self._queue.popleft()
            self._n_settled += n_done
            self._n_careful = max(0, self._n_careful - n_done)
            self._is_urgent = self._is_urgent and bool(self._queue)
            self.problem = None
            self._settled.notify_all()

    def _is_to_give_up(self, error: LedgerError) -> bool:
        with self._work:
            self.problem = error
            if not self._is_closed:
                self._work.wait(RETRY_SECONDS)
            return self._is_closed
