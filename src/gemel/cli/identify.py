"""`gemel gallery identify`: who in the gallery a record is, or each record of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from gemel.cli import many, outside, show
from gemel.cli.categories import note_unknown
from gemel.cli.decided import note_unfit
from gemel.cli.gallery import CategoryOfQuery, Where, warn
from gemel.cli.options import AsJson, ConfigFile, IdColumn, ReleaseName, Sets
from gemel.cli.project import Project
from gemel.cli.query import parse_item, typed
from gemel.cli.records import app
from gemel.data.schema import as_text

if TYPE_CHECKING:
    from gemel.serve.wire.searches import IdentifyReply

__all__ = ["app", "identify"]

QueryOrFile = Annotated[
    list[str],
    typer.Argument(
        help="NAME=VALUE words, a text, a file (image, sound, text), a JSON object, or a file or "
        "folder of records."
    ),
]
UNLISTED = (
    *("attributes", "candidates", "not_compared", "warning", "probability_is", "prior"),
    *("outside", "unfit"),
)
"""Parts of a reply that are said apart."""


@app.command()
def identify(
    query: QueryOrFile,
    id: IdColumn = None,
    where: Where = None,
    category: CategoryOfQuery = None,
    label: Annotated[
        str | None,
        typer.Option(help="Attribute that says whose a record is; data.identity if left out."),
    ] = None,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """Say which record is the same as one, or that none is, or that several are as good."""
    from gemel.serve.service import Service
    from gemel.serve.verbs.identify import identify
    from gemel.serve.wire.searches import IdentifyBody

    project = Project.open(config, sets)
    live = project.release(release)
    path = many.file_in(live, query)
    item = parse_item(live, query) if path is None else None
    note_unknown(category, live)
    only = typed(live, where or [], "--where")
    with project.gallery(live) as gallery:
        service = Service(live, gallery, label=project.label_of(live))
        if path is None:
            found = [("", service.identify(item, only, category, label=label))]
        else:
            found = list(
                many.of_file(
                    service,
                    project,
                    (path, id),
                    identify,
                    lambda one, own: IdentifyBody(one, only, category or own, label),
                )
            )
        warn(service)
    if path is None:
        outside.say_of_one(found[0][1].outside)
        note_unfit(found[0][1].unfit)
    else:
        outside.say_of_many((record, reply.outside) for record, reply in found)
    if json and path is not None:
        show.as_json([{"id": i, **msgspec.to_builtins(reply)} for i, reply in found])
    elif json:
        show.as_json(found[0][1])
    elif path is not None:
        _show_many(found)
    else:
        _show(found[0][1])


def _show_many(found: list[tuple[str, IdentifyReply]]) -> None:
    """A line for each record of a file."""
    rows = []
    for id, reply in found:
        as_good = ", ".join(one.record for one in reply.candidates) or None
        rows.append([id, reply.outcome, reply.record, reply.score, reply.probability, as_good])
    show.filled_table(["record", "outcome", "same as", "score", "probability", "as good"], rows)
    many.say_outcomes(reply.outcome for _, reply in found)


def _show(reply: IdentifyReply) -> None:
    from gemel.release.words.expected import where as where_genuine

    shown = [
        (name, value)
        for name, value in msgspec.structs.asdict(reply).items()
        if value is not None and name not in UNLISTED
    ]
    if reply.probability is not None and reply.prior is not None:
        of = f"{reply.probability_is} for a pair, if {where_genuine(reply.prior)}"
        shown = [(n, f"{show.number(v)}, {of}" if n == "probability" else v) for n, v in shown]
    own = {name: as_text(value) for name, value in (reply.attributes or {}).items()}
    show.pairs([*shown, *own.items()])
    for one in reply.candidates:
        values = ", ".join(f"{name} {as_text(value)}" for name, value in one.attributes.items())
        show.out(f"as good: {one.record}  score {show.number(one.score)}  {values}")
    if reply.not_compared:
        show.say(
            f"warning: nothing given for {', '.join(reply.not_compared)}: thresholds were measured "
            "on records as full as those of the data"
        )
