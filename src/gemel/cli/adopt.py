"""`gemel import`: a pretrained model as it is becomes a release with proven error rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemel.cli import data as records
from gemel.cli import show
from gemel.cli.calibrate import build_release, find_release
from gemel.cli.calibrated import show_made
from gemel.cli.options import AsJson, Sets, words
from gemel.cli.project import Project
from gemel.cli.release import note_move, show_gates
from gemel.cli.train import check_installed, train_run
from gemel.config import FILE

if TYPE_CHECKING:
    from gemel.release.release import Release

SHARE = 0.4
"""Of the identities, for dev and for eval each: nothing is learned from the rest."""


def import_(
    model: Annotated[
        str, typer.Argument(help="Folder of sentence-transformers or transformers, or hub name.")
    ],
    path: Annotated[
        Path, typer.Option("--data", help="File of labelled pairs, or of texts with identities.")
    ],
    identity: Annotated[
        str | None, typer.Option(help="Column that says which records belong together.")
    ] = None,
    id: Annotated[str | None, typer.Option("--id", help="Column with a unique record id.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="What the data are; text, or images of a folder.")
    ] = None,
    name: Annotated[str, typer.Option(help="A name for people.")] = "",
    sets: Sets = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Settings.")] = Path(FILE),
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing settings.")] = False,
    json: AsJson = False,
) -> None:
    """Export a model, choose and measure a threshold on your data, and shelve the release.

    Nothing is trained. The settings are written as gemel init writes them; train.tune = "head" or
    "all" there and gemel train go on from the model. The first release becomes stable if its gates
    hold.
    """
    check_installed()
    shares = [f"split.{side}={SHARE}" for side in ("dev", "eval")]
    records.init(
        path,
        kind=kind or _kind(path, identity, words(sets or []).get("data.encoding")),
        identity=identity,
        id=id,
        sets=[f"train.backbone={model}", "train.tune=none", *shares, *(sets or [])],
        output=output,
        force=force,
    )
    project = Project.open(output)
    dataset = project.dataset()
    run = train_run(project, dataset)
    for note in run.training.notes:
        show.say(f"note: {note}")
    release = find_release(project, dataset, name) or build_release(project, dataset, name=name)
    is_first = project.store().pointer("stable") is None
    show_made(project, release, json=json, promotes=is_first)
    if is_first:
        _promote(project, release)


def _kind(path: Path, identity: str | None, encoding: str | None) -> str | None:
    """Texts, unless the file is one of pairs or the path a folder, which `init` looks at."""
    from gemel.data.proposals.given import pairs_of_records
    from gemel.data.sources import tables

    if not path.is_file():
        return None
    frame = tables.read(path, encoding=encoding).frame
    return None if identity is None and pairs_of_records(frame) else "text"


def _promote(project: Project, release: Release) -> None:
    """Make the release stable, by its gates."""
    from gemel.release import gates

    report, move = gates.promote(
        project.store(),
        release.id,
        actor=project.actor,
        reason="imported",
        enrolled=project.state.enrolled,
    )
    show_gates(report)
    note_move(project, move)
    show.say("next: gemel verify A B; gemel gallery enroll; gemel serve")
