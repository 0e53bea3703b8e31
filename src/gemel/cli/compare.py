"""`gemel compare`: two releases on the same eval records, as paired differences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli import files, show
from gemel.cli.options import AsJson, ConfigFile, Sets
from gemel.cli.project import Project
from gemel.errors import DataError, GemelError

if TYPE_CHECKING:
    from gemel.calibrate.rates.difference import Difference
    from gemel.data.records import Dataset
    from gemel.data.splits import Splits
    from gemel.release.compare.compare import Comparison
    from gemel.release.release import Release


def compare(
    before: Annotated[str, typer.Argument(help="Release id, unique start of one, or pointer.")],
    after: Annotated[str, typer.Argument(help="The one that is judged, likewise.")],
    margin: Annotated[
        float, typer.Option(min=0, max=1, help="How much worse counts as not worse.")
    ] = 0.01,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="An HTML file as well: both side by side."),
    ] = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """Compare two releases on the same eval records: paired differences, each with its interval."""
    from gemel.release.compare.compare import compare as compared
    from gemel.release.compare.compare import require_comparable

    project = Project.open(config, sets)
    one, two = project.release(before), project.release(after)
    require_comparable(one, two)
    if output is not None:
        files.check(output, ".html", project.reads)
    dataset = project.dataset()
    splits = splits_of(project, dataset, two)
    with show.progress("comparing", "steps") as tick:
        found = compared(
            one,
            two,
            dataset,
            splits,
            margin=margin,
            sampling=project.sampling(),
            progress=tick,
        )
    if json:
        show.as_json(found)
    else:
        render(found)
    if output is not None:
        from gemel.watch.beside import render as page

        files.write(output, page(found, one, two).encode())
        show.say(f"wrote {output}")


def splits_of(project: Project, dataset: Dataset, release: Release) -> Splits:
    """The split of the records whose eval is that of a release: of the settings, or of a run.

    Raises:
        DataError: there is none.
    """
    from gemel.release.run import Run

    stated = release.evidence.data
    if dataset.digest == stated.digest:
        splits = project.splits(dataset)
        if dataset.take(splits.eval).digest == stated.sides["eval"].digest:
            return splits
        for folder in sorted((project.state.runs).glob("*")):
            try:
                splits = Run.open(folder, dataset).splits
            except GemelError:
                continue  # of other records, or not finished
            if dataset.take(splits.eval).digest == stated.sides["eval"].digest:
                return splits
    raise DataError(
        f"the records of this project are not those that release {release.short_id} was "
        "measured on",
        where=dataset.source,
        hint="name them in [data], and their [split], as they were then",
    )


def render(found: Comparison) -> None:
    """Write a comparison to stdout: the verdict, a table of differences, what is decided anew."""
    from gemel.figures import number_of, percent
    from gemel.release.words.expected import where

    show.out(found.sentence)
    show.out("")
    head = ["measure", found.before.id[:12], found.after.id[:12], "difference", "interval", ""]
    show.table(head, [_row(d) for d in found.differences])
    show.out("")
    if not found.flips:
        show.out("at their thresholds both decide every comparison alike")
    rows: list[list[Any]] = []
    for flip in found.flips:
        kind = "genuine" if flip.genuine else "impostor"
        pairs = ", ".join(f"{e.left.id} - {e.right.id}" for e in flip.examples)
        rows.append([kind, f"{flip.before} -> {flip.after}", flip.n, pairs])
    if rows:
        show.table(["comparisons", "decided", "number", "such as"], rows)
    show.say(
        f"{number_of(found.n_identities, 'identity')}, {found.n_genuine:,} genuine and "
        f"{found.n_impostor:,} impostor comparisons of eval; {percent(found.confidence)} "
        f"intervals by identity, each on its own; {where(found.prior)}"
    )
    for note in found.notes:
        show.say(note)


def _row(d: Difference) -> list[str]:
    from gemel.figures import signed
    from gemel.release.compare.told import interval, name, sides

    seen = "" if d.seen == "no difference shown" else d.seen
    return [name(d), *sides(d), signed(d.value), interval(d), seen]
