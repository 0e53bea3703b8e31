"""The process beside: takes jobs from its input until it ends, writes what they come to.

It yields the processors to whoever answers requests, and is the first to go where memory ends. It
bounds itself: a job that does not come to an end, or none for long, ends it.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from gemel.errors import RequestError
from gemel.serve.reader.jobs import Broken, Done, Job, Outcome, Refused

NICE = 10
MAX_BYTES = 4 << 30
"""Of memory; the largest image that is read takes about one."""
KILLED_FIRST = "500"
MOST_SECONDS = 30
"""Of one job; an image of 50 million pixels takes about one."""
IDLE_SECONDS = 120.0
SIZE = struct.Struct("<Q")
"""In front of a job, of what comes behind it, and of an outcome: its bytes."""


def main() -> None:
    """Work until the service has gone, or asks nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the service decides
    _yield()
    asked, told = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no outcome
    decode = msgspec.msgpack.Decoder(Job).decode
    with suppress(EOFError):
        while _is_asked(asked):
            job, behind = decode(received(asked)), received(asked)
            _alarm(MOST_SECONDS)
            outcome = run(job, behind)
            _alarm(0)
            send(told, msgspec.msgpack.encode(outcome))


def run(job: Job, behind: bytes) -> Outcome:
    """What a job comes to; never raises."""
    try:
        return Done(job.run(behind))
    except RequestError as e:
        return Refused(type(e).__name__, e.what, e.where, e.hint)
    except Exception:  # it is for the log of the service, and the next job comes
        return Broken(traceback.format_exc())


def send(into: IO[bytes], head: bytes, behind: Sequence[bytes] | None = None) -> None:
    """Write a job and the parts of what comes behind it, or an outcome."""
    into.write(SIZE.pack(len(head)) + head)
    if behind is not None:
        into.write(SIZE.pack(sum(map(len, behind))))
        for part in behind:
            into.write(part)
    into.flush()


def received(source: IO[bytes]) -> bytes:
    """What was written.

    Raises:
        EOFError: the other side has ended.
    """
    sizes = source.read(SIZE.size)
    if len(sizes) < SIZE.size:
        raise EOFError
    (size,) = SIZE.unpack(sizes)
    said = source.read(size)
    if len(said) < size:
        raise EOFError
    return said


def _is_asked(asked: IO[bytes]) -> bool:
    """Whether something comes while it is worth waiting."""
    if sys.platform == "win32":  # which waits for sockets only
        return True
    return bool(select.select([asked], [], [], IDLE_SECONDS)[0])


def _alarm(seconds: int) -> None:
    """End the process then, whatever it does; 0 does not."""
    if sys.platform != "win32":
        signal.alarm(seconds)


def _yield() -> None:
    """Leave processors and memory to the service, as far as this platform can."""
    with suppress(AttributeError, OSError):
        os.nice(NICE)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(KILLED_FIRST)
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, most))


if __name__ == "__main__":
    main()
