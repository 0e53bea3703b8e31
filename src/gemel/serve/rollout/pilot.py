"""Takes part in the rollout of the store: tries the candidate, judges it, and acts on the verdict.

What several services see is put together in the row; whoever finds that it is enough moves it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from gemel.errors import (
    GateFailed,
    GemelError,
    InvalidInput,
    PointerMoved,
    ReleaseError,
    RolloutConflict,
)
from gemel.figures import number_of
from gemel.gallery.gallery import Dated, Gallery, Listed
from gemel.ledger.bodies import Answered, Verified
from gemel.ledger.verdicts import VERDICT
from gemel.release.compare import beside_stable
from gemel.release.release import Release
from gemel.serve.class_index import Classes
from gemel.serve.galleries.opened import Galleries
from gemel.serve.live import Live
from gemel.serve.rollout.arms import Trial
from gemel.serve.rollout.desk import Desk
from gemel.serve.rollout.guard import judge
from gemel.serve.rollout.plan import State
from gemel.serve.rollout.shadow import Shadow
from gemel.serve.rollout.watch import Watch
from gemel.serve.service import Service

ACTOR = "gemel"
SAY_SECONDS = 1.0
"""How often what was seen is put into the row."""


class Pilot:
    """The part that one service has in a rollout.

    Args:
        service: that tries the candidate.
        desk: where the rollout is.
        galleries: of the service.
        log: a logger.
        clock: seconds.
        read_only: another process changes the galleries and counts what people say; this one waits
            for it where a gallery lacks something.
    """

    def __init__(
        self,
        service: Service,
        desk: Desk,
        galleries: Galleries,
        log: Any,
        clock: Callable[[], float] = time.monotonic,
        *,
        read_only: bool = False,
    ) -> None:
        self._arms, self._read_only = service.arms, read_only
        self._ledger = None if read_only else service.ledger
        self._threads = service.threads
        self._desk, self._galleries, self._log, self._clock = desk, galleries, log, clock
        counter = service.metrics.counter
        words = ("compared", "failed", "dropped")
        self._counts = {word: counter("gemel_shadow_total", word) for word in words}
        share = service.metrics.gauge("gemel_rollout_share_ratio")
        share.set_function(lambda: self._arms.trial.share if self._arms.trial else 0.0)
        self._me = secrets.token_hex(4)
        self._said = clock()
        self._verdict_seq = 0
        try:
            if not read_only:
                self._keep_older()
        except GemelError as error:
            log.warning("older_not_kept", cause=error.what)

    def stop(self) -> None:
        """Take no part any more; what was seen since it was last said is said."""
        trial = self._arms.trial
        if trial is not None:
            self._desk.see(lambda now: self._with_mine(now, trial))
        self._end()

    def check(self) -> None:
        """Look at the row once, and do what follows from it."""
        state = self._desk.state()
        if state is None or not state.is_active:
            self._end(state)
            return
        trial = self._arms.trial
        if trial is None or trial.id != state.plan.id:
            self._end(state)
            trial = self._begin(state)
            if trial is None:
                return
        if self._arms.stable.release.id != state.plan.stable:
            self._overtaken(state)
            return
        gap = self._arms.gap
        if gap is not None and gap[0] is trial.live:
            self._log.error("rollout_failed", release=state.plan.release, exc_info=gap[1])
            self._finish(state, "rolled_back", _missed(gap[1]))
            return
        if trial.share != state.share:
            trial.watch.step = state.step
            self._arms.trial = trial = replace(trial, share=state.share)
            self._log.info("rollout_moved", release=state.plan.release, share=state.share)
        self._count_verdicts(trial, state)
        self._judge(trial, state)

    def _keep_older(self) -> None:
        """Open what a rollback would go to, if its gallery lacks nothing yet and is of a space of
        its own, so that it goes on lacking nothing.

        Raises:
            GemelError: it lacks something, or cannot be opened.
        """
        stable, enrolled = self._arms.stable, self._desk.enrolled
        before = self._desk.store.previous()
        if before is None or enrolled is None or stable.gallery is None:
            return
        release = self._desk.store.get(before)
        ours = enrolled(release)
        if release.space_id == stable.release.space_id or not any(map(len, ours.values())):
            return
        is_whole, lacking = beside_stable.enrolled(ours, enrolled(stable.release))
        if not is_whole:
            raise ReleaseError(lacking, where=release.short_id)
        gallery = self._galleries.of(release, stable.gallery)
        self._arms.older = Live.open(
            release, gallery, previous=stable, threads=self._threads, label=stable.label
        )

    def _begin(self, state: State) -> Trial | None:
        """Open the candidate; one that cannot be served ends the rollout."""
        plan, stable = state.plan, self._arms.stable
        if stable.release.id != plan.stable:
            if self._desk.store.pointer("stable") == stable.release.id:
                self._overtaken(state)  # while no service took part
            return None  # else the service has not followed its pointer yet
        try:
            release = self._desk.store.get(plan.release)
            gallery, beside = self._galleries.of(release, stable.gallery), None
            if plan.mode == "experiment":
                gallery, beside = self._frozen(state, release, gallery)
            if self._read_only and _lacking(gallery, (beside or stable).gallery):
                return None  # what was written to one only so far; the next look sees it in both
            live = Live.open(
                release, gallery, previous=stable, threads=self._threads, label=stable.label
            )
            _check_coverage(gallery, (beside or stable).gallery)
        except Exception as error:  # whatever it is, stable goes on
            cause = error.what if isinstance(error, GemelError) else "internal error"
            self._log.error("rollout_failed", release=plan.release, exc_info=error)
            self._finish(state, "rolled_back", f"it cannot be served: {cause}")
            return None
        watch = Watch(plan)
        watch.step = state.step
        if self._ledger is not None:
            self._verdict_seq = self._ledger.head().seq
        shadow = Shadow(watch, self._counts, lambda: self._arms.are_busy())
        trial = Trial(plan.id, live, state.share, watch, shadow, beside)
        self._arms.trial = trial
        self._log.info("rollout_began", release=plan.release, share=state.share)
        return trial

    def _frozen(
        self, state: State, release: Release, gallery: Gallery | None
    ) -> tuple[Gallery | None, Live | None]:
        """The candidate's gallery and stable, both as at one moment: that of who came first.

        Raises:
            ReleaseError: this kind of gallery does not number its changes.
        """
        stable = self._arms.stable
        if gallery is None or stable.gallery is None:
            return gallery, None
        if not (isinstance(gallery, Dated) and isinstance(stable.gallery, Dated)):
            raise ReleaseError("galleries of this kind keep no positions for an experiment")
        now = {
            stable.release.space_id: stable.gallery.position(),
            release.space_id: gallery.position(),
        }

        def first(kept: State) -> State | None:
            fresh = msgspec.structs.replace(kept, positions=now)
            return fresh if kept.plan.id == state.plan.id and not kept.positions else None

        self._desk.see(first)
        kept = self._desk.state()
        at = kept.positions if kept is not None and kept.positions else now
        seen = stable.gallery.as_of(at[stable.release.space_id])
        beside = replace(stable, gallery=seen, classes=Classes())
        if release.space_id == stable.release.space_id:
            return seen, beside
        return gallery.as_of(at[release.space_id]), beside

    def _end(self, state: State | None = None) -> None:
        """Take no part any more, whoever ended the rollout, or since the service stops."""
        trial, self._arms.trial = self._arms.trial, None
        if trial is not None:
            self._left(trial, state)

    def _left(self, trial: Trial, state: State | None) -> None:
        trial.shadow.stop()
        said = {"status": "ended", "reason": "the service leaves it"}
        if state is not None and state.plan.id == trial.id:
            said = {"status": state.status, "reason": state.reason}
        self._log.info("rollout_ended", release=trial.live.release.id, **said)

    def _overtaken(self, state: State) -> None:
        """Stable moved: to the candidate by somebody's hand, or elsewhere."""
        now = self._arms.stable.release
        if now.id == state.plan.release:
            self._finish(state, "promoted", "stable points at it")
        else:
            self._finish(state, "aborted", f"stable points at {now.short_id} by now")

    def _judge(self, trial: Trial, state: State) -> None:
        """Put what was seen into the row, and go on, back, or nowhere."""
        due = self._clock() - self._said >= SAY_SECONDS
        tallies = {**state.tallies, self._me: trial.watch.tally()}
        verdict = judge(msgspec.structs.replace(state, tallies=tallies))
        goes_on = verdict.verdict == "not worse" and state.status == "running"
        goes_on = goes_on and state.plan.mode == "canary"
        if not (due or verdict.verdict == "worse" or goes_on):
            return
        self._said = self._clock()
        kept = self._desk.see(lambda now: self._with_mine(now, trial))
        if kept is None or kept.plan.id != trial.id:
            return
        if verdict.verdict == "worse":
            self._finish(state, "rolled_back", "; ".join(verdict.reasons))
        elif goes_on and kept.step == state.step and kept.status == "running":
            self._go_on(kept)

    def _with_mine(self, now: State, trial: Trial) -> State | None:
        if now.plan.id != trial.id:
            return None
        tallies = {**now.tallies, self._me: trial.watch.tally()}
        return msgspec.structs.replace(now, tallies=tallies)

    def _go_on(self, state: State) -> None:
        """The next step, or after the last one promotion, if the gates allow it."""
        of = state.plan.id
        with suppress(PointerMoved, RolloutConflict):  # who came first did what the next look shows
            try:
                if state.step + 1 < len(state.plan.steps):
                    share = state.plan.share(state.step + 1)
                    change: dict[str, object] = {"step": state.step + 1, "reason": f"{share:.0%}"}
                    self._desk.move("step", change, actor=ACTOR, of=of)
                else:
                    # The candidate stays open: the service changes over to it as it is.
                    self._desk.promote(actor=ACTOR, reason="not worse than stable", of=of)
            except GateFailed as error:
                self._desk.pause(actor=ACTOR, reason=f"not promoted: {error.what}", of=of)

    def _finish(self, state: State, status: Any, reason: str) -> None:
        """End the rollout here at once, then in the store."""
        trial, self._arms.trial = self._arms.trial, None
        try:
            self._desk.end(status, actor=ACTOR, reason=reason, of=state.plan.id)
        except RolloutConflict:  # somebody else came first
            if trial is not None:
                self._left(trial, self._desk.state())
            return
        ended = {"release": state.plan.release, "status": status, "reason": reason}
        self._log.warning("rollout_ended", **ended)
        if trial is not None:
            trial.shadow.stop()

    def _count_verdicts(self, trial: Trial, state: State) -> None:
        """Tell the watch which decisions of this rollout people called wrong."""
        if self._ledger is None or state.plan.mode == "shadow":
            return
        for entry in self._ledger.entries(after=self._verdict_seq, kind=VERDICT):
            self._verdict_seq = entry.seq
            said = entry.read(Answered)
            found = self._ledger.find(said.decision)
            decided = None if found is None else found.read(Verified)
            if decided is None or decided.release not in (state.plan.release, state.plan.stable):
                continue
            if decided.outcome != "review":
                trial.watch.judged(
                    said.decision,
                    is_ours=decided.release == state.plan.release,
                    is_wrong=said.genuine != (decided.outcome == "match"),
                )


def _missed(error: Exception) -> str:
    """Why a candidate's gallery lacks a change; of a record that it refused, which field."""
    if isinstance(error, InvalidInput):
        field = error.where.removeprefix("payload").removeprefix(".")
        return f"it does not take a record that was enrolled meanwhile: {field or 'its payload'}"
    return "its gallery missed a change that was made meanwhile"


def _lacking(mine: Gallery | None, other: Gallery | None) -> str:
    """What a candidate's gallery lacks of stable's; empty if nothing."""
    if other is None:
        return ""
    ours, theirs = _ids(mine), _ids(other)
    if ours is not None and theirs is not None:
        return beside_stable.named(beside_stable.missing(ours, theirs))
    n_mine, n_other = 0 if mine is None else mine.count(), other.count()
    return f"{n_mine:,} of {number_of(n_other, 'record')} are there" if n_mine < n_other else ""


def _ids(gallery: object) -> Sequence[str] | None:
    return gallery.ids() if isinstance(gallery, Listed) else None


def _check_coverage(mine: Gallery | None, other: Gallery | None) -> None:
    """Return if the candidate's gallery holds every record of stable's.

    Raises:
        ReleaseError: it does not.
    """
    if lacking := _lacking(mine, other):
        raise ReleaseError(
            f"its gallery lacks records of that of stable: {lacking}",
            hint="enroll the records with this release",
        )
