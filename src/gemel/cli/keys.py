"""`gemel keys`: who may ask the service, in which role, until when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gemel.cli import show
from gemel.cli.options import AsJson, ConfigFile, Sets
from gemel.cli.project import Project

if TYPE_CHECKING:
    from gemel.serve.access.keys import Key

app = typer.Typer(no_args_is_help=True, help="Who may ask the service.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Of a person or program; stands in the ledger.")],
    role: Annotated[
        str, typer.Option(help="reader, enroller, reviewer, operator or admin.")
    ] = "reader",
    days: Annotated[int, typer.Option(min=1, max=3650, help="In which it can be used.")] = 365,
    per_second: Annotated[
        int, typer.Option(min=0, help="Requests a second, at most; 0 for any.")
    ] = 0,
    per_day: Annotated[
        int, typer.Option(min=0, help="Requests a day (UTC), at most; 0 for any.")
    ] = 0,
    max_records: Annotated[
        int, typer.Option(min=0, help="Records that it may fill the gallery to; 0 for any.")
    ] = 0,
    tenant: Annotated[
        str, typer.Option(help="Whose records it sees; none: those of the service itself.")
    ] = "",
    config: ConfigFile = None,
    sets: Sets = None,
) -> None:
    """Make a key and print it, once: from now on the service asks everybody for one."""
    from gemel.serve.access import keys
    from gemel.serve.context import ROLES

    known = next((known for known in ROLES if known == role), None)
    if known is None:
        raise typer.BadParameter(f"--role {role}: one of {', '.join(ROLES)}")
    project = Project.open(config, sets)
    limits = keys.Limits(
        per_second=per_second, tenant=tenant, per_day=per_day, max_records=max_records
    )
    kept, key = keys.add(
        project.state.keys_file, name, known, days=days, now=datetime.now(UTC), limits=limits
    )
    _note(project, "key.add", kept)
    _tell(kept, key)


@app.command()
def rotate(
    key: Annotated[str, typer.Argument(help="Id of a key, or the name that one has.")],
    days: Annotated[
        int | None,
        typer.Option(min=1, max=3650, help="In which the new one can be used; as the other one."),
    ] = None,
    config: ConfigFile = None,
    sets: Sets = None,
) -> None:
    """Make a key with the name, role, tenant and limits of another, which stays until revoked.

    Until then both have one quota.
    """
    from gemel.serve.access import keys

    project = Project.open(config, sets)
    kept, new, old = keys.rotate(project.state.keys_file, key, days=days, now=datetime.now(UTC))
    _note(project, "key.add", kept)
    _tell(kept, new)
    show.say(f"once nobody sends the old one: gemel keys revoke {old.id}")


@app.command("list")
def list_(config: ConfigFile = None, sets: Sets = None, json: AsJson = False) -> None:
    """Show the keys: whose they are, what they may do, until when."""
    from gemel.serve.access import keys

    file, now = Project.open(config, sets).state.keys_file, datetime.now(UTC)
    found = keys.read(file) if file.exists() else ()
    if json:
        show.as_json(
            [
                {
                    "id": k.id,
                    "name": k.name,
                    "role": k.role,
                    "state": k.state(now),
                    "created": k.created,
                    "expires": k.expires,
                    "per_second": k.per_second,
                    "tenant": k.tenant,
                    "per_day": k.per_day,
                    "max_records": k.max_records,
                }
                for k in found
            ]
        )
    elif not found:
        show.say("no keys: the service answers this machine only, and asks nobody who they are")
    else:
        show.table(
            ["id", "name", "tenant", "role", "state", "expires", "a second", "a day", "records"],
            [
                [
                    *(k.id, k.name, k.tenant or "-", k.role, k.state(now), k.expires[:10]),
                    *(n or "any" for n in (k.per_second, k.per_day, k.max_records)),
                ]
                for k in found
            ],
        )


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Id of a key, or the name that one has.")],
    config: ConfigFile = None,
    sets: Sets = None,
) -> None:
    """Make a key useless; a service that runs knows it within a second."""
    from gemel.serve.access import keys

    project = Project.open(config, sets)
    gone = keys.revoke(project.state.keys_file, key, now=datetime.now(UTC))
    _note(project, "key.revoke", gone)
    show.say(f"revoked the key {gone.id} of {gone.name}")


def _tell(kept: Key, key: str) -> None:
    show.out(key)
    whose = f" of tenant {kept.tenant}" if kept.tenant else ""
    show.say(
        f"a {kept.role}{whose} until {kept.expires[:10]}; the key is shown this once. "
        "Clients send it as\nAuthorization: Bearer KEY"
    )


def _note(project: Project, kind: str, key: Key) -> None:
    from gemel.ledger.bodies import Keyed

    project.note(kind, Keyed(id=key.id, name=key.name, role=key.role, expires=key.expires))
