"""`gemel release` and `gemel report`: the shelf, its pointers, and what a release is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemel.cli import files, show
from gemel.cli.calibrated import enroll, then
from gemel.cli.categories import show_categories
from gemel.cli.options import AsJson, ConfigFile, DryRun, Sets
from gemel.cli.project import Project
from gemel.cli.release_words import summary
from gemel.figures import number_of

if TYPE_CHECKING:
    from gemel.release.gates import GateReport
    from gemel.release.moves import Move
    from gemel.release.release import Release

app = typer.Typer(no_args_is_help=True, help="Releases and the pointers that make one live.")

Name = Annotated[str, typer.Argument(help="Release id, unique start of one, or pointer.")]
Maybe = Annotated[str | None, typer.Argument(help="Release id or pointer; stable if left out.")]
POINTERS = "stable, which is served, or canary or shadow, which only keep a release."
Pointer = Annotated[str, typer.Option("--pointer", "-p", help=POINTERS)]
Reason = Annotated[str, typer.Option(help="Why, for the history.")]


@app.command("list")
def list_(config: ConfigFile = None, sets: Sets = None, json: AsJson = False) -> None:
    """List the releases on the shelf, oldest first, and where the pointers stand."""
    from gemel.release.words.unproven import MARK

    store = Project.open(config, sets).store()
    at = store.pointers()
    found = [(m, [name for name, i in at.items() if i == m.id]) for m in store.list()]
    if json:
        show.as_json([{"manifest": m, "pointers": names} for m, names in found])
        return
    head = ["release", "space", "parent", "created", "name", "pointers", "evidence"]
    show.filled_table(
        head,
        [
            [
                m.id[:12],
                m.space_id[:12],
                (m.parent or "")[:12],
                m.created,
                m.name,
                " ".join(names),
                MARK if m.unproven else None,
            ]
            for m, names in found
        ],
    )
    if not found:
        show.say("no release yet; make one with: gemel train, then gemel calibrate")


@app.command()
def add(
    folder: Annotated[Path, typer.Argument(help="Folder of a release, as .gemel/releases/ID is.")],
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
) -> None:
    """Put a release that was built elsewhere on the shelf: checked, whole or not at all; its id."""
    from gemel.release.release import Release

    project = Project.open(config, sets)
    store, found = project.store(), Release.open(folder)
    with show.progress("checking", "probes"):
        found.check_parity()
    here = found.short_id
    if found.id in store.shelf.ids():
        store.shelf.open(found.id)  # else half of one, copied there by hand, would pass for it
        show.say(f"{here} is on the shelf already")
    elif dry_run:
        show.say(f"would put {here} on the shelf")
    else:
        store.put(folder)
        steps = [enroll(project, found), *then(project, found)]
        show.say(f"next: {'; '.join(dict.fromkeys(steps))}")
    show.out(found.id)


@app.command("show")
def show_(
    name: Maybe = None, config: ConfigFile = None, sets: Sets = None, json: AsJson = False
) -> None:
    """Show what a release is, how it decides and what was measured."""
    release = Project.open(config, sets).release(name)
    facts = {"manifest": release.manifest, "policy": release.policy, "evidence": release.evidence}
    if json:
        show.as_json(facts)
    else:
        fields = release.encoder.prepare.fields
        words = ", ".join(f"{field.name} ({field.called})" for field in fields)
        show.pairs([*summary(release), *([("fields", words)] if words else [])])
        show_categories(release.evidence.categories)


@app.command()
def promote(
    name: Name,
    pointer: Pointer = "stable",
    reason: Reason = "",
    force: Annotated[bool, typer.Option("--force", help="Although gates fail; say why.")] = False,
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
) -> None:
    """Check a release against the gates and point at it; exit 3 if a gate fails."""
    from gemel.release import gates

    if force and not reason.strip():
        raise typer.BadParameter("--force needs a --reason, for those who read the history")
    project = Project.open(config, sets)
    store = project.store()
    if dry_run:
        stable = store.pointer("stable")
        live = store.get(stable) if stable else None
        report = gates.run(store.get(name), live, enrolled=project.state.enrolled)
        show_gates(report, failed=False)  # the error says what failed
        report.check()
        show.say(f"would point {pointer} at {report.release_id[:12]}")
        return
    report, move = gates.promote(
        store,
        name,
        actor=project.actor,
        reason=reason,
        pointer=pointer,
        force=force,
        enrolled=project.state.enrolled,
    )
    show_gates(report)
    note_move(project, move)


@app.command()
def rollback(
    pointer: Pointer = "stable",
    reason: Reason = "rolled back",
    force: Annotated[bool, typer.Option("--force", help="Although records are missing.")] = False,
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
) -> None:
    """Point at the release that was live before; exit 3 if its gallery lacks records."""
    from gemel.release import gates

    project = Project.open(config, sets)
    store = project.store()
    live = store.resolve(pointer)
    if dry_run:
        report = gates.before_rollback(store, pointer=pointer, enrolled=project.state.enrolled)
        show_gates(report, failed=force)
        if not force:
            gates.check_rollback(report)
        show.say(f"would take {pointer} back from {live[:12]}")
        return
    report, move = gates.rollback(
        store,
        actor=project.actor,
        reason=reason,
        pointer=pointer,
        force=force,
        enrolled=project.state.enrolled,
    )
    show_gates(report)
    note_move(project, move)


@app.command()
def remove(
    names: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Release ids, or unique starts of them.")
    ],
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
) -> None:
    """Take releases off the shelf that nothing needs: all of them or, if one is needed, none.

    Needed is what a pointer names, what a rollback would go to, what a rollout compares, and the
    last release of a space with records in its gallery. The ledger keeps what was decided.
    """
    from gemel.serve.removal import remove_releases

    project = Project.open(config, sets)
    gone = remove_releases(
        project.store(),
        names,
        actor=project.actor,
        enrolled=project.state.enrolled,
        dry_run=dry_run,
    )
    if not dry_run:
        project.keep_head()
    words = "would remove" if dry_run else "removed"
    show.say(f"{words} {number_of(len(gone), 'release')}: {', '.join(i[:12] for i in gone)}")


@app.command()
def verify(
    name: Maybe = None, config: ConfigFile = None, sets: Sets = None, json: AsJson = False
) -> None:
    """Hash every file of a release and encode its golden probes again."""
    release = Project.open(config, sets).release(name)
    with show.progress("verifying", "probes"):
        parity = release.check_parity()
    facts = {"release": release.id, "files": len(release.manifest.files), "parity": parity}
    if json:
        show.as_json(facts)
    else:
        show.pairs([(k, v) for k, v in facts.items() if k != "parity"])
    show.say("every file is as it was, and the encoder gives what it gave")


@app.command()
def history(
    pointer: Annotated[str | None, typer.Argument(help=POINTERS)] = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """List every move of the pointers, oldest first."""
    moves = Project.open(config, sets).store().history(pointer)
    if json:
        show.as_json(moves)
        return
    head = ["time", "pointer", "action", "release", "from", "by", "reason"]
    show.table(
        head,
        [
            [
                m.time,
                m.pointer,
                m.action,
                (m.release_id or "")[:12],
                (m.previous or "")[:12],
                m.actor,
                m.reason,
            ]
            for m in moves
        ],
    )


def report(
    name: Maybe = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write; report-ID.html if left out."),
    ] = None,
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Write the HTML report of a release: one file, made from the release alone.

    With --json, the card instead: the figures behind the report, without any record.
    """
    project = Project.open(config, sets)
    release = project.release(name)
    if json:
        from gemel.release.words.card import card

        show.as_json(card(release))
        return
    path = output or Path(f"report-{release.short_id}.html")
    files.check(path, ".html", project.reads)
    replaced = " over the file that is there" if path.exists() else ""
    if dry_run:
        show.say(f"would write the report of {release.short_id} to {path}{replaced}")
        return
    write_report(release, path)
    show.say(f"wrote {path}{replaced}")


def write_report(release: Release, output: Path) -> None:
    """Render a report and put it in its place whole."""
    from gemel.watch.report import render

    files.write(output, render(release).encode())


def show_gates(report: GateReport, *, failed: bool = True) -> None:
    """Write a line for each gate to stderr; those that failed only where it is asked for."""
    for gate in report.gates if failed else [g for g in report.gates if g.passed]:
        word = "open" if gate.is_open else "pass" if gate.passed else "FAIL"
        show.say(f"{word}  {gate.name}: {gate.detail}")


def note_move(project: Project, move: Move) -> None:
    """Keep the head of the ledger where the user wants it, and say where the pointer points."""
    project.keep_head()
    show.say(f"{move.pointer} points at {(move.release_id or 'nothing')[:12]}")
