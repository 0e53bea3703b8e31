"""The ledger: each decision and each change, in order, off the path of the reply.

`append` gives an id at once; a background thread commits what has gathered, in the order of the
calls. Nothing is dropped: when the disk does not keep up the caller waits, and in the end gets an
error. What the disk did not take by the end of the process is handed to `on_lost`. A body holds
ids and figures, never payloads, embeddings or raw identities.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from gemel.arguments import path_of
from gemel.errors import LedgerError, LedgerUnavailable
from gemel.figures import number_of
from gemel.ledger import heads
from gemel.ledger.bodies import Body, written
from gemel.ledger.chain import Entry, Head, LedgerReport, walk
from gemel.ledger.entries import Draft, Entries
from gemel.ledger.masks import Masks
from gemel.ledger.table import SqliteEntries
from gemel.ledger.writer import MAX_QUEUE, WAIT_SECONDS, Writer

MAX_BODY_BYTES = 8_192
GRACE_SECONDS = 5.0
GRACE_ENTRIES = 5_000
"""How long, and how many, decisions are still taken while the disk takes no entries."""
LOOK_SECONDS = 0.25
"""Between two looks at the file for who asks with each request: one is three system calls."""
BINARY = frozenset({bytes, bytearray, memoryview})
TAIL = 20
"""Random digits that an id ends in."""
DRAWN = 256
"""So many are drawn at a time: a draw is a system call that lets go of the interpreter."""


class Ledger:
    """Entries in one file. Open one with `Ledger.open` and close it, or use it in a `with`.

    Attributes:
        path: of the file; `.key` and `.heads` lie beside it.
        masks: what entries hold in place of ids.
    """

    def __init__(
        self,
        path: Path,
        entries: Entries,
        writer: Writer,
        clock: Callable[[], int],
        on_lost: Callable[[Draft], None] | None,
    ) -> None:
        self.path = path
        self.masks = Masks.beside(path)
        self._entries = entries
        self._writer = writer
        self._clock = clock
        self._on_lost = on_lost
        self._since: float | None = None
        self._looked = -LOOK_SECONDS
        self._tails: list[str] = []

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        create: bool = True,
        write: bool = True,
        max_queue: int = MAX_QUEUE,
        clock: Callable[[], int] = time.time_ns,
        on_lost: Callable[[Draft], None] | None = None,
    ) -> Self:
        """The ledger in a file.

        Args:
            path: the file.
            create: make it if there is none.
            write: to append; else nothing beside the file is touched, and it may be a copy that
                cannot be written.
            max_queue: entries that may wait for the disk before callers do.
            clock: nanoseconds since 1970, UTC.
            on_lost: told each entry that could not be written when the ledger is closed.
        Raises:
            LedgerError: there is none, it cannot be opened, or it is to be written and lacks an
                entry that a head kept beside it names.
        """
        path = path_of(path, "a ledger")
        if (not create or not write) and not path.is_file():
            hint = "it begins with the first promotion, enrolling or decision"
            raise LedgerError("there is no ledger here", where=str(path), hint=hint)
        kept = heads.newest(heads.beside(path)) if write and heads.beside(path).exists() else Head()
        if kept.seq and not path.is_file():
            raise _gone("the ledger is gone", path, kept)
        entries = SqliteEntries(path, write=write)
        if kept.seq:
            named = entries.some(kept.seq - 1, None, 1)
            if not named or named[0].hash != kept.hash:
                entries.close()
                raise _gone("the ledger is not the one that was written here", path, kept)
        return cls(path, entries, Writer(entries, max_queue=max_queue), clock, on_lost)

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
        return self.append_all_durable(kind, [body])

    def append_all_durable(self, kind: str, bodies: Sequence[Body | dict[str, Any]]) -> str:
        """Note several things of a kind, one behind the other, and wait until all are on disk.

        Returns:
            The id of the first entry.
        Raises:
            LedgerError: one cannot be noted.
        """
        drafted = [self._drafted(kind, body) for body in bodies]
        self._writer.put_durably([(record, at, kind, text) for record, at, text in drafted])
        return drafted[0][0]

    def flush(self, timeout: float = WAIT_SECONDS) -> None:
        """Wait until everything appended before is on disk.

        Raises:
            LedgerError: it is not after `timeout` seconds.
        """
        self._writer.flush(timeout)

    @property
    def problem(self) -> str | None:
        """Why the disk does not take entries at the moment; None when it does.

        Looks at the file, so that one that was deleted is noticed without an append.
        """
        problem = self._writer.trouble() or self._entries.problem()
        self._looked = time.monotonic()
        if problem is None:
            self._since = None
        elif self._since is None:
            self._since = self._looked
        return problem

    @property
    def recent_problem(self) -> str | None:
        """`problem`, of a file that was looked at a moment ago: for who asks with each request."""
        is_recent = time.monotonic() - self._looked < LOOK_SECONDS
        is_well = self._since is None and self._writer.trouble() is None
        return None if is_recent and is_well else self.problem

    def check(self, *, change: bool = False) -> None:
        """Return if something may be acknowledged now.

        While the disk takes no entries, changes are refused at once, and decisions after
        `GRACE_SECONDS` or when `GRACE_ENTRIES` wait in memory.

        Args:
            change: it is one that must be on disk before it is acknowledged.
        Raises:
            LedgerUnavailable: it may not.
        """
        problem = self.problem if change else self.recent_problem
        since = self._since
        if problem is None or since is None:
            return
        is_late = time.monotonic() - since > GRACE_SECONDS or self.n_waiting >= GRACE_ENTRIES
        if change or is_late:
            raise LedgerUnavailable(
                f"the ledger takes no entries: {problem}",
                where=str(self.path),
                hint="nothing is decided or changed that cannot be noted; try again later",
            )

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
        may_wait = self._writer.n_waiting > 0  # asked first: it may be written meanwhile
        found = self._entries.find(record)
        if found is None and may_wait:
            self.flush()
            found = self._entries.find(record)
        return found

    def starting(self, start: str) -> list[str]:
        """Up to two ids on disk that start like that; the whole id gives itself."""
        return self._entries.starting(start)

    def entries(
        self, *, after: int | None = 0, kind: str | None = None, limit: int = 1000
    ) -> list[Entry]:
        """Entries on disk in order, behind number `after`, or with None the newest ones; of a kind,
        or all of `rollout.`.
        """
        return self._entries.some(after, kind, limit)

    def of_kind(self, kind: str, *, after: int = 0) -> Iterator[Entry]:
        """Every entry on disk of a kind, behind number `after`, in order."""
        while found := self.entries(after=after, kind=kind):
            yield from found
            after = found[-1].seq

    def each(self) -> Iterator[Entry]:
        """Every entry on disk in order, as of one moment."""
        with self._entries.all() as (entries, _):
            yield from entries

    def head(self) -> Head:
        """The last entry on disk; keep it elsewhere to find a rewritten chain later."""
        return self._entries.head()

    def keep_head(self) -> Head:
        """The last entry on disk, kept beside the ledger.

        Raises:
            LedgerError: the file of heads cannot be written.
        """
        head = self.head()
        heads.keep(head, heads.beside(self.path))
        return head

    def verify(self, *known: Head) -> LedgerReport:
        """Follow the whole chain, as of one moment, in blocks.

        Args:
            known: heads that were noted elsewhere, besides those kept beside the ledger; they show
                a chain that was rewritten, cut or replaced as a whole.
        Returns:
            The first row that is changed, missing or out of order, or the head of a whole chain.
        Raises:
            LedgerError: the file cannot be read.
        """
        self.flush()
        beside = heads.beside(self.path)
        kept = heads.known(str(beside)) if beside.is_file() else []
        with self._entries.all() as (entries, stored):
            return walk(entries, stored, [*known, *kept])

    def close(self) -> None:
        """Write what waits and close the file. Closing twice is no error.

        Raises:
            LedgerError: some entries could not be written.
        """
        try:
            self._writer.close()
        finally:
            if self._on_lost is not None:
                for draft in self._writer.unwritten():
                    self._on_lost(draft)
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
        return f"{now // 1_000_000:012x}{self._tail()}", now // 1_000, text

    def _tail(self) -> str:
        """Random digits that no other id has."""
        try:
            return self._tails.pop()
        except IndexError:
            digits = os.urandom(DRAWN * TAIL // 2).hex()
            first, *others = [digits[at : at + TAIL] for at in range(0, len(digits), TAIL)]
            self._tails += others
            return first


def _gone(what: str, path: Path, kept: Head) -> LedgerError:
    file = heads.beside(path)
    return LedgerError(
        f"{what}: {file.name} says that it had {number_of(kept.seq, 'entry')}",
        where=str(path),
        hint=f"restore it from a copy; to begin a new one, move {file.name} away with what is left",
    )
