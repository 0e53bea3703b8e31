"""How log lines are written: events as JSON objects with their time and level, one a line.

Knows no event; which there are stands in `telemetry`.
"""

from __future__ import annotations

import json
import logging
import threading
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO


class Log:
    """Writes events to a stream; safe to use from several threads.

    What cannot be written, since nobody reads any more or a disk is full, is lost: whoever tells
    what happened goes on, and a service can still be stopped.

    Args:
        stream: where to.
        level: the lowest level that is written, of the standard library's.
    """

    def __init__(self, stream: TextIO, level: int) -> None:
        self._stream, self._level = stream, level
        self._lock = threading.Lock()

    def info(self, event: str, **said: Any) -> None:
        """Write what is as it should be."""
        self.log(logging.INFO, event, **said)

    def warning(self, event: str, **said: Any) -> None:
        """Write what somebody should look at."""
        self.log(logging.WARNING, event, **said)

    def error(self, event: str, **said: Any) -> None:
        """Write what went wrong."""
        self.log(logging.ERROR, event, **said)

    def log(self, level: int, event: str, exc_info: Any = None, **said: Any) -> None:
        """Write an event.

        Args:
            level: of the standard library's.
            event: its name.
            exc_info: an exception, or what the standard library has of one; None for none.
            said: what goes with it.
        """
        if level < self._level:
            return
        said |= {"event": event, "level": logging.getLevelName(level).lower()}
        said["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
        if isinstance(error, BaseException):
            said["exception"] = "".join(traceback.format_exception(error)).rstrip("\n")
        line = json.dumps(said, default=repr)
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()
