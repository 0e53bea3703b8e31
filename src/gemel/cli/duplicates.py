"""`gemel duplicates`: which records are the same, in one file or between two."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from gemel.cli import files, show
from gemel.cli.options import AsJson, ConfigFile, DryRun, IdColumn, ReleaseName, Sets
from gemel.cli.project import Project
from gemel.figures import number_of, percent, plain, rounded_down
from gemel.release.words.expected import HALF, LIKELY, about

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.improve.result import Duplicates, Summary
    from gemel.release.release import Release

NEWEST = "newest:"
TABLES = ".parquet .csv"
PAGE = ".html"
OPEN = "not known: these data tell too little of so many pairs"
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
    place = folder or project.state / "duplicates" / name_of(plan)
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


def in_words(
    summary: Summary,
    *compared: Dataset | None,
    asks: str = "",
    says: str = "",
    links: str = "one-to-one",
) -> list[tuple[str, Any]]:
    """The summary as names and values for a person, with how many records were not compared.

    Args:
        summary: of the job.
        compared: the records, which say how many were refused.
        asks: the command that asks people about these very matches, where there is one.
        says: what the release says of its own threshold.
        links: between two files, which may be.
    """
    refused = sum(one.n_bad for one in compared if one is not None)
    unproven = summary.unproven
    rows: list[tuple[str, Any]] = [
        ("records", summary.n_records),
        ("records refused, in no cluster", refused or None),
        ("pairs", summary.n_pairs),
        ("matches", summary.n_matches),
        ("these are", "estimated, not measured: the release is unproven" if unproven else None),
        ("for review", summary.n_review),
        (f"left out to link {links}", summary.n_given_up or None),
        _share(summary),
        ("threshold", _threshold(summary)),
        ("of its own the release says", None if _is_own(summary) else says or None),
        ("clusters of two or more", summary.n_clusters),
        ("redundant records", summary.n_redundant),
        ("largest cluster", summary.largest),
        ("least sure match", _least_sure(summary)),
        _expected(summary),
        *_bound(summary, asks),
    ]
    if summary.candidate_recall is not None:
        recall = summary.candidate_recall
        rows.append(
            (
                "candidate recall",
                f"{percent(recall.value, 4)} of {number_of(recall.n_pairs, 'pair')}",
            )
        )
    if summary.reach is not None:
        reach = summary.reach
        rows.append(("proposed by shared keys", number_of(reach.n_candidates, "pair")))
        share = f"{percent(reach.value, 4)} (at least {percent(reach.low, 3)})"
        rows.append(("proposals reach", f"{share} of {reach.n_pairs:,} {reach.basis}"))
    if summary.n_full:
        rows.append(("records with more partners than kept", summary.n_full))
    if summary.agreement is not None:
        for name, quality in (
            ("pairwise", summary.agreement.pairwise),
            ("B-cubed", summary.agreement.b_cubed),
            ("exact clusters", summary.agreement.exact),
        ):
            three = f"{quality.precision:.4f}  {quality.recall:.4f}  {quality.f1:.4f}"
            rows.append((f"{name}: precision, recall, F1", three))
        rows.append(("adjusted Rand index", summary.agreement.adjusted_rand))
    return [(name, value) for name, value in rows if value is not None]


def _share(summary: Summary) -> tuple[str, str]:
    """How rare genuine pairs are here, beside the data that the release was chosen on."""
    if summary.by_closeness:
        return "share of close pairs", f"{summary.prior:.2g}, closer than strangers come by chance"
    here, there = f"{summary.prior:.2g}", f"{summary.release_prior:.2g}"
    said = f"{here}, {'as' if here == there else f'and {there}'} where the release was calibrated"
    proven = summary.false_links.promise
    if summary.most_sure is not None and summary.most_sure < LIKELY and not proven:
        least = f"{rounded_down(summary.most_sure, 2):.2g}: too few comparisons to show more"
        said += f"; so the best matches have a probability of at least {least}"
    return "share of genuine pairs", said


def _expected(summary: Summary) -> tuple[str, str | None]:
    """The false matches of this job, as the share of right ones that a promise speaks of too."""
    false, n = summary.false_links.expected, summary.n_matches
    name = "close by chance, expected" if summary.by_closeness else "false matches, expected"
    if false is None or not n:
        return name, None
    few = about(1 - false / n, 100)
    if summary.by_closeness:
        return name, (
            f"{_count(false)} of {n:,}; how many more only look, sound or read alike is not known: "
            "look at the pairs, the lowest scores first"
        )
    return name, f"{_count(false)} of {n:,}, so of 100 matches {few} are right here"


def _count(expected: float) -> str:
    """So many as are expected.

    Example:
        >>> _count(8812.4), _count(0.31), _count(2.8e-10)
        ('8,800', '0.31', 'hardly any')
    """
    return plain(expected, 2) if expected >= 0.1 or not expected else "hardly any"


def _bound(summary: Summary, asks: str) -> list[tuple[str, str | None]]:
    """How many matches are false at most, and what that rests on; where it says nothing, so.

    A bound of half of the matches or more tells nobody anything.
    """
    false, n, name = summary.false_links, summary.n_matches, "false matches, at most"
    if false.at_most is None:
        return [("which rests on", false.basis)]
    if false.at_most > HALF * n:
        tells = f"; {asks} asks about some, drawn at random, and tells" if asks else ""
        return [(name, f"{OPEN}{tells}" if n else None)]
    own, basis = summary.release_threshold, false.basis
    if not _is_own(summary):
        basis += f"; counted at the threshold {own:.4g} of the release, where more pairs match"
    return [(name, f"{math.floor(false.at_most):,} of {n:,}"), ("which rests on", basis)]


def _least_sure(summary: Summary) -> str | None:
    """Why a pair that is more probably none may be a match; None where there is no such pair.

    Nor where more is proven of the matches than their probabilities say.
    """
    if summary.least_sure is None or summary.least_sure >= HALF or summary.false_links.promise:
        return None
    surely = rounded_down(summary.least_sure, 2)
    return (
        f"probability {surely:.2g}: the goal sets the threshold, not one half (the "
        "best F1 minds missed pairs too, a precision is of all matches together), and a "
        "probability is the lower the fewer comparisons told of it"
    )


def _is_own(summary: Summary) -> bool:
    """Whether the threshold that decides here is that of the release."""
    return f"{summary.threshold:.4g}" == f"{summary.release_threshold:.4g}"


def _threshold(summary: Summary) -> str:
    """What decides here, and why it is not what the release says."""
    if _is_own(summary):
        return f"{summary.threshold:.4g}, as the release says"
    here, there = f"{summary.prior:.2g}", f"{summary.release_prior:.2g}"
    at, of = "by the scores of these records", "here"
    if here != there:
        at, of = "at this share", "at this share"
    return (
        f"{summary.threshold:.4g} for this set: the same goal {at}; "
        f"{summary.release_threshold:.4g} in the release; nothing is proven {of}"
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
    )
    show.refused(dataset.bad, dataset.gaps)
    return dataset
