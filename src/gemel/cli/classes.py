"""`gemel gallery classify` and `gemel gallery classes`: which class, or none of those enrolled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from gemel.cli import many, outside, show
from gemel.cli.decided import note_unfit
from gemel.cli.gallery import Where
from gemel.cli.identify import app
from gemel.cli.options import AsJson, ConfigFile, IdColumn, ReleaseName, Sets
from gemel.cli.project import Project
from gemel.cli.query import parse_item, typed
from gemel.data.schema import as_text

if TYPE_CHECKING:
    from gemel.serve.wire.searches import ClassifyReply

OR = "or as likely"
MOST = 3
"""Other classes that are named."""

Label = Annotated[
    str | None,
    typer.Option(help="Attribute with the class; data.identity, or class, if left out."),
]


@app.command()
def classify(
    query: Annotated[
        list[str],
        typer.Argument(
            help="NAME=VALUE words, one JSON object, an image, or a file or folder of records."
        ),
    ],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="Classes of each item.")] = 5,
    label: Label = None,
    id: IdColumn = None,
    where: Where = None,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """Find the class of items among those enrolled, or that it is unknown."""
    from gemel.serve.service import Service
    from gemel.serve.verbs.classify import classify
    from gemel.serve.wire.searches import ClassifyBody

    project = Project.open(config, sets)
    live = project.release(release)
    named, only = project.label_of(live, label), typed(live, where or [], "--where")
    path = many.file_in(live, query)
    with project.gallery(live) as gallery:
        service = Service(live, gallery)
        if path is not None:
            found = list(
                many.of_file(
                    service,
                    project,
                    (path, id),
                    classify,
                    lambda item, _: ClassifyBody(item, k, named, only),
                )
            )
        else:
            reply = service.classify(parse_item(live, query), k, label=named, where=only)
            found = [("", reply)]
    if found and found[0][1].warning:
        show.say(f"warning: {found[0][1].warning}")
    if path is not None:
        outside.say_of_many((record, reply.outside) for record, reply in found)
    else:
        outside.say_of_one(found[0][1].outside)
        note_unfit(found[0][1].unfit)
    if json:
        shown = [{"id": i, **msgspec.to_builtins(reply)} for i, reply in found]
        show.as_json(shown[0] if path is None else shown)
    elif path is not None:
        _show_many(found)
    else:
        _show(found[0][1])


@app.command()
def classes(
    label: Label = None,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """List the classes of the gallery with their number of supports."""
    from gemel.serve.service import Service

    project = Project.open(config, sets)
    live = project.release(release)
    with project.gallery(live) as gallery:
        found = Service(live, gallery).classes(project.label_of(live, label))
    if json:
        show.as_json(found)
    else:
        show.table(["class", "supports"], [[c.label, c.supports] for c in found.classes])


def _show(reply: ClassifyReply) -> None:
    facts = [("outcome", reply.outcome), ("class", reply.label), (OR, _others(reply))]
    facts += [("anomaly", reply.anomaly), ("method", reply.method)]
    show.pairs([(k, v) for k, v in facts if v is not None])
    show.out("")
    head = ["class", "probability", "p_value", "score", "at least", "supports", "nearest support"]
    rows = [
        [c.label, c.probability, c.p_value, c.score, c.least, c.supports, c.support_id]
        for c in reply.classes
    ]
    show.filled_table(head, rows)
    _say_without_policy(reply)


def _show_many(found: list[tuple[str, ClassifyReply]]) -> None:
    rows = []
    for record, reply in found:
        top = reply.classes[0]
        facts = [top.probability, top.p_value, reply.anomaly]
        rows.append([record, reply.outcome, top.label, _others(reply), *facts])
    head = ["record", "outcome", "best class", OR, "probability", "p_value", "anomaly"]
    show.filled_table(head, rows)
    many.say_outcomes(reply.outcome for _, reply in found)
    if open_ := sum(bool(reply.as_likely) for _, reply in found):
        show.say(f"for {open_:,} another class is more than a third as likely")
    _say_without_policy(found[0][1])


def _others(reply: ClassifyReply) -> str | None:
    """Other classes that are about as likely, the first of them by name; None if there are none."""
    others = [str(as_text(label)) for label in reply.as_likely or ()]
    return ", ".join([*others[:MOST], *["..."] * (len(others) > MOST)]) or None


def _say_without_policy(reply: ClassifyReply) -> None:
    if reply.alpha is None:
        show.say(
            "no probabilities: the release has no policy of classes (gemel report says why); "
            "the threshold of its searches decides"
        )
