"""Has what is large read in a process of its own, so that no thread of the service holds the rest.

One call of a decoder is one during which no other thread of its process runs. The process is
started when it is first needed, does one job after the other, and ends with the service, or when
it has nothing to do. One that dies costs the request that it was reading an error; the next one
starts another.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from gemel import errors
from gemel.errors import InternalError, Overloaded
from gemel.serve.reader import child
from gemel.serve.reader.jobs import Done, Job, Outcome, Refused

PIPE_BYTES = 1 << 20
"""That are under way at a time."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Outcome).decode


class Reader:
    """The process beside one service; safe to use from several threads."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._is_closed = self._is_busy = False

    @property
    def pid(self) -> int | None:
        """Of the process; None before it was first needed."""
        return None if self._process is None else self._process.pid

    @property
    def is_busy(self) -> bool:
        """A job is under way."""
        return self._is_busy

    def run(self, job: Job, *behind: bytes) -> Any:
        """What a job comes to.

        Args:
            job: to be done.
            behind: parts of what comes behind it.
        Raises:
            RequestError: what the job raised.
            Overloaded: the service is stopping.
            InternalError: the process ended before it was done.
        """
        with self._turn:
            outcome = self._outcome(job, behind)
        if isinstance(outcome, Done):
            return outcome.value
        if isinstance(outcome, Refused):
            kind: type[errors.GemelError] = getattr(errors, outcome.error)
            raise kind(outcome.what, where=outcome.where, hint=outcome.hint)
        raise RuntimeError(outcome.traceback)

    def close(self) -> None:
        """Take no more jobs and end the process, whatever it does."""
        self._is_closed = True
        if self._process is not None:
            _end(self._process)

    def _outcome(self, job: Job, behind: Sequence[bytes]) -> Outcome:
        for _ in range(2):
            try:
                process = self._running()
            except OSError:  # no process can be started here
                return child.run(job, b"".join(behind))
            self._is_busy = True
            try:
                return _exchange(process, job, behind)
            except (OSError, EOFError, msgspec.DecodeError) as e:
                if _end(process) and not self._is_closed:
                    what = "the process that reads large requests ended before it was done"
                    raise InternalError(what) from e
            finally:
                self._is_busy = False
        raise Overloaded("the service is stopping", hint="try another replica")

    def _running(self) -> subprocess.Popen[bytes]:
        """The process, started anew if it has ended.

        Raises:
            OSError: it cannot be.
        """
        process = self._process
        if process is not None and process.poll() is not None:
            _end(process)
            process = None
        if process is None:
            command = [sys.executable, "-m", child.__name__]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            pipe, none = subprocess.PIPE, subprocess.DEVNULL
            process = self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=none, env=environment, pipesize=PIPE_BYTES
            )
        if self._is_closed:
            process.kill()
        return process


def _exchange(process: subprocess.Popen[bytes], job: Job, behind: Sequence[bytes]) -> Outcome:
    """Give the process a job and wait.

    Raises:
        OSError: it has ended.
        EOFError: it ends meanwhile.
    """
    if process.stdin is None or process.stdout is None:
        raise EOFError
    child.send(process.stdin, _encode(job), behind)
    outcome: Outcome = _decode(child.received(process.stdout))
    return outcome


def _end(process: subprocess.Popen[bytes]) -> int:
    """Kill a process if it lives; how it ended: 0 of itself, having nothing to do."""
    process.kill()
    for pipe in (process.stdout, process.stdin):
        with suppress(OSError):  # what was not written yet
            if pipe is not None:
                pipe.close()
    return process.wait()
