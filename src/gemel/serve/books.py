"""What a service keeps of its decisions: counts, ledger entries, and who is asked about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from threading import Lock

from gemel.ledger.bodies import Body
from gemel.ledger.ledger import Ledger
from gemel.release.folder import Manifest
from gemel.settings import AdaptSettings
from gemel.telemetry import OPERATIONS, OUTCOMES, Metrics

Shelf = Callable[[], Sequence[Manifest]]


class Books:
    """The books of one service.

    Args:
        ledger: takes every decision and every change; None keeps no record.
        metrics: what is counted.
        adapt: which decisions are asked about, and what a move of the threshold needs.
        shelf: gives the releases whose decisions count for a proposal, if of the same scale.

    Attributes:
        changing: held while galleries are changed and that is noted.
    """

    def __init__(
        self, ledger: Ledger | None, metrics: Metrics, adapt: AdaptSettings, shelf: Shelf
    ) -> None:
        self.ledger = ledger
        self.changing = Lock()
        self.adapt = adapt
        self.shelf = shelf
        self._decisions = {
            (operation, outcome): metrics.counter("gemel_decisions_total", operation, outcome)
            for operation in OPERATIONS
            for outcome in OUTCOMES
        }
        if ledger is not None:
            works, waits = ("gemel_ledger_ready", "gemel_ledger_waiting_entries")
            metrics.gauge(works).set_function(lambda: float(ledger.problem is None))
            metrics.gauge(waits).set_function(lambda: float(ledger.n_waiting))

    def with_ledger(self, ledger: Ledger) -> Books:
        """Books that count in the same figures and note elsewhere."""
        other = copy(self)
        other.ledger, other.changing = ledger, Lock()
        return other

    def count(self, operation: str, outcome: str) -> None:
        """Count a decision."""
        self._decisions[operation, outcome].inc()

    def note(self, kind: str, entry: Body) -> str | None:
        """Enter a decision into the ledger; the id of the entry, None without a ledger.

        Raises:
            LedgerUnavailable: the ledger has taken no entries for longer than it may.
        """
        if self.ledger is None:
            return None
        self.ledger.check()
        return self.ledger.append(kind, entry)

    def note_change(self, kind: str, entries: Sequence[Body]) -> str | None:
        """Enter a change into the ledger; on disk on return.

        Raises:
            LedgerUnavailable: it is not, though it may get there yet.
        """
        return None if self.ledger is None else self.ledger.append_all_durable(kind, entries)

    @property
    def problem(self) -> str | None:
        """Why decisions and changes cannot be noted at the moment; None if they can."""
        return None if self.ledger is None else self.ledger.problem

    @property
    def recent_problem(self) -> str | None:
        """The same, as it was a moment ago."""
        return None if self.ledger is None else self.ledger.recent_problem

    def review_probability(self, outcome: str) -> float:
        """With which probability a decision is asked about."""
        return 1.0 if outcome == "review" else self.adapt.audit_ratio
