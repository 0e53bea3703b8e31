"""`gemel link`: which records of two files belong together, a row for each link."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli import files, outside, reading, show
from gemel.cli.duplicates import ASK, TABLES, says_of
from gemel.cli.duplicates_words import in_words
from gemel.cli.options import AsJson, ConfigFile, DryRun, IdColumn, ReleaseName, Sets
from gemel.cli.project import Project
from gemel.figures import number_of

if TYPE_CHECKING:
    import polars as pl

    from gemel.data.records import Dataset
    from gemel.improve.result import Duplicates

OF_CLUSTERS = (
    "below",
    "clusters",
    "redundant",
    "largest",
    "pairwise",
    "B-cubed",
    "exact clusters",
    "adjusted",
)


def link(
    left: Annotated[
        Path | None, typer.Argument(help="Records; those of data.path if both are left out.")
    ] = None,
    right: Annotated[
        Path | None, typer.Argument(help="Records to link them with; of other.path if left out.")
    ] = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="CSV or Parquet file: a row for each link, both records."),
    ] = Path("links.csv"),
    links: Annotated[
        str | None,
        typer.Option(help="one-to-one, one-to-many, many-to-one, many-to-many; else other.links."),
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of links among all pairs across, if you know it; moves the threshold.",
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(help="exact, keys, flat, hnsw; auto: exact up to 12 million pairs of rows."),
    ] = "auto",
    id: IdColumn = None,
    other_id: Annotated[
        str | None, typer.Option("--other-id", help="The same of the second file.")
    ] = None,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Find which records of two files belong together; stopped, it goes on when run again."""
    from gemel.improve.comparison import name_of, planned
    from gemel.improve.duplicates import duplicates as find
    from gemel.improve.records import Compared
    from gemel.improve.result import as_file
    from gemel.settings import EVERY

    flags = {"data.id": id, "other.id": other_id, "other.links": links}
    project = Project.open(config, sets, flags)
    paths = reading.paths_of_two(project.config, left, right)
    files.check_result(out, TABLES, [*project.reads, *paths])
    live = project.release(release)
    both = reading.read_two(project.config, live, paths)
    for one in both:
        show.refused(one.bad, one.gaps)
    place = (
        project.state.folder
        / "duplicates"
        / name_of(planned(live, Compared.of(live, *both), engine, prior))
    )
    if dry_run:
        n = f"{len(both[0]):,} with {number_of(len(both[1]), 'record')}"
        show.say(f"would compare {n}, with work in {place}")
        return
    with (
        show.resumable("gemel link goes on where it was"),
        show.progress("looking for links") as tick,
    ):
        found = find(
            live,
            *both,
            links=project.config.other.links,
            prior=prior,
            engine=engine,
            folder=place,
            progress=lambda stage, done, total: tick(done, total, stage),
        )
    outside.say_of_many(outside.of_datasets(live, *both))
    rows = side_by_side(found, both)
    files.write(out, as_file(rows, out))
    known = agreement(found, both)
    if json:
        show.as_json({"summary": found.summary, "known": known})
        return
    kind = project.config.other.links
    ask = ASK if kind == EVERY else f"{ASK} --links {kind}"
    asks, says = ask if left is None else "", says_of(live)
    said = in_words(found.summary, *both, asks=asks, says=says, links=kind)
    words = [row for row in said if not row[0].startswith(OF_CLUSTERS)]
    if kind == EVERY and (shared := n_contested(found)):
        hint = "if neither file holds anything twice: --links one-to-one"
        words.append(("matches that share a record with another", f"{shared:,}; {hint}"))
    if known is not None:
        words += [
            ("links among records of known identity", known["links"]),
            ("of these right (precision)", known["precision"]),
            ("of all there are found (recall)", known["recall"]),
        ]
    show.pairs([(name.replace("matches", "links"), value) for name, value in words])
    show.say(f"wrote {out}")


def side_by_side(found: Duplicates, both: tuple[Dataset, Dataset]) -> pl.DataFrame:
    """A row for each link and pair for review, best first, with all columns of both files."""
    import polars as pl

    from gemel.data.sources.linked import file_names

    names = file_names(both[0].source, both[1].source)
    rows = found.pairs.sort("score", descending=True, maintain_order=True)
    for side, name, one in zip(("left", "right"), names, both, strict=True):
        theirs = pl.DataFrame({side: one.ids.tolist()})
        if one.written is not None:
            renamed = {c: f"{name}.{c}" for c in one.written.columns}
            theirs = theirs.hstack(one.written.rename(renamed))
        rows = rows.join(theirs, on=side, how="left", maintain_order="left")
    return rows.rename({"left": f"{names[0]} id", "right": f"{names[1]} id"})


def n_contested(found: Duplicates) -> int:
    """Links of which one record has another link too."""
    import polars as pl

    links = found.pairs.filter(pl.col("outcome") == "match")
    return links.filter(pl.col("left").is_duplicated() | pl.col("right").is_duplicated()).height


def agreement(found: Duplicates, both: tuple[Dataset, Dataset]) -> dict[str, Any] | None:
    """How right the links are among records of known identity; None where none is known."""
    import polars as pl

    from gemel.data.identities import folded

    frames = []
    for side, one in zip(("left", "right"), both, strict=True):
        names = [None if n is None else folded(n) for n in map(one.identity_of, range(len(one)))]
        frame = pl.DataFrame({side: one.ids.tolist(), "identity": names})
        frames.append(frame.drop_nulls("identity"))
    left, right = frames
    if not len(left) or not len(right):
        return None
    n_there = left.join(right, on="identity").height
    links = found.pairs.filter(pl.col("outcome") == "match").select("left", "right")
    links = links.join(left, on="left").join(right, on="right", suffix="_right")
    n_right = int((links["identity"] == links["identity_right"]).sum())
    return {
        "links": links.height,
        "right": n_right,
        "there": n_there,
        "precision": n_right / max(1, links.height),
        "recall": n_right / max(1, n_there),
    }
