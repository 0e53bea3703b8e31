"""What a ledger needs of the place that keeps its entries: SQLite today, a server some day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from gemel.ledger.chain import Entry, Head

Draft = tuple[str, int, str, str]
"""An entry that has no place in the chain yet: id, time_us, kind, text."""


class Entries(Protocol):
    """Entries in order, and the head of their chain; several processes may append.

    Attributes:
        where: the place, as errors name it.
    """

    where: str

    def append(self, drafts: Sequence[Draft]) -> None:
        """Append all drafts behind the head as one step, or none; durable on return.

        Raises:
            RowRefused: one of the entries cannot be stored.
            LedgerError: the place does not take them at the moment.
        """

    def problem(self) -> str | None:
        """Why the place takes no entries, as far as that shows without trying; None if not."""

    def head(self) -> Head:
        """The last entry, as the place says."""

    def find(self, record: str) -> Entry | None:
        """The entry of an id."""

    def starting(self, start: str) -> list[str]:
        """Up to two ids that start like that."""

    def some(self, after: int | None, kind: str | None, limit: int) -> list[Entry]:
        """Up to `limit` entries behind a number, in order, or the newest ones; of a kind, or of all
        that begin with it where it ends with a dot.
        """

    def all(self) -> AbstractContextManager[tuple[Iterator[Entry], Head]]:
        """Every entry in order, and the head, as of one moment."""

    def close(self) -> None:
        """Let go of the place."""
