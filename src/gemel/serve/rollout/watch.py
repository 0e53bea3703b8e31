"""What a process sees of a rollout: answers, errors, slow ones, and pairs of decisions.

A subject counts once for each question, since what it asks again is no new evidence.
"""

from __future__ import annotations

import threading

import msgspec

from gemel.errors import GemelError
from gemel.serve.rollout import guard
from gemel.serve.rollout.evalues import Falls
from gemel.serve.rollout.paired import Difference
from gemel.serve.rollout.plan import Arm, Plan, Tally

MAX_SEEN = 200_000
WARM_UP = 10
"""First answers of the candidate, which may be slow because they are the first."""


class Seen:
    """Which subjects have been counted, up to a number; above it nobody is new."""

    def __init__(self) -> None:
        self._keys: set[int | str] = set()

    def is_new(self, key: int | str) -> bool:
        """Whether it comes for the first time, and from now on not any more."""
        if key in self._keys or len(self._keys) >= MAX_SEEN:
            return False
        self._keys.add(key)
        return True


class Watch:
    """The tally of one process; safe to use from several threads.

    Args:
        plan: of the rollout.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.step = 0
        self._tally = guard.empty(plan)
        self._lock = threading.Lock()
        self._answered, self._failed, self._late, self._paired = (Seen() for _ in "1234")
        self._subjects, self._decisions = Seen(), Seen()
        self._n_warm = 0

    def answered(
        self, key: int, *, is_ours: bool, failed: bool, seconds: float, outcome: str | None = None
    ) -> None:
        """Count an answer that somebody got, or an error in its place.

        Args:
            key: of the subject.
            is_ours: of the candidate, else of stable.
            failed: it was an error of the service.
            seconds: that it took.
            outcome: that was decided, of the best hit of a search; None for a reply without.
        """
        with self._lock:
            tally, step = self._tally, self.step
            slow = seconds * 1000 > self.plan.slow_ms
            self._count(tally.ours if is_ours else tally.theirs, key, failed, slow, outcome)
            if is_ours and self._n_warm < WARM_UP and not failed:
                self._n_warm += 1
                return
            if failed and self._failed.is_new(key):
                _fall(tally.error_falls, step, is_ours)
            if slow and self._late.is_new(key):
                _fall(tally.slow_falls, step, is_ours)
            if is_ours and self._answered.is_new(key):
                tally.answers[step] += 1
                tally.errors.add(float(failed))
                tally.slow.add(float(slow))

    def compared(self, key: int, difference: Difference | None, *, failed: bool) -> None:
        """Count what became of the same request in both; only the candidate can have failed."""
        with self._lock:
            if not self._paired.is_new(key):
                return
            tally = self._tally
            if self.plan.mode == "shadow":
                tally.answers[0] += 1
                tally.errors.add(float(failed))
            if difference is not None:
                if difference.counts:
                    _flip(tally, difference)
                if difference.overlap is not None:
                    tally.overlap += difference.overlap
                    tally.n_overlap += 1
                if difference.shift is not None:
                    tally.shift += difference.shift
                    tally.n_shift += 1

    def judged(self, decision: str, *, is_ours: bool, is_wrong: bool) -> None:
        """Count what a person said of a decision; of one decision, the first to say it.

        Args:
            decision: its id.
            is_ours: of the candidate, else of stable.
            is_wrong: it was called wrong.
        """
        with self._lock:
            if is_wrong:
                _fall(self._tally.wrong_falls, self.step, is_ours)
            if self._decisions.is_new(decision):
                arm = self._tally.ours if is_ours else self._tally.theirs
                arm.judged += 1
                arm.wrong += is_wrong

    def _count(self, arm: Arm, key: int, failed: bool, slow: bool, outcome: str | None) -> None:
        """Count the first answer of a subject for its arm, errors before it is warm as well."""
        if not self._subjects.is_new(key):
            return
        arm.n += 1
        arm.errors += failed
        arm.slow += slow
        if outcome is not None:
            arm.n_decided += 1
            arm.matches += outcome == "match"
            arm.reviews += outcome == "review"

    def dropped(self) -> None:
        """Count a request that was not compared."""
        with self._lock:
            self._tally.dropped += 1

    def tally(self) -> Tally:
        """A copy of what was seen so far."""
        with self._lock:
            return msgspec.msgpack.decode(msgspec.msgpack.encode(self._tally), type=Tally)


def _flip(tally: Tally, difference: Difference) -> None:
    """Count whether two decide differently, and in a search on whom it fell to miss something."""
    among = tally.finds if difference.searched else tally.flips
    among.add(float(difference.flipped))
    if difference.missed is not None:
        _fall([tally.misses], 0, difference.missed)


def is_load(error: Exception) -> bool:
    """Whether an error says that there is too much to do, which is nobody's fault."""
    return isinstance(error, GemelError) and error.status in (503, 504)


def _fall(falls: list[Falls], step: int, is_ours: bool) -> None:
    """Count an event; a shadow has no steps that one could fall on."""
    if falls:
        if is_ours:
            falls[step].ours += 1
        else:
            falls[step].theirs += 1
