"""`gemel rollout`: try a release on part of the requests, and let it take over or go back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from gemel.cli import show
from gemel.cli.options import AsJson, ConfigFile, Sets
from gemel.cli.project import Project
from gemel.serve.rollout.usual import ALPHA, LEAST, SLOW_MS, STEPS

if TYPE_CHECKING:
    from gemel.serve.rollout.desk import Desk
    from gemel.serve.rollout.plan import State
    from gemel.serve.rollout.readout import ArmShare

app = typer.Typer(no_args_is_help=True, help="Try a release on part of the requests.")

WATCH_SECONDS = 1.0
USUAL_STEPS = ",".join(f"{step:g}" for step in STEPS)
Reason = Annotated[str, typer.Option(help="Why, for the history.")]


@app.command()
def start(
    release: Annotated[str, typer.Argument(help="Release id, unique start of one, or pointer.")],
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Ask it after the reply only; it answers nobody.")
    ] = False,
    canary: Annotated[
        str | None,
        typer.Option(
            help=f"Per cent of the subjects it answers, step by step; {USUAL_STEPS} if left out."
        ),
    ] = None,
    experiment: Annotated[
        float | None,
        typer.Option(help="Per cent of an experiment: no steps, ends by hand, galleries frozen."),
    ] = None,
    max_flips: Annotated[
        float | None,
        typer.Option(help="Share of decisions that may differ; the gold sets say if left out."),
    ] = None,
    slow_ms: Annotated[float, typer.Option(help="From which on an answer is slow.")] = SLOW_MS,
    least: Annotated[int, typer.Option(help="Subjects that it answers at each step.")] = LEAST,
    alpha: Annotated[float, typer.Option(help="Risk of rolling back what is not worse.")] = ALPHA,
    reason: Reason = "",
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """Begin to try a release beside stable; services follow within a second."""
    from gemel.serve.rollout.desk import Wish

    said = {"--shadow": shadow, "--canary": canary, "--experiment": experiment}
    kinds = [name for name, value in said.items() if value]
    if len(kinds) > 1:
        raise typer.BadParameter(f"{' and '.join(kinds)}: a rollout is one of these")
    try:
        percents = USUAL_STEPS if canary is None else canary
        steps = tuple(float(word) for word in percents.split(","))
    except ValueError as e:
        raise typer.BadParameter(f"--canary {canary}: expected per cents like {USUAL_STEPS}") from e
    project = Project.open(config, sets)
    wish = Wish(
        release=release,
        steps=() if shadow else steps,
        experiment=experiment,
        max_flips=max_flips,
        slow_ms=slow_ms,
        least=least,
        alpha=alpha,
    )
    with show.progress("checking", "gates"):
        state = _desk(project).start(wish, actor=project.actor, reason=reason)
    project.keep_head()
    _show(state, json)


@app.command()
def status(
    watch: Annotated[
        bool, typer.Option("--watch", help="Again each second, until it has ended.")
    ] = False,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """Show the rollout that is under way, or the last one, and what was found.

    With --json, null if there never was one.
    """
    from rich.console import Console

    desk = _desk(Project.open(config, sets))
    while True:
        state = desk.state()
        if state is None:
            if json:
                show.as_json(None)
            show.say("there was no rollout yet; begin one with: gemel rollout start RELEASE")
            return
        if watch:
            Console().clear()  # does nothing where stdout is no terminal
        _show(state, json)
        if not (watch and state.is_active):
            return
        time.sleep(WATCH_SECONDS)


@app.command()
def pause(
    reason: Reason = "", config: ConfigFile = None, sets: Sets = None, json: AsJson = False
) -> None:
    """Take no further step; the candidate keeps its share and is still watched."""
    project = Project.open(config, sets)
    _show(_desk(project).pause(actor=project.actor, reason=reason), json)


@app.command()
def resume(
    reason: Reason = "", config: ConfigFile = None, sets: Sets = None, json: AsJson = False
) -> None:
    """Go on with a rollout that was paused."""
    project = Project.open(config, sets)
    _show(_desk(project).resume(actor=project.actor, reason=reason), json)


@app.command()
def abort(
    reason: Reason = "", config: ConfigFile = None, sets: Sets = None, json: AsJson = False
) -> None:
    """End the rollout: stable answers everybody again."""
    project = Project.open(config, sets)
    _show(_desk(project).abort(actor=project.actor, reason=reason), json)


@app.command()
def promote(
    reason: Reason = "", config: ConfigFile = None, sets: Sets = None, json: AsJson = False
) -> None:
    """Make the candidate stable now, if it passes its gates; exit 3 if one fails."""
    project = Project.open(config, sets)
    with show.progress("checking", "gates"):
        state = _desk(project).promote(actor=project.actor, reason=reason)
    project.keep_head()
    _show(state, json)


def _desk(project: Project) -> Desk:
    from gemel.serve.rollout.desk import Desk

    return Desk(project.store(), project.state.enrolled)


def _show(state: State, json: bool) -> None:
    from gemel.serve.verbs.rollout import said

    reply = said(state)
    if json:
        show.as_json(reply)
        return
    needs = "" if reply.needs is None else f"{reply.needs:,} more subjects"
    step = f"{reply.step} of {reply.steps}"
    if state.is_active:
        step += f", {reply.share:.0%} of the subjects"
    show.pairs(
        [
            ("rollout", f"{reply.rollout} ({reply.mode})"),
            ("status", f"{reply.status}: {reply.reason}"),
            ("candidate", reply.release[:12]),
            ("stable", reply.stable[:12]),
            ("step", step),
            ("verdict", reply.verdict),
            ("decide differently", _measured(reply.differ)),
            *([("needs about", needs)] if needs and reply.verdict == "need more" else []),
            *[("", reason) for reason in reply.reasons],
        ]
    )
    head = ["question", "verdict", "seen", "share", "limit", "e worse", "e fine", "needs"]
    rows = [
        [
            r.question,
            r.verdict,
            f"{r.n:,}",
            "" if r.share is None else f"{r.share:.2%}",
            f"{r.limit:.2%}",
            f"{r.e_worse:.3g}",
            f"{r.e_fine:.3g}",
            "" if r.needs is None else f"{r.needs:,}",
        ]
        for r in reply.readings
    ]
    show.table(head, rows)
    if reply.readout:
        compared = [
            [row.question, *map(_measured, (row.stable, row.candidate)), row.says]
            for row in reply.readout
        ]
        show.table(["of all answers", "stable", "candidate", "candidate has"], compared)


def _measured(rate: ArmShare) -> str:
    if rate.share is None:
        return "none yet"
    return f"{rate.share:.2%} [{rate.low:.2%}, {rate.high:.2%}] of {rate.n:,}"
