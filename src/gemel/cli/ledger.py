"""`gemel ledger`: whether the record of decisions is as it was written."""

from __future__ import annotations

from typing import Annotated

import typer

from gemel.cli import show
from gemel.cli.project import AsJson, ConfigFile, Project, Sets
from gemel.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="The record of decisions and changes.")


@app.command()
def verify(config: ConfigFile = None, sets: Sets = None, json: AsJson = False) -> None:
    """Follow the hash chain from the first entry to the last."""
    project = Project.open(config, sets)
    with project.ledger() as ledger:
        report = ledger.verify()
    if json:
        show.as_json(report)
    if not report.ok:
        raise LedgerError(
            f"entry {report.seq}: {report.problem}",
            where=str(project.ledger_file),
            hint="nothing behind the entry before it can be relied on",
        )
    if not json:
        show.pairs([("entries", report.entries), ("head", report.head.hash)])
    show.say("the chain is whole")


@app.command("list")
def list_(
    kind: Annotated[str | None, typer.Option(help="Only entries of this kind.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only entries behind this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="Entries at most.")] = 100,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """List entries in order."""
    with Project.open(config, sets).ledger() as ledger:
        entries = ledger.entries(after=after, kind=kind, limit=limit)
    if json:
        show.as_json([{"seq": e.seq, "id": e.id, "kind": e.kind, "body": e.body} for e in entries])
    else:
        show.table(["seq", "kind", "id", "body"], [[e.seq, e.kind, e.id, e.text] for e in entries])
