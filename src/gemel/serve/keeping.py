"""Looks after the ledger of a service: says when it fails, and keeps its heads elsewhere.

A head goes to the log, to the file beside the ledger, and to the file that `ledger.head_file`
names, at the start, at the end, and every hour in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gemel.errors import GemelError
from gemel.ledger import heads
from gemel.ledger.chain import Head
from gemel.ledger.ledger import Ledger

INTERVAL_SECONDS = 0.5
HEAD_SECONDS = 3600.0


class Keeper:
    """The one who looks.

    Args:
        ledger: that is looked after.
        log: a logger.
        head_file: where heads are kept as well; None for nowhere else.
        tenant: whose ledger it is; empty for that of the service.
        others: called at each look of the thread, for those who have none of their own.
        clock: seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        log: Any,
        *,
        head_file: Path | None = None,
        tenant: str = "",
        others: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._log, self._head_file, self._clock = ledger, log, head_file, clock
        self._whose = {"tenant": tenant} if tenant else {}
        self._others = others
        self._problem: str | None = None
        self._said, self._due = Head(), clock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gemel-keeper", daemon=True)

    def start(self) -> None:
        """Begin to look, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking, after a last head."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self._due = self._clock()
        self.look()

    def look(self) -> None:
        """Look once."""
        problem = self._ledger.problem
        if (problem is None) != (self._problem is None):
            if problem is None:
                self._log.info("ledger_recovered", waiting=self._ledger.n_waiting, **self._whose)
            else:
                self._failed(problem)
        self._problem = problem
        if problem is None and self._clock() >= self._due:
            self._keep()

    def _keep(self) -> None:
        try:
            self._ledger.flush()
            head = self._ledger.keep_head()
            if head != self._said:
                self._log.info("ledger_head", head=heads.word(head), **self._whose)
            self._said, self._due = head, self._clock() + HEAD_SECONDS
        except GemelError as error:
            self._failed(str(error))
            return
        if self._head_file is None:
            return
        try:
            newest = heads.newest(self._head_file) if self._head_file.is_file() else head
            if newest.seq > head.seq:
                words = heads.word(head), heads.word(newest)
                self._log.error("ledger_older", head=words[0], kept=words[1], **self._whose)
            heads.keep(head, self._head_file)
        except GemelError as error:
            self._log.error("head_unwritten", problem=str(error), **self._whose)

    def _failed(self, problem: str) -> None:
        waiting = self._ledger.n_waiting
        self._log.error("ledger_failed", problem=problem, waiting=waiting, **self._whose)

    def _run(self) -> None:
        while not self._end.wait(INTERVAL_SECONDS):
            self.look()
            if self._others is not None:
                self._others()
