"""`gemel verify`: whether two things are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from gemel.cli import outside, show
from gemel.cli.categories import note_unknown
from gemel.cli.decided import in_a_line, note_unfit
from gemel.cli.explain import Payload, items_of
from gemel.cli.options import AsJson, CategoryOfBoth, ConfigFile, ReleaseName, Sets
from gemel.cli.project import Project

View = Annotated[
    list[str] | None,
    typer.Option(help="Another view of the same thing; all must match; up to 7 more a side."),
]


def verify(
    left: Payload,
    right: Payload,
    also_left: View = None,
    also_right: View = None,
    category: CategoryOfBoth = None,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """Decide whether two records are the same, or two things of which there are several views."""
    from gemel.serve.service import Service

    project = Project.open(config, sets)
    live = project.release(release)
    sides = {"left": [left, *(also_left or [])], "right": [right, *(also_right or [])]}
    words = [(side, word) for side, views in sides.items() for word in views]
    found = items_of(project, live, words)
    n = len(sides["left"])
    note_unknown(category, live)
    own = (category or found[0][1], category or found[n][1])
    reply = Service(live).verify(_items(found[:n]), _items(found[n:]), own)
    outside.say_of_one(reply.outside)
    if json:
        show.as_json(reply)
        return
    note_unfit(reply.unfit)
    show.out(in_a_line(reply, live))


def _items(found: Sequence[tuple[Any, str | None]]) -> Any:
    """One item or several views, as a request has them."""
    items = [item for item, _ in found]
    return items if len(items) > 1 else items[0]
