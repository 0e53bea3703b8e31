"""What people say about decisions, on the side of the service: the ledger asked and written to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from gemel.errors import NoLedger
from gemel.ledger.ledger import Ledger
from gemel.ledger.verdicts import UNASKED, answer, waiting
from gemel.release.evidence.schema import Feedback
from gemel.release.folder import Manifest
from gemel.release.make.adapt import feedback
from gemel.serve.replies import ReviewReply, VerdictReply, WaitingReply
from gemel.serve.requests import Propose, Verdict, Waiting
from gemel.settings import AdaptSettings

Shelf = Callable[[], Sequence[Manifest]]


class Reviews:
    """Verdicts of one ledger.

    Args:
        ledger: of the service; without one there are no verdicts.
        settings: which decisions are asked about, and what a move of the threshold needs.
        shelf: gives the releases whose decisions count for a proposal, if of the same scale.
    """

    def __init__(self, ledger: Ledger | None, settings: AdaptSettings, shelf: Shelf) -> None:
        self._ledger = ledger
        self._settings = settings
        self._shelf = shelf

    def probability(self, outcome: str) -> float:
        """With which probability a decision is asked about."""
        return 1.0 if outcome == "review" else self._settings.audit_ratio

    def answer(self, works: Sequence[Verdict | Waiting | Propose]) -> list[Any]:
        """A reply for each work, or an exception."""
        return [self._attempt(work) for work in works]

    def _attempt(self, work: Verdict | Waiting | Propose) -> Any:
        try:
            return self._answered(work)
        except Exception as error:  # it is the answer to this work and to no other
            return error

    def _answered(self, work: Verdict | Waiting | Propose) -> VerdictReply | ReviewReply | Feedback:
        ledger = self._ledger
        if ledger is None:
            raise NoLedger(
                "this service keeps no ledger", hint="start it with one to review decisions"
            )
        if isinstance(work, Propose):
            return feedback(work.live.release, ledger, self._settings, shelf=self._shelf())
        if isinstance(work, Waiting):
            return ReviewReply(
                [
                    WaitingReply(
                        a.id,
                        a.outcome,
                        a.score,
                        a.release,
                        datetime.fromtimestamp(a.time_us / 1e6, UTC).isoformat(),
                    )
                    for a in waiting(ledger, limit=work.limit)
                ]
            )
        verdict = answer(
            ledger,
            work.decision_id,
            work.genuine,
            reviewer=work.reviewer,
            request_id=work.request_id,
        )
        note = None if verdict.counts else UNASKED
        return VerdictReply(work.decision_id, verdict.id, verdict.counts, note)
