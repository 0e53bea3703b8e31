"""What a service keeps of its decisions: counts, ledger entries, and who is asked about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    """

    def __init__(
        self, ledger: Ledger | None, metrics: Metrics, adapt: AdaptSettings, shelf: Shelf
    ) -> None:
        self.ledger = ledger
        self.adapt = adapt
        self.shelf = shelf
        self._decisions = {
            (operation, outcome): metrics.counter("gemel_decisions_total", operation, outcome)
            for operation in OPERATIONS
            for outcome in OUTCOMES
        }

    def count(self, operation: str, outcome: str) -> None:
        """Count a decision."""
        self._decisions[operation, outcome].inc()

    def note(self, kind: str, entry: Body) -> str | None:
        """Enter it into the ledger; the id of the entry, None without a ledger."""
        return None if self.ledger is None else self.ledger.append(kind, entry)

    def review_probability(self, outcome: str) -> float:
        """With which probability a decision is asked about."""
        return 1.0 if outcome == "review" else self.adapt.audit_ratio
