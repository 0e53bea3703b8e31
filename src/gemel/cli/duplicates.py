"""`gemel duplicates`: which records are the same, in one file or between two."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from gemel.cli import files, outside, show
from gemel.cli.duplicates_words import in_words
from gemel.cli.options import AsJson, ConfigFile, DryRun, IdColumn, ReleaseName, Sets
from gemel.cli.project import Project
from gemel.figures import number_of

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.improve.result import Duplicates
    from gemel.release.release import Release

NEWEST = "newest:"
TABLES = ".parquet .csv"
PAGE = ".html"
ASK = "gemel label"


def duplicates(
    path: Annotated[
        Path | None, typer.Argument(help="Records; those of data.path if left out.")
    ] = None,
    other: Annotated[
        Path | None, typer.Argument(help="Other records; then only pairs across the two count.")
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="CSV or Parquet file: each record with its cluster; HTML: clusters to look at.",
        ),
    ] = Path("clusters.csv"),
    pairs: Annotated[
        Path | None, typer.Option(help="Parquet or CSV file: each match or pair for review.")
    ] = None,
    method: Annotated[str, typer.Option(help="average, complete, components, hdbscan.")] = (
        "average"
    ),
    canonical: Annotated[
        str, typer.Option(help="Record that stands for a cluster: complete, central, newest:FIELD.")
    ] = "complete",
    max_risk: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Cut clusters whose links are false with more probability."
        ),
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of genuine pairs among all pairs, if you know it; moves the threshold.",
        ),
    ] = None,
    one_to_one: Annotated[
        bool, typer.Option("--one-to-one", help="Two clean files: one partner each at most.")
    ] = False,
    engine: Annotated[
        str,
        typer.Option(help="exact, keys, hnsw, flat; auto: exact, keys above 5,000 rows."),
    ] = "auto",
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder of unfinished work; one below .gemel if left out."),
    ] = None,
    id: IdColumn = None,
    identity: Annotated[
        str | None, typer.Option(help="Column with the true identity, to measure the clusters.")
    ] = None,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Find records that are the same, in clusters; stopped, it goes on when run again."""
    from gemel.improve.comparison import name_of, planned
    from gemel.improve.duplicates import Clustering
    from gemel.improve.duplicates import duplicates as find
    from gemel.improve.records import Compared

    project = Project.open(config, sets)
    live = project.release(release)
    reads = [*project.reads, *(file for file in (path, other) if file is not None)]
    files.check_result(out, f"{TABLES} {PAGE}", reads)
    if pairs is not None:
        files.check_result(pairs, TABLES, [*reads, out], "--pairs")
    Clustering(method, canonical, max_risk)  # type: ignore[arg-type]  # refuses unknown ones
    field = canonical.removeprefix(NEWEST) if canonical.startswith(NEWEST) else None
    left = _records(project, live, path, id, identity, field)
    right = None if other is None else _records(project, live, other, id, identity, field)
    plan = planned(live, Compared.of(live, left, right), engine, prior)
    place = folder or project.state.folder / "duplicates" / name_of(plan)
    if dry_run:
        n = len(left) + (len(right) if right is not None else 0)
        show.say(f"would compare {number_of(n, 'record')} ({plan['engine']}), with work in {place}")
        return
    stopped = "gemel duplicates goes on where it was"
    with show.resumable(stopped), show.progress("looking for duplicates") as tick:
        found = find(
            live,
            left,
            right,
            method=method,  # type: ignore[arg-type]  # unknown ones are refused there
            canonical=canonical,
            max_risk=max_risk,
            prior=prior,
            links="one-to-one" if one_to_one else "many-to-many",
            engine=engine,
            folder=place,
            progress=lambda stage, done, total: tick(done, total, stage),
        )
    asks, says = ASK if path is None and other is None else "", says_of(live)
    found = found.with_columns(left, right)
    outside.say_of_many(outside.of_datasets(live, left, right))
    found.write(None if out.suffix.lower() == PAGE else out, pairs)
    if out.suffix.lower() == PAGE:
        files.write(out, page(found, left, right, asks=asks, says=says).encode())
    if json:
        show.as_json(found.summary)
    else:
        show.pairs(in_words(found.summary, left, right, asks=asks, says=says))
        show.say(f"wrote {out}" + (f" and {pairs}" if pairs else ""))


def says_of(live: Release) -> str:
    """What a release says of its own threshold; empty where nothing was measured or estimated."""
    from gemel.release.for_set import evidence_of
    from gemel.release.words.sentence import sentence

    evidence = evidence_of(live)
    return "" if evidence is None else sentence(evidence)


def page(
    found: Duplicates, left: Dataset, right: Dataset | None, *, asks: str = "", says: str = ""
) -> str:
    """The clusters as an HTML document, with pictures of records that have any."""
    from gemel.encode import modality
    from gemel.release.words.unproven import CHANCE, caution
    from gemel.watch.clusters import FALSE, render

    kind = modality.named(left.modality)
    sides = {"left": left} | ({} if right is None else {"right": right})
    place = {(side, id): i for side, one in sides.items() for i, id in enumerate(one.ids.tolist())}

    def picture(id: str, side: str) -> bytes | None:
        (payload,) = sides[side].payloads(np.array([place[side, id]]))
        return kind.thumbnail(payload)

    summary = found.summary
    rests, close = summary.false_links.basis, summary.by_closeness
    return render(
        found.clusters,
        in_words(summary, left, right, asks=asks, says=says),
        picture,
        caution=caution(rests, by_closeness=close) if summary.unproven else "",
        risk_is=CHANCE if close else FALSE,
    )


def _records(
    project: Project,
    release: Release,
    path: Path | None,
    id: str | None,
    identity: str | None,
    date: str | None,
) -> Dataset:
    """Records with the fields of a release, and a date if one is asked for."""
    from gemel.data import records
    from gemel.data.schema import Field

    fields = release.encoder.prepare.fields
    if date is None or date in {f.name for f in fields}:
        return project.records_for(release, path, id=id, label=identity)
    data, categories = project.config.data, release.policy.categories
    if path is None:
        path, id, identity = project.config.at(data.path), data.id, data.identity
    dataset = records.read(
        path,
        id=id,
        identity=identity,
        category=categories.column if categories else None,
        columns={date: data.columns.get(date, "date")},
        fields=(*fields, Field(date, "date")),
        max_bad_ratio=data.max_bad_ratio,
        sheet=project.sheet_of(path),
        encoding=data.encoding,
    )
    show.refused(dataset.bad, dataset.gaps)
    return dataset
