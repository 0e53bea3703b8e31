"""Where rollouts are started, looked at and ended: by people, and by the services that judge them.

The row in the store is the truth. The pointers `canary` and `shadow` show it to those who list
releases, and each change stands in the ledger before it is made.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from gemel.errors import InvalidInput, PointerMoved, RolloutConflict
from gemel.ledger.bodies import Tried
from gemel.release import gates
from gemel.release.compare.predicted import predicted_flips
from gemel.release.gates import Enrolled
from gemel.release.release import Release
from gemel.release.store import Store
from gemel.serve.rollout.plan import Mode, Plan, State, Status, of_row
from gemel.serve.rollout.usual import ALPHA, LEAST, SLOW_MS, STEPS

MAX_FLIPS = 0.1
"""Where no gold set says how many decisions differ."""
ABOVE_GOLD = 0.05
"""Added to what the gold sets say, since what is asked is not what they hold."""
TINY = 1e-9
"""Of a risk or a share: of smaller ones nothing could ever be told."""
FIRST = (
    "what answers people has to pass the gates of a promotion; a shadow, only those of its files",
    "fetch the release again, or build it anew",
)
"""What to do about gates that failed: before a canary or an experiment; before a shadow."""
STABLE = "stable"
Decide = Callable[[State], State | None]


class Wish(Struct, frozen=True, kw_only=True):
    """How somebody wants a rollout to go.

    Attributes:
        release: what `Store.resolve` takes.
        steps: per cent of the subjects at each step of a canary; none for a shadow.
        experiment: per cent of the subjects of an experiment, in place of steps.
        max_flips: of the requests where one of them finds something, the share that they may decide
            differently; None for what the gold sets predict.
        slow_ms: from which on an answer is slow.
        least: subjects that the candidate has to have answered at each step.
        alpha: probability, at most, of rolling back what is not worse.
    """

    release: str
    steps: tuple[float, ...] = STEPS
    experiment: float | None = None
    max_flips: float | None = None
    slow_ms: float = SLOW_MS
    least: int = LEAST
    alpha: float = ALPHA

    def check(self) -> None:
        """Return if it makes sense.

        Raises:
            InvalidInput: it does not.
        """
        share = self.experiment
        if share is not None and not (0 < share < 100 and self.steps):
            what = f"{share:g} per cent" if self.steps else "a shadow"
            hint = "a per cent above 0 and below 100, and no shadow"
            raise InvalidInput(
                f"{what} is no share of an experiment", where="experiment", hint=hint
            )
        rising = list(self.steps) == sorted(set(self.steps))
        if not rising or not all(0 < step < 100 for step in self.steps):
            raise InvalidInput(
                "steps are rising per cents above 0 and below 100",
                where="steps",
                hint="such as 5, 25, 50; promoting is what comes after the last",
            )
        for name in ("max_flips", "alpha"):
            value = getattr(self, name)
            if value is not None and not TINY <= value < 1:
                raise InvalidInput(f"{value:g} is not between {TINY:g} and 1", where=name)
        if self.slow_ms <= 0 or self.least < 1:
            raise InvalidInput("slow_ms and least are above 0")


class Desk:
    """The rollouts of one store, of which one is under way at most.

    Who judges one names it (`of`, the id of its plan): between a look and what follows from it,
    somebody else may have ended that one and begun another, which is then left alone. Without a
    name, it is the one that is under way.

    Args:
        store: with the releases, the pointers and the row.
        enrolled: names the records that a release would search; None asks nothing about them.
    """

    def __init__(self, store: Store, enrolled: Enrolled | None = None) -> None:
        self.store, self.enrolled = store, enrolled

    def state(self) -> State | None:
        """The rollout that is under way, or the last one."""
        return of_row(self.store.rollout())

    def start(self, wish: Wish, *, actor: str, reason: str = "") -> State:
        """Begin a rollout, after what must hold before anything is measured.

        Raises:
            InvalidInput: the wish makes no sense.
            RolloutConflict: another one is under way, or there is nothing to compare with.
            GateFailed: a gate before a canary; files, probes or the gallery before a shadow.
        """
        wish.check()
        _idle(self.state())
        mode: Mode = "canary" if wish.steps else "shadow"
        steps = wish.steps
        if wish.experiment is not None:
            mode, steps = "experiment", (wish.experiment,)
        candidate, stable = self.store.get(wish.release), self.store.get(STABLE)
        if candidate.id == stable.id:
            raise RolloutConflict(f"{candidate.short_id} is stable already")
        refused = self._check(candidate, stable, mode)
        plan = Plan(
            id=secrets.token_hex(6),
            release=candidate.id,
            stable=stable.id,
            mode=mode,
            steps=tuple(step / 100 for step in steps),
            alpha=wish.alpha,
            max_flips=wish.max_flips or _flips(stable, candidate),
            slow_ms=wish.slow_ms,
            least=wish.least,
            actor=actor,
            time=_now(),
        )

        def decide(state: State | None) -> State:
            _idle(state)
            said = "; ".join([reason or f"started by {actor}", *refused])
            fresh = State(plan=plan, moved=plan.time, reason=said)
            self._note("start", fresh, actor)
            return fresh

        state = self._change(decide)  # whoever is second is refused before it points anywhere
        self.store.point(_pointer(mode), candidate.id, actor=actor, reason=f"rollout {plan.id}")
        return state

    def pause(self, *, actor: str, reason: str = "", of: str | None = None) -> State:
        """Take no further step; the candidate keeps its share, and can still be rolled back."""
        change: dict[str, object] = {"status": "paused", "reason": reason or "paused"}
        return self.move("pause", change, actor=actor, of=of)

    def resume(self, *, actor: str, reason: str = "") -> State:
        """Go on with a rollout that was paused."""
        change: dict[str, object] = {"status": "running", "reason": reason or "resumed"}
        return self.move("resume", change, actor=actor)

    def abort(self, *, actor: str, reason: str = "", of: str | None = None) -> State:
        """End a rollout; stable answers everybody again."""
        return self.end("aborted", actor=actor, reason=reason or f"aborted by {actor}", of=of)

    def promote(self, *, actor: str, reason: str = "", of: str | None = None) -> State:
        """Make the candidate stable, if it passes its gates.

        Raises:
            GateFailed: it does not; the rollout goes on.
            PointerMoved: stable is not what the candidate was compared with.
            RolloutConflict: none is under way, or another one.
        """
        plan = _required(self.state(), of=of).plan
        said = reason or f"promoted by {actor}"
        gates.promote(
            self.store,
            plan.release,
            actor=actor,
            reason=f"rollout {plan.id}: {said}",
            enrolled=self.enrolled,
            expected=plan.stable,
        )
        return self.end("promoted", actor=actor, reason=said, of=plan.id)

    def end(self, status: Status, *, actor: str, reason: str, of: str | None = None) -> State:
        """End a rollout, and take its pointer away.

        Raises:
            RolloutConflict: none is under way, or another one.
        """
        state = self.move(status, {"status": status, "reason": reason}, actor=actor, of=of)
        pointer, ours = _pointer(state.plan.mode), state.plan.release
        with suppress(PointerMoved):  # somebody uses it for something else by now
            self.store.point(pointer, None, actor=actor, reason=reason, expected=ours)
        return state

    def move(
        self, action: str, change: dict[str, object], *, actor: str, of: str | None = None
    ) -> State:
        """Change the rollout that is under way, noted in the ledger first.

        Raises:
            RolloutConflict: none is under way, or another one.
        """

        def decide(state: State | None) -> State:
            moved = msgspec.structs.replace(_required(state, of=of), moved=_now(), **change)
            self._note(action, moved, actor)
            return moved

        return self._change(decide)

    def check(self, plan: Plan) -> None:
        """Return if the candidate of a rollout passes its gates as it is now.

        Raises:
            GateFailed: it does not.
        """
        self._check(self.store.get(plan.release), self.store.get(plan.stable), "canary")

    def see(self, decide: Decide) -> State | None:
        """Keep what a process has seen: the rollout that is under way, changed by `decide`."""

        def change(text: str | None) -> str | None:
            state = of_row(text)
            found = None if state is None or not state.is_active else decide(state)
            return None if found is None else _written(found)

        return of_row(self.store.change_rollout(change))

    def _change(self, decide: Callable[[State | None], State]) -> State:
        text = self.store.change_rollout(lambda text: _written(decide(of_row(text))))
        return _required(of_row(text), is_active=False)

    def _check(self, candidate: Release, stable: Release, mode: Mode) -> list[str]:
        """Return if the candidate may be tried: all gates for a canary, the hard ones for a shadow.

        Returns:
            What a shadow will not be able to answer.
        Raises:
            GateFailed: names the gates that failed.
        """
        report = gates.run(candidate, stable, enrolled=self.enrolled)
        hard = ("integrity", "parity", gates.ENROLLED)
        found = [g for g in report.gates if mode != "shadow" or g.name in hard]
        gates.GateReport(candidate.id, tuple(found)).check(FIRST[mode == "shadow"])
        return [g.detail for g in report.gates if g.name == gates.TAKES and not g.passed]

    def _note(self, action: str, state: State, actor: str) -> None:
        body = Tried(
            release=state.plan.release,
            actor=actor,
            rollout=state.plan.id,
            stable=state.plan.stable,
            share=state.share,
            reason=state.reason,
        )
        self.store.note(f"rollout.{action}", body)


def _pointer(mode: Mode) -> str:
    """The pointer that shows the candidate to those who list releases."""
    return "shadow" if mode == "shadow" else "canary"


def _required(state: State | None, *, is_active: bool = True, of: str | None = None) -> State:
    if state is None or (is_active and not state.is_active):
        raise RolloutConflict(
            "no rollout is under way", hint="begin one with: gemel rollout start RELEASE"
        )
    if of not in (None, state.plan.id):
        raise RolloutConflict(
            f"rollout {of} has ended, that of {state.plan.release[:12]} is under way",
            hint="see: gemel rollout status",
        )
    return state


def _idle(state: State | None) -> None:
    """Return if no rollout is under way.

    Raises:
        RolloutConflict: one is.
    """
    if state is not None and state.is_active:
        raise RolloutConflict(
            f"the rollout of {state.plan.release[:12]} is {state.status}",
            hint="end it with: gemel rollout abort",
        )


def _flips(stable: Release, candidate: Release) -> float:
    """Share of decisions that may differ: what the gold sets say and some more, or a default."""
    predicted = predicted_flips(stable, candidate)
    return MAX_FLIPS if predicted is None else min(0.5, predicted + ABOVE_GOLD)


def _written(state: State) -> str:
    return msgspec.json.encode(state).decode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
