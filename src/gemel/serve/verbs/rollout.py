"""Rollout: begin to try a release, see what is found, go on or back."""

from __future__ import annotations

from gemel.errors import InvalidInput, NotFound, RolloutConflict
from gemel.serve.context import Context
from gemel.serve.rollout.desk import Desk, Wish
from gemel.serve.rollout.guard import judge
from gemel.serve.rollout.hooks import check
from gemel.serve.rollout.plan import State
from gemel.serve.rollout.readout import differing, readout
from gemel.serve.steps import Move, Steps
from gemel.serve.wire.rollouts import HookBody, RolloutBody, RolloutQuery, RolloutReply, Seen

FAILED = "Failed"
"""Phase of a canary that Flagger has rolled back."""


def rollout(context: Context, body: RolloutBody) -> Steps[RolloutReply]:
    """Begin a rollout, or change the one that is under way."""
    desk = _desk(context)
    yield Move("group")
    actor, reason = context.caller.name, body.reason
    match body.action:
        case "start":
            if body.release is None:
                raise InvalidInput("a rollout is of a release", where="release")
            wish = Wish(
                release=body.release,
                steps=() if body.shadow else body.steps,
                experiment=body.experiment,
                max_flips=body.max_flips,
                slow_ms=body.slow_ms,
                least=body.least,
                alpha=body.alpha,
            )
            return said(desk.start(wish, actor=actor, reason=reason))
        case "pause":
            return said(desk.pause(actor=actor, reason=reason))
        case "resume":
            return said(desk.resume(actor=actor, reason=reason))
        case "abort":
            return said(desk.abort(actor=actor, reason=reason))
        case "promote":
            return said(desk.promote(actor=actor, reason=reason))


def status(context: Context, _: RolloutQuery) -> Steps[RolloutReply]:
    """The rollout that is under way, or the last one."""
    desk = _desk(context)
    yield Move("review")
    state = desk.state()
    if state is None:
        raise NotFound("there was no rollout yet", hint="gemel rollout start RELEASE")
    return said(state)


def hook(context: Context, body: HookBody) -> Steps[RolloutReply]:
    """The rollout, if a delivery tool shall go on; what it gave up itself is given up here too."""
    desk, asked = _desk(context), body.metadata
    yield Move("group")
    state = check(desk.state(), asked.hook, asked.release)
    if state.is_active:
        if asked.hook == "post-rollout" and body.phase == FAILED:
            where = f"{body.namespace}/{body.name}"
            actor, reason = context.caller.name, f"{where} was rolled back"
            state = desk.abort(actor=actor, reason=reason, of=state.plan.id)
        elif asked.hook == "confirm-promotion":
            desk.check(state.plan)
    return said(state)


def said(state: State) -> RolloutReply:
    """A rollout as it is told to people and programs."""
    plan, verdict, tallies = state.plan, judge(state), state.tallies.values()
    n_overlap = sum(t.n_overlap for t in tallies)
    n_shift = sum(t.n_shift for t in tallies)
    seen = Seen(
        overlap=sum(t.overlap for t in tallies) / n_overlap if n_overlap else None,
        shift=sum(t.shift for t in tallies) / n_shift if n_shift else None,
        dropped=sum(t.dropped for t in tallies),
    )
    return RolloutReply(
        rollout=plan.id,
        status=state.status,
        release=plan.release,
        stable=plan.stable,
        mode=plan.mode,
        step=state.step + 1,
        steps=max(1, len(plan.steps)),
        share=state.share,
        verdict=verdict.verdict,
        needs=verdict.needs,
        reasons=list(verdict.reasons),
        readings=list(verdict.readings),
        readout=readout(plan, list(tallies)),
        differ=differing(plan, list(tallies)),
        seen=seen,
        reason=state.reason,
        started=plan.time,
        moved=state.moved,
        actor=plan.actor,
    )


def _desk(context: Context) -> Desk:
    if context.desk is None:
        raise RolloutConflict(
            "this service has no store to roll out from", hint="start it with: gemel serve"
        )
    return context.desk
