"""The ledger: each decision and each change, in order, off the path of the reply.

`append` gives an id at once; a background thread commits what has gathered, in the order of the
calls. Nothing is dropped: when the disk does not keep up the caller waits, and in the end gets an
error. A body holds ids and figures, never payloads, embeddings or raw identities.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from gemel.errors import LedgerError
from gemel.ledger.bodies import Body, written
from gemel.ledger.chain import Entry, Head, LedgerReport, walk
from gemel.ledger.entries import Entries
from gemel.ledger.table import SqliteEntries
from gemel.ledger.writer import MAX_QUEUE, WAIT_SECONDS, Writer

MAX_BODY_BYTES = 8_192
BINARY = frozenset({bytes, bytearray, memoryview})


class Ledger:
    """Entries in one file. Open one with `Ledger.open` and close it, or use it in a `with`."""

    def __init__(self, entries: Entries, writer: Writer, clock: Callable[[], int]) -> None:
        self._entries = entries
        self._writer = writer
        self._clock = clock

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        create: bool = True,
        max_queue: int = MAX_QUEUE,
        clock: Callable[[], int] = time.time_ns,
    ) -> Self:
        """The ledger in a file.

        Args:
            path: the file.
            create: make it if there is none.
            max_queue: entries that may wait for the disk before callers do.
            clock: nanoseconds since 1970, UTC.
        Raises:
            LedgerError: there is none, or it cannot be opened.
        """
        path = Path(path)
        if not create and not path.is_file():
            raise LedgerError("there is no ledger here", where=str(path))
        entries = SqliteEntries(path)
        return cls(entries, Writer(entries, max_queue=max_queue), clock)

    def append(self, kind: str, body: Body | dict[str, Any]) -> str:
        """Note something soon; returns without waiting for the disk.

        Args:
            kind: what it is, such as `verify` or `release.promote`.
            body: of its kind in `ledger.bodies`, or JSON values; numbers that are not finite
                become null.
        Returns:
            The id of the entry: 32 hex digits, in the order of time.
        Raises:
            LedgerError: the body cannot be noted, or the disk has not kept up for seconds.
        """
        record, time_us, text = self._drafted(kind, body)
        self._writer.put((record, time_us, kind, text))
        return record

    def append_durable(self, kind: str, body: Body | dict[str, Any]) -> str:
        """Note something and wait until it is on disk; for changes that people make.

        Returns:
            The id of the entry.
        Raises:
            LedgerError: it cannot be noted.
        """
        record, time_us, text = self._drafted(kind, body)
        self._writer.put_durably((record, time_us, kind, text))
        return record

    def flush(self, timeout: float = WAIT_SECONDS) -> None:
        """Wait until everything appended before is on disk.

        Raises:
            LedgerError: it is not after `timeout` seconds.
        """
        self._writer.flush(timeout)

    @property
    def problem(self) -> str | None:
        """Why the disk does not take entries at the moment; None when it does."""
        return None if self._writer.problem is None else str(self._writer.problem)

    @property
    def n_waiting(self) -> int:
        """Entries that are not on disk yet."""
        return self._writer.n_waiting

    @property
    def n_refused(self) -> int:
        """Entries that could not be stored and were replaced by a note saying so."""
        return self._writer.n_refused

    def find(self, record: str) -> Entry | None:
        """The entry of an id, waiting for it to be on disk."""
        found = self._entries.find(record)
        if found is None and self._writer.n_waiting:
            self.flush()
            found = self._entries.find(record)
        return found

    def starting(self, start: str) -> list[str]:
        """Up to two ids on disk that start like that; the whole id gives itself."""
        return self._entries.starting(start)

    def entries(self, *, after: int = 0, kind: str | None = None, limit: int = 1000) -> list[Entry]:
        """Entries on disk in order, behind number `after`, of one kind if named."""
        return self._entries.some(after, kind, limit)

    def head(self) -> Head:
        """The last entry on disk; keep it elsewhere to find a rewritten chain later."""
        return self._entries.head()

    def verify(self, known: Head | None = None) -> LedgerReport:
        """Follow the whole chain, as of one moment, in blocks.

        Args:
            known: a head that was noted elsewhere; shows a chain that was rewritten as a whole.
        Returns:
            The first row that is changed, missing or out of order, or the head of a whole chain.
        Raises:
            LedgerError: the file cannot be read.
        """
        self.flush()
        with self._entries.all() as (entries, stored):
            return walk(entries, stored, known)

    def close(self) -> None:
        """Write what waits and close the file. Closing twice is no error.

        Raises:
            LedgerError: some entries could not be written.
        """
        try:
            self._writer.close()
        finally:
            self._entries.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drafted(self, kind: str, body: Body | dict[str, Any]) -> tuple[str, int, str]:
        """Id, time in microseconds and JSON text of a new entry."""
        now = self._clock()
        for name, value in body.items() if isinstance(body, dict) else ():
            if value.__class__ in BINARY:
                raise LedgerError(f"{name!r} is binary", where=kind, hint="note an id or a digest")
        try:
            text = written(body).decode()
        except (TypeError, ValueError, NotImplementedError, RecursionError) as e:
            raise LedgerError(f"the body is not JSON: {e}", where=kind) from e
        if len(text) > MAX_BODY_BYTES:
            raise LedgerError(
                f"the body has {len(text)} characters, at most {MAX_BODY_BYTES} are possible",
                where=kind,
                hint="note ids and figures; payloads and embeddings have no place here",
            )
        return f"{now // 1_000_000:012x}{os.urandom(10).hex()}", now // 1_000, text
