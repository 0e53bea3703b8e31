"""`gemel shrink`: from a release to the cheapest one that keeps its quality."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli import show
from gemel.cli.compare import splits_of
from gemel.cli.options import AsJson, ConfigFile, DryRun, Sets
from gemel.cli.project import Project
from gemel.cli.train import check_installed

if TYPE_CHECKING:
    from gemel.release.evidence.shrunk import Cost, Shrunk
    from gemel.release.release import Release
    from gemel.train.shrink.shrink import Shrinking


def shrink(
    release: Annotated[
        str | None, typer.Argument(help="Release id or pointer; stable if left out.")
    ] = None,
    keep_recall: Annotated[
        float,
        typer.Option(
            min=0.5,
            max=1,
            help="Least share to keep of its recall, or of what its goal is judged by.",
        ),
    ] = 0.99,
    take: Annotated[
        str, typer.Option(metavar="CANDIDATE", help="This one, whatever it keeps.")
    ] = "",
    student: Annotated[
        bool,
        typer.Option("--student", help="Train a narrower network on its embeddings as well."),
    ] = False,
    name: Annotated[str, typer.Option(help="A name for people.")] = "",
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Make a release smaller: fewer dimensions, 8 bits, with thresholds of its own.

    Every candidate is calibrated for the same goals and measured on eval, beside the release; the
    cheapest that keeps enough for sure is put on the shelf. Its space is a new one: what is
    enrolled has to be encoded again.
    """
    check_installed()
    from gemel.train.shrink.shrink import require_shrinkable
    from gemel.train.shrink.shrink import shrink as shrunk

    project = Project.open(config, sets)
    parent = project.release(release)
    require_shrinkable(parent)
    dataset = project.dataset()
    splits = splits_of(project, dataset, parent)
    with show.progress("shrinking", "steps") as tick, tempfile.TemporaryDirectory() as draft:
        found = shrunk(
            parent,
            dataset,
            splits,
            keep=keep_recall,
            take=take,
            student=student,
            into=Path(draft),
            name=name,
            kept=project.state.runs / f"shrinking-{parent.id[:12]}",
            progress=tick,
        )
        made = None if dry_run else _keep(project, found)
    if json:
        show.as_json({"shrunk": found.shrunk, "release": made.manifest if made else None})
    else:
        render(found.shrunk)
    if not found.shrunk.chosen:
        of = found.shrunk.measure
        show.say(f"--keep-recall says how much of {of} is enough; --take makes a candidate anyway")
        raise typer.Exit(3)
    if made is not None:
        show.say(f"next: gemel compare {parent.short_id} {made.short_id}")
        show.say(f"then: gemel release promote {made.short_id}, once its gallery is enrolled")


def _keep(project: Project, found: Shrinking) -> Release | None:
    """Put the release on the shelf, and its run where runs are."""
    if found.release is None or found.run is None:
        return None
    folder = project.state.smaller_run(found.release.space_id)
    if not folder.exists():
        shutil.copytree(found.run.folder, folder)
    return project.store().put(found.release.folder)


def render(found: Shrunk) -> None:
    """Write what was tried as a table, the cheapest first, and what came of it."""
    from gemel.figures import signed
    from gemel.release.compare.told import interval, sides
    from gemel.release.words.shrunk import sentence

    head = ["candidate", "cost", "encoder, kB", "vector, bytes", "median, ms", "P99, ms"]
    head += [found.measure, "difference", "interval", "keeps"]
    rows: list[list[Any]] = [["as it is", "100 %", *_of(found.before), "", "", "", ""]]
    for tried in found.tried:
        d = tried.quality
        said = [tried.reason or "refused", "", "", ""]
        if d is not None:
            rows[0][-4], after = sides(d)
            said = [after, signed(d.value), interval(d), "yes" if tried.kept else "no"]
        rows.append([tried.name, f"{tried.share:.0%}", *_of(tried.cost), *said])
    show.table(head, rows)
    show.say(sentence(found))


def _of(cost: Cost) -> list[str]:
    kilobytes = cost.encoder_bytes / 1000
    times = [f"{ms:.2f}" for ms in (cost.p50_ms, cost.p99_ms)]
    return [f"{kilobytes:,.0f}", f"{cost.vector_bytes:,}", *times]
