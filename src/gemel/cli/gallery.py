"""`gemel gallery`: enroll records, search them, and look after them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli import outside, show
from gemel.cli.categories import note_unknown
from gemel.cli.decided import note_unfit
from gemel.cli.options import AsJson, ConfigFile, DryRun, IdColumn, ReleaseName, Sets
from gemel.cli.project import Project
from gemel.cli.query import parse_item, typed, why_nothing
from gemel.data.schema import as_text
from gemel.encode import modality
from gemel.errors import DuplicateRecord, GalleryError
from gemel.figures import number_of

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.encode.modality import Payload
    from gemel.release.release import Release
    from gemel.serve.service import Service

app = typer.Typer(no_args_is_help=True, help="The enrolled records that are searched.")

Query = Annotated[
    list[str],
    typer.Argument(help="NAME=VALUE words, a text, a file (image, sound, text) or a JSON object."),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="NAME=VALUE",
        help="Only such records; some record must have the attribute.",
    ),
]
CategoryOfQuery = Annotated[
    str | None, typer.Option(help="Of the query, where the release decides by category.")
]


@app.command()
def enroll(
    path: Annotated[
        Path | None, typer.Argument(help="Records; those of data.path if left out.")
    ] = None,
    id: IdColumn = None,
    label: Annotated[
        str | None,
        typer.Option(help="Column with the class; data.identity, or folder, if left out."),
    ] = None,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Let files, and rows without an id column, take the place of others."
        ),
    ] = False,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Embed records and put them into the gallery; running it again changes nothing.

    The class of a record becomes an attribute: named like the column of --label, else like
    data.identity for rows, and class for what is no row. A path in a folder and the number of a
    row stand for other records elsewhere, so these take the place of others only with --replace.
    """
    from gemel.ledger import changes
    from gemel.release.compare.beside_stable import named
    from gemel.serve.galleries.erasing import reach
    from gemel.serve.service import Service

    project = Project.open(config, sets)
    live = project.release(release)
    dataset = project.records_for(live, path, id=id, label=label, flag="--label")
    if path is not None and path.is_dir() and not dataset.has_identities:
        show.say(
            f"warning: {number_of(len(dataset), 'record')} without a class: a class is the folder "
            f"that a file is in; to name it, enroll the folder above: {path.absolute().parent}"
        )
    if dry_run:
        show.say(
            f"would enroll {number_of(len(dataset), 'record')} into space {live.space_id[:12]}"
        )
        return
    with project.gallery(live, write=True) as gallery, project.ledger() as ledger:
        gone, _ = changes.erased(ledger, None)
        again = ledger.masks.among(map(str, dataset.ids), gone) if gone else []
        service = Service(live, gallery, ledger, caller=project.caller)
        own = id if path is not None else project.config.data.id
        done = enroll_dataset(
            service,
            dataset,
            batch=project.config.gallery.batch,
            label=project.label_of(live, label),
            replace=replace or bool(own),
        )
        reach(gallery, ledger)  # what was deleted meanwhile from others
        count = gallery.count()
    done["records in the gallery"] = count
    if json:
        show.as_json(done)
    else:
        show.pairs(list(done.items()))
    if again:
        show.say(
            f"note: {number_of(len(again), 'record was', 'records were')} deleted before and "
            f"{'is' if len(again) == 1 else 'are'} enrolled again: {named(again)}; if that was not "
            "meant, take them out of the file, and here with: gemel gallery delete ID"
        )


@app.command()
def search(
    query: Query,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="Hits.")] = 5,
    where: Where = None,
    category: CategoryOfQuery = None,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """Find the records most like one, with the decision for each."""
    from gemel.serve.service import Service

    project = Project.open(config, sets)
    live = project.release(release)
    item = parse_item(live, query)
    note_unknown(category, live)
    with project.gallery(live) as gallery:
        only = typed(live, where or [], "--where")
        service = Service(live, gallery)
        reply = service.search(item, k, only, category)
        warn(service)
        outside.say_of_one(reply.outside)
        note_unfit(reply.unfit)
        if not reply.hits:
            show.say(why_nothing(gallery, only))
    found = [
        {**{name: getattr(hit, name) for name in OF_HIT}, **_beside(hit.attributes)}
        for hit in reply.hits
    ]
    if json:
        show.as_json(found)
    if json or not found:
        return
    head = [n for n in dict.fromkeys(n for hit in found for n in hit) if n not in IN_JSON]
    show.table(head, [[_shown(name, hit.get(name)) for name in head] for hit in found])


def warn(service: Service) -> None:
    """Say why thresholds should not be relied on, but for what was said of the release."""
    from gemel.release.words import unproven

    for warning in service.warnings():
        if warning != unproven.WARNING:  # said when the release was opened
            show.say(f"warning: {warning}")


IN_JSON = ("threshold", "probability", "probability_is")
OF_HIT = ("id", "score", "decision", *IN_JSON)
"""What a hit has of its own; an attribute that is called so is `score of the record`."""


def _beside(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What a record has, under names that a hit does not have."""
    return {f"{n} of the record" if n in OF_HIT else n: v for n, v in attributes.items()}


def _shown(name: str, value: Any) -> Any:
    """A value for a table: what a record says as it would be typed, no digit less."""
    return value if name in OF_HIT else as_text(value)


@app.command()
def stats(
    release: ReleaseName = None, config: ConfigFile = None, sets: Sets = None, json: AsJson = False
) -> None:
    """Show how large the gallery is and how it is searched."""
    project = Project.open(config, sets)
    with project.gallery(project.release(release)) as gallery:
        found = gallery.stats()
    if json:
        show.as_json(found)
    else:
        show.pairs([(k, v) for k, v in vars(found).items() if v is not None])


@app.command()
def check(
    release: ReleaseName = None, config: ConfigFile = None, sets: Sets = None, json: AsJson = False
) -> None:
    """Read every row, compare it with its digest, and with what the ledger accounts for.

    A gallery of an older version gets its digests, unless a service is writing to it.
    """
    from gemel.ledger.changes import Accounted
    from gemel.ledger.ledger import Ledger
    from gemel.release import audit

    project = Project.open(config, sets)
    live = project.release(release)
    with project.gallery_to_check(live) as gallery:
        found = gallery.check()
    facts = {"rows": len(found.digests) + found.n_without, "given a digest": found.n_sealed}
    facts["without a digest"] = found.n_without
    problems: tuple[str, ...] = ()
    if project.state.ledger_file.is_file():
        with Ledger.open(project.state.ledger_file, write=False) as ledger:
            said = Accounted(live.space_id, ledger.masks)
            said.take(ledger.each())
            audited = audit.rows(said, ledger.masks, found)
        problems, facts["older than the ledger"] = audited.problems, audited.n_before
    if json:
        show.as_json({**facts, "problems": problems})
    if problems:
        raise GalleryError(
            "; ".join(problems[:5]),
            where=str(project.state.gallery_folder(live.space_id)),
            hint="restore it from a copy, or take out and enroll again what is named",
        )
    if not json:
        show.pairs(list(facts.items()))
    show.say("every row is as it was written")


def enroll_dataset(
    service: Service, dataset: Dataset, *, batch: int, label: str, replace: bool = False
) -> dict[str, int]:
    """Embed and enroll records batch by batch; how many were added, updated, unchanged.

    Args:
        service: with the gallery, and the ledger that each batch is noted in.
        dataset: the records.
        batch: of them per transaction.
        label: attribute for the identity of a record, where it is known.
        replace: whether another content may take the place of what an id stands for.
    Raises:
        DuplicateRecord: it may not, and would; batches before it are enrolled.
    """
    from gemel.serve.wire.enrolled import NewRecord

    release, done = service.pick().release, {"added": 0, "updated": 0, "unchanged": 0}
    with show.progress("enrolling the gallery", "records") as tick:
        for start in range(0, len(dataset), batch):
            part = range(start, min(start + batch, len(dataset)))
            new = [
                NewRecord(
                    str(dataset.ids[i]), payload, _attributes(release, dataset, i, payload, label)
                )
                for i, payload in zip(part, dataset.payloads(part), strict=True)
            ]
            try:
                enrolled = service.enroll(new, replace=replace)
            except DuplicateRecord as e:
                hint = (
                    "an id is the path in the folder, or the number of the row where no column is "
                    "named: enroll a folder above both, name the column (--id), rename the files, "
                    "or say --replace to lose what is there"
                )
                raise DuplicateRecord(e.what, where=e.where, hint=hint) from e
            for name in done:
                done[name] += getattr(enrolled, name)
            tick(part.stop, len(dataset))
    return done


def _attributes(
    release: Release, dataset: Dataset, i: int, payload: Payload, label: str
) -> dict[str, Any]:
    """What its modality finds a record by; and identity and category where they are known."""
    prepare, identity = release.encoder.prepare, dataset.identity_of(i)
    values = modality.named(release.modality).attributes(prepare, payload)
    if dataset.category is not None:
        values[dataset.category.name] = dataset.category.of(i)
    return values if identity is None else {**values, label: identity}
