"""`gemel gallery list` and `gemel gallery delete`: which records are there, and take some out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from gemel.cli import gallery as others
from gemel.cli import show
from gemel.cli.gallery import Where
from gemel.cli.options import AsJson, ConfigFile, DryRun, ReleaseName, Sets
from gemel.cli.project import Project
from gemel.cli.query import typed, why_nothing
from gemel.data.schema import as_text
from gemel.errors import InvalidInput, quoted
from gemel.figures import number_of

if TYPE_CHECKING:
    from gemel.gallery.local.gallery import LocalGallery

app = others.app


@app.command("list")
def list_(
    where: Where = None,
    attributes: Annotated[
        bool, typer.Option("--attributes", "-a", help="What each record has as well.")
    ] = False,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """List the records of the gallery by their ids, a line each; with --json an object a line."""
    project = Project.open(config, sets)
    live = project.release(release)
    only = typed(live, where or [], "--where")
    with project.gallery(live) as gallery:
        for record, values in gallery.listed(only):
            if json:
                said = {"id": record, **({"attributes": values} if attributes else {})}
                show.out(msgspec.json.encode(said).decode())
            elif attributes:
                words = ", ".join(f"{name} {as_text(value)}" for name, value in values.items())
                show.out(f"{record}  {words}")
            else:
                show.out(record)
        if not gallery.count(only):
            show.say(why_nothing(gallery, only))


@app.command()
def delete(
    ids: Annotated[list[str] | None, typer.Argument(help="Record ids.", show_default=False)] = None,
    where: Where = None,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
) -> None:
    """Take records out of every gallery, by their ids or by what they have.

    Ids that are not there are no error. With --where class=NAME a class goes.
    """
    from gemel.serve.service import Service

    if bool(ids) == bool(where):
        raise typer.BadParameter("ids, or --where NAME=VALUE: one of the two says which records")
    project = Project.open(config, sets)
    live = project.release(release)
    only = typed(live, where or [], "--where")
    with project.gallery(live, write=not dry_run, make=False) as gallery:
        asked = list(dict.fromkeys(ids or (record for record, _ in gallery.listed(only))))
        if not asked:
            show.say(why_nothing(gallery, only))
        elif dry_run:
            here = live.space_id[:12]
            show.say(f"would delete {number_of(len(asked), 'record')} from space {here}")
        else:
            with project.ledger() as ledger:
                reply = Service(live, gallery, ledger, caller=project.caller).delete(asked)
            show.say(f"deleted {reply.deleted} of {len(asked)}")
            for gallery_and_why in reply.undone or ():
                show.say(f"warning: not yet gone from gallery {gallery_and_why}")
            if reply.deleted < len(asked):
                _hint_classes(gallery, project.label_of(live), asked)


def _hint_classes(gallery: LocalGallery, label: str, asked: Sequence[str]) -> None:
    """Say how a class is taken out, where the name of one was given as an id."""
    try:
        known = {str(as_text(value)) for value in gallery.groups(label).values}
    except InvalidInput:  # no record has a class
        return
    for name in known.intersection(asked):
        show.say(
            f"hint: {quoted(name, 80)} is a {label}, not a record; to take out all that are of it: "
            f"gemel gallery delete --where {quoted(f'{label}={name}', 120)}"
        )
