"""What a delivery tool asks of a rollout, answered as Flagger understands it: by the status alone.

The tool moves traffic or pods; whether the candidate is good enough is decided here. Pure.
"""

from __future__ import annotations

from typing import Literal

from gemel.errors import NotYet, RolloutConflict
from gemel.serve.rollout.guard import judge
from gemel.serve.rollout.plan import State

Hook = Literal[
    "confirm-rollout",
    "pre-rollout",
    "rollout",
    "confirm-traffic-increase",
    "confirm-promotion",
    "rollback",
    "post-rollout",
]
"""Flagger's kinds of hooks that wait for an answer."""
GATES: frozenset[Hook] = frozenset({"confirm-traffic-increase", "confirm-promotion"})
"""Those that want evidence; the others go on until the candidate is found worse."""


def check(state: State | None, hook: Hook, release: str = "") -> State:
    """The rollout, if the tool shall do what it asks about.

    Args:
        state: the rollout that is under way, or the last one.
        hook: what is asked; for `rollback` going back is what is done.
        release: start of the id of the candidate that is meant; empty for any.
    Raises:
        NotYet: it shall wait.
        RolloutConflict: it shall not, since the candidate is given up.
    """
    if state is None or not state.plan.release.startswith(release):
        raise NotYet("no rollout of that release was begun", hint="gemel rollout start RELEASE")
    verdict = judge(state)
    is_given_up = state.status in ("rolled_back", "aborted")
    is_given_up = is_given_up or (verdict.verdict == "worse" and state.status != "promoted")
    if hook == "post-rollout" or (hook == "rollback" and is_given_up):
        return state
    if hook == "rollback":
        raise NotYet(f"nothing speaks for going back: {verdict.verdict}")
    if is_given_up:
        raise RolloutConflict(
            f"the candidate is given up: {state.reason or '; '.join(verdict.reasons)}",
            hint="roll back",
        )
    if state.status == "promoted":
        return state
    if state.status == "paused":
        raise NotYet(f"the rollout is paused: {state.reason}", hint="gemel rollout resume")
    if hook not in GATES:
        return state
    if verdict.verdict != "not worse":
        raise NotYet("; ".join(verdict.reasons) or "not enough was seen yet")
    if hook == "confirm-promotion" and state.plan.mode == "canary":
        raise NotYet("it is not worse, and not promoted yet: its steps or gates are not done")
    return state
