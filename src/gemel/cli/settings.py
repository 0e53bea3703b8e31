"""`gemel config`: what is set, and where it was set."""

from __future__ import annotations

import typer

from gemel.cli import show
from gemel.cli.options import AsJson, ConfigFile, Sets
from gemel.cli.project import Project

app = typer.Typer(no_args_is_help=True, help="Settings and where they come from.")


@app.command("show")
def show_(config: ConfigFile = None, sets: Sets = None, json: AsJson = False) -> None:
    """Show each setting, its value and where it comes from."""
    items = Project.open(config, sets).config.items()
    if json:
        show.as_json({key: {"value": value, "origin": origin} for key, value, origin in items})
    else:
        show.table(["setting", "value", "from"], [[k, _text(v), o] for k, v, o in items])


def _text(value: object) -> str:
    return "" if value is None or value == () else str(value)
