"""Quotas: how often somebody asked today, by name, in a file, so that a restart forgives none.

A day begins at midnight, UTC. A thread writes the counts each second; a process that is killed
loses that second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gemel import files
from gemel.errors import RateLimited
from gemel.figures import number_of

FILE = "usage.json"
WRITE_SECONDS = 1.0


class _Kept(Struct):
    """Requests of one day, by who asked."""

    day: str = ""
    asked: dict[str, int] = {}


class Usage:
    """Counts requests of a day.

    Args:
        file: where they are kept; None forgets them at the end.
        log: a logger.
        now: present time.
    """

    def __init__(
        self,
        file: Path | None = None,
        log: Any = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._file, self._log, self._now = file, log, now
        self._kept, self._is_written = _read(file), True
        self._lock, self._end = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="gemel-usage", daemon=True)

    def start(self) -> None:
        """Begin to write, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Write the last counts."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self.write()

    def take(self, name: str, most: int, what: str) -> None:
        """Count one more request, if there may be one.

        Args:
            name: who asks.
            most: requests a day.
            what: who asks, for people.
        Raises:
            RateLimited: there were as many today; says when the next day begins.
        """
        now = self._now()
        day = now.date().isoformat()
        with self._lock:
            if day > self._kept.day:
                self._kept = _Kept(day, {})
            n = self._kept.asked.get(name, 0)
            if n >= most:
                midnight = datetime.combine(now.date(), time(), UTC) + timedelta(days=1)
                raise RateLimited(
                    f"{what} may ask {number_of(most, 'time')} a day",
                    hint="try again after midnight, UTC, or ask for a larger quota",
                    retry_s=(midnight - now).total_seconds(),
                )
            self._kept.asked[name] = n + 1
            self._is_written = False

    def write(self) -> None:
        """Write the counts, if there are new ones."""
        if self._file is None or self._is_written:
            return
        with self._lock:
            self._is_written, content = True, msgspec.json.encode(self._kept)
        try:
            files.write_whole(self._file, content)
        except OSError as error:  # a full disk refuses nobody
            self._is_written = False
            if self._log is not None:
                self._log.error("usage_unwritten", error=str(error))

    def _write_on(self) -> None:
        while not self._end.wait(WRITE_SECONDS):
            self.write()


def _read(file: Path | None) -> _Kept:
    """What was kept; nothing of a file that is not there or cannot be read."""
    if file is None or not file.exists():
        return _Kept()
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return _Kept()
