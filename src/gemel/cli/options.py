"""Options that many commands take, each said once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from gemel.config import FILE
from gemel.errors import ConfigError

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help=f"Settings; {FILE} of this folder if left out."),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Overrule a setting; may be repeated."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, change nothing.")]
IdColumn = Annotated[str | None, typer.Option("--id", help="Column with the record id.")]
ReleaseName = Annotated[
    str | None, typer.Option("--release", "-r", help="Release id or pointer; stable if left out.")
]
CategoryOfBoth = Annotated[
    str | None,
    typer.Option(help="Of both, where the release decides by it; records have their own."),
]


def words(sets: Sequence[str]) -> dict[str, str]:
    """`section.key` to value of SECTION.KEY=VALUE words.

    Raises:
        ConfigError: one is no such word.
    """
    found = {}
    for word in sets:
        key, separator, value = word.partition("=")
        if not separator:
            raise ConfigError(
                f"{word!r} is not SECTION.KEY=VALUE",
                where="--set",
                hint="for example --set train.seed=1",
            )
        found[key.strip()] = value
    return found
