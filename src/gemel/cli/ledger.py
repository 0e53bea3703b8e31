"""`gemel ledger`: whether the record of decisions and changes is as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gemel.cli import show
from gemel.cli.options import AsJson, ConfigFile, Sets
from gemel.cli.project import Project
from gemel.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="The record of decisions and changes.")

File = Annotated[
    Path | None, typer.Argument(help="A copy of a ledger; that of the project if left out.")
]


@app.command()
def verify(
    file: File = None,
    head: Annotated[
        list[str] | None,
        typer.Option(help="A head that was kept elsewhere, or a file of heads; may be repeated."),
    ] = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """Follow the hash chain, and hold heads and the moves of the pointers against it.

    Changes nothing, and needs no right to. Who can write the file can rewrite the chain: that
    shows against a head that was out of reach (--head, ledger.head_file).
    """
    from gemel.ledger import heads
    from gemel.ledger.ledger import Ledger
    from gemel.release import audit
    from gemel.release.store import FILE

    project = Project.open(config, sets)
    path = file or project.state.ledger_file
    known = [one for given in head or [] for one in heads.known(given)]
    if file is None and project.head_file is not None and project.head_file.is_file():
        known += heads.known(str(project.head_file))
    with Ledger.open(path, write=False) as ledger:
        report = ledger.verify(*known)
        is_ours = file is None and report.ok
        moves = audit.moves(ledger.each(), project.store().history()) if is_ours else None
    problems = () if moves is None else moves.problems
    if json:
        show.as_json({**vars(report), "problem": report.problem or "; ".join(problems) or None})
    if not report.ok:
        raise LedgerError(
            f"entry {report.seq}: {report.problem}",
            where=str(path),
            hint="nothing behind the entry before it can be relied on",
        )
    if problems:
        raise LedgerError(
            "; ".join(problems[:5]),
            where=str(project.state.folder / FILE),
            hint="compare with: gemel ledger list --kind release.point",
        )
    if not json:
        show.pairs([("entries", report.entries), ("head", heads.word(report.head))])
    show.say(
        f"the chain is whole{_beyond(report.head.seq, max((h.seq for h in known), default=0))}"
    )


@app.command()
def head(
    to: Annotated[
        Path | None, typer.Option(help="File to add it to, out of others' reach.")
    ] = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """Print the last entry as SEQ:HASH; kept elsewhere, it shows a rewritten or cut ledger."""
    from gemel.ledger import heads
    from gemel.ledger.ledger import Ledger

    project = Project.open(config, sets)
    with Ledger.open(project.state.ledger_file, write=False) as ledger:
        found = ledger.head()
    if to is not None:
        heads.keep(found, to)
    if json:
        show.as_json(found)
    else:
        show.out(heads.word(found))


@app.command("list")
def list_(
    kind: Annotated[
        str | None, typer.Option(help="Only entries of this kind, such as rollout, rollout.start.")
    ] = None,
    after: Annotated[
        int | None,
        typer.Option(min=0, help="The first entries behind this number; the newest if left out."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Entries at most.")] = 100,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """List the newest entries, the last one at the end."""
    with Project.open(config, sets).ledger() as ledger:
        entries = ledger.entries(after=after, kind=kind, limit=limit)
        if kind and not entries:
            entries = ledger.entries(after=after, kind=f"{kind}.", limit=limit)
    if json:
        show.as_json([{"seq": e.seq, "id": e.id, "kind": e.kind, "body": e.body} for e in entries])
    else:
        show.table(["seq", "kind", "id", "body"], [[e.seq, e.kind, e.id, e.text] for e in entries])


def _beyond(last: int, known: int) -> str:
    """What the heads that were given do not protect."""
    if known >= last:
        return ""
    if not known:
        return "; give --head to show that nobody rewrote it"
    return f"; entries {known + 1} to {last} stand behind the newest head that was given"
