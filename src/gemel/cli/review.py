"""`gemel review`: what people are asked about, their answers, and what follows from them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli import show
from gemel.cli.calibrated import then
from gemel.cli.options import AsJson, ConfigFile, DryRun, Sets
from gemel.cli.project import Project
from gemel.cli.release import Maybe
from gemel.cli.release_words import summary
from gemel.errors import ConfigError, DataError, ReleaseError
from gemel.ledger.bodies import Accepted

if TYPE_CHECKING:
    from gemel.calibrate.answers.answered import Rates
    from gemel.calibrate.answers.proposal import Feedback

app = typer.Typer(no_args_is_help=True, help="Decisions that people look at, and what they say.")


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="Decisions at most.")] = 100,
    reviewer: Annotated[
        str | None,
        typer.Option(help="Also what others answered and this person should answer too."),
    ] = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """List the decisions that wait for an answer, the oldest first."""
    from gemel.ledger.verdicts import waiting

    project = Project.open(config, sets)
    with project.ledger() as ledger:
        found = waiting(
            ledger, limit=limit, reviewer=reviewer, second=project.config.adapt.second_ratio
        )
    if json:
        show.as_json([{"decision_id": a.id, "outcome": a.outcome, "score": a.score} for a in found])
    else:
        show.table(["decision", "outcome", "score"], [[a.id, a.outcome, a.score] for a in found])
    if not found:
        show.say("nothing waits")


@app.command()
def answer(
    decision: Annotated[str, typer.Argument(help="Id of the decision, or a unique start of it.")],
    genuine: Annotated[
        bool, typer.Option("--genuine", help="The two are really the same.")
    ] = False,
    impostor: Annotated[bool, typer.Option("--impostor", help="They are not.")] = False,
    reviewer: Annotated[str | None, typer.Option(help="Who says so; you if left out.")] = None,
    config: ConfigFile = None,
    sets: Sets = None,
) -> None:
    """Say what a decision should have been; on disk when the command ends."""
    from gemel.ledger import verdicts

    if genuine == impostor:
        raise typer.BadParameter("say one of --genuine and --impostor")
    project = Project.open(config, sets)
    with project.ledger() as ledger:
        full = verdicts.resolve(ledger, decision)
        noted = verdicts.answer(ledger, full, genuine, reviewer=reviewer or project.actor)
    show.say("noted" if noted.note is None else f"noted, but {noted.note}")


@app.command()
def proposal(
    name: Maybe = None, config: ConfigFile = None, sets: Sets = None, json: AsJson = False
) -> None:
    """Say what the answers mean for the threshold; changes nothing."""
    _tell(said_about(Project.open(config, sets), name), json)


@app.command()
def accept(
    name: Maybe = None,
    file: Annotated[
        Path | None,
        typer.Option("--proposal", help="What `gemel review proposal --json` said elsewhere."),
    ] = None,
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Put a child release with the proposed threshold on the shelf; nothing is live yet.

    It is measured again, so this runs where the release was trained. Exit 1 if the
    answers propose no move, so that a job may run it every night.
    """
    from gemel.release.make import adapt

    project = Project.open(config, sets)
    said = said_about(project, name) if file is None else _read(file)
    if said.proposal.band is None:
        _tell(said, json)
        raise ReleaseError(
            f"nothing to accept: {said.proposal.reason}", hint="see: gemel review list"
        )
    if dry_run:
        _tell(said, json)
        return
    if not project.config.data.path:
        raise ConfigError(
            "the child is measured on the records that its parent was trained on, and none are "
            "named",
            where="data.path",
            hint="gemel review proposal --json > FILE here; where it was trained: "
            "gemel review accept --proposal FILE",
        )
    dataset, parent = project.dataset(), project.release(name or said.release)
    with show.progress("calibrating", "steps") as tick, tempfile.TemporaryDirectory() as draft:
        child = adapt.accept(
            parent,
            said,
            project.run_of(parent, dataset),
            dataset,
            into=Path(draft) / "release",
            sampling=project.sampling(),
            progress=tick,
        )
        release = project.store().put(child.folder)
    project.note("review.accept", Accepted(release=release.id, parent=parent.id))
    if json:
        show.as_json({"manifest": release.manifest, "policy": release.policy})
    else:
        show.pairs(summary(release))
    show.say(f"next: {'; '.join(then(project, release))}")


def _read(file: Path) -> Feedback:
    """A proposal as it was written by the command, or by a service.

    Raises:
        DataError: it is none.
    """
    import msgspec

    from gemel.calibrate.answers.proposal import Feedback

    try:
        return msgspec.json.decode(file.read_bytes(), type=Feedback)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as e:
        hint = "write it with: gemel review proposal --json"
        raise DataError(f"this is no proposal: {e}", where=str(file), hint=hint) from None


def said_about(project: Project, name: str | None) -> Feedback:
    """What the answers to decisions of every release of the same scale say about one."""
    from gemel.release.make import adapt

    release = project.release(name)
    with project.ledger() as ledger:
        shelf = project.store().list()
        return adapt.feedback(release, ledger, project.config.adapt, shelf=shelf)


def _tell(said: Feedback, json: bool) -> None:
    if json:
        show.as_json(said)
    else:
        show_proposal(said)


def show_proposal(said: Feedback) -> None:
    """Write a proposal: what it rests on, then the present and the proposed threshold."""
    proposal = said.proposal
    show.pairs(
        [
            ("release", said.release),
            ("decisions", f"{said.n_decisions:,}, asked about {said.n_asked:,}"),
            (
                "answers",
                f"{said.n_answered:,}, effective {proposal.n_genuine:.0f} genuine and "
                f"{proposal.n_impostor:.0f} impostor",
            ),
            ("agreement", f"{said.n_agreed} of {said.n_double} that two or more looked at"),
            ("verdict", f"{proposal.verdict}: {proposal.reason}"),
        ]
    )
    seen = [("present", proposal.present), ("proposed", proposal.proposed)]
    rows = [[label, *_row(rates)] for label, rates in seen if rates is not None]
    if rows:
        show.table(["threshold", "value", "FMR", "FNMR", "precision", "for review"], rows)
    if proposal.verdict == "move":
        more = "; the next move goes on" if proposal.is_limited else ""
        show.say(f"{proposal.changed:.1%} of decisions would be another{more}")


def _row(rates: Rates) -> list[Any]:
    shown = [e.span(4) for e in (rates.fmr, rates.fnmr, rates.precision)]
    return [f"{rates.threshold:.4g}", *shown, f"{rates.review_share:.1%}"]
