"""`gemel mcp`: the live release as tools for an assistant."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from gemel.cli.options import ConfigFile, ReleaseName, Sets
from gemel.cli.project import Project
from gemel.errors import GalleryError


def mcp(
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="Let it enroll and delete records.")
    ] = False,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
) -> None:
    """Answer an assistant over stdin and stdout (Model Context Protocol); reads only."""
    from functools import partial

    import anyio

    from gemel.serve.assistant import assistant
    from gemel.serve.service import Service
    from gemel.serve.stdio import serve
    from gemel.telemetry import log_to

    project = Project.open(config, sets)
    live = project.release(release)
    with ExitStack() as opened:
        gallery = None
        try:
            gallery = opened.enter_context(project.gallery(live, write=allow_changes))
        except GalleryError:
            if allow_changes:
                raise
        ledger = opened.enter_context(project.ledger()) if allow_changes else None
        label = project.label_of(live)
        service = Service(live, gallery, ledger, caller=project.caller, label=label)
        server = assistant(service, log_to(), changes=allow_changes)
        anyio.run(partial(serve, server, project.config.serve.max_body_bytes))
