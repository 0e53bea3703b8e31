"""`gemel calibrate`: a goal in; a release on the shelf, or a refusal that says what is missing."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from gemel.cli import show
from gemel.cli.calibrated import is_live, show_made
from gemel.cli.options import AsJson, ConfigFile, DryRun, Sets
from gemel.cli.project import Project
from gemel.errors import ReleaseError, TargetRefused
from gemel.settings import For

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.release.release import Release

GOAL = "The goal of a comparison: one of these; short for --set calibrate.*"
SEARCH = "The goal of a search"
USE = "How it will be used"


def _rate(value: float | None) -> float | None:
    """A rate that can be proven: none proves 0 or 1."""
    if value is not None and not 0 < value < 1:
        raise typer.BadParameter(f"{value:g} does not lie between 0 and 1, both excluded")
    return value


def _goal(help: str, panel: str = GOAL) -> Any:
    return typer.Option(help=help, callback=_rate, metavar="RATE", rich_help_panel=panel)


def calibrate(
    name: Annotated[str, typer.Option(help="A name for people.")] = "",
    use: Annotated[
        For | None,
        typer.Option(
            "--for",
            help="verify: are these two the same? search: which of a gallery is this? duplicates: "
            "which of a set are the same? Decides which errors are spoken of.",
            rich_help_panel=USE,
        ),
    ] = None,
    fmr: Annotated[float | None, _goal("False matches among impostors at most, proven.")] = None,
    fnmr: Annotated[float | None, _goal("Missed genuine pairs at most, proven.")] = None,
    recall: Annotated[float | None, _goal("Found genuine pairs at least, proven.")] = None,
    precision: Annotated[float | None, _goal("Right matches at least, proven.")] = None,
    f1: Annotated[
        bool, typer.Option("--f1", help="The best F1 observed.", rich_help_panel=GOAL)
    ] = False,
    cost: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="FM FNM",
            help="The least cost: of a false match, of a false non-match.",
            rich_help_panel=GOAL,
        ),
    ] = None,
    fpir: Annotated[
        float | None, _goal("Searches of a stranger that match at most, proven.", SEARCH)
    ] = None,
    gallery_size: Annotated[
        int | None,
        typer.Option(min=1, help="Records of the gallery, or of the set.", rich_help_panel=USE),
    ] = None,
    confidence: Annotated[
        float | None, typer.Option(help="Of proofs and intervals.", rich_help_panel=USE)
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option(help="Share of genuine comparisons in use.", rich_help_panel=USE),
    ] = None,
    review_cost: Annotated[
        float | None, typer.Option(help="Cost of asking a person.", rich_help_panel=USE)
    ] = None,
    from_answers: Annotated[
        bool,
        typer.Option("--from-answers", help="What gemel label proved, where there are no labels."),
    ] = False,
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
    details: Annotated[
        bool, typer.Option("--details", help="Other goals, and what the numbers hold for.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Choose a threshold on dev, measure it on eval, and put the release on the shelf.

    A rate is proven or refused: exit 1 says how many identities are missing. If a release of the
    run is on the shelf, the new one becomes its child; nothing is encoded or enrolled again.
    """
    rates = {"fmr": fmr, "fnmr": fnmr, "recall": recall, "precision": precision}
    flags = _target(rates, f1=f1, cost=cost, sets=sets or [])
    flags |= {
        "calibrate.use": use,
        "calibrate.fpir": fpir,
        "calibrate.gallery_size": gallery_size,
        "calibrate.confidence": confidence,
        "calibrate.prior": prior,
        "calibrate.review_cost": review_cost,
    }
    project = Project.open(config, sets, flags)
    if from_answers:
        _check_proven_by_answers(flags)
        made = _by_answers(project, precision, name, dry_run=dry_run)
        show_made(project, made, json=json)
        return
    dataset = project.dataset()
    project.goals(dataset)  # refuses what no data can reach
    if dry_run:
        show.say(f"would calibrate the run in {finished_run(project, dataset)}")
        return
    try:
        release = find_release(project, dataset, name) or build_release(project, dataset, name=name)
    except TargetRefused as e:
        if json:
            show.as_json({"refused": e.refusal, "smallest_fmr": e.refusal.smallest_fmr})
        raise
    holds = _what_holds(project, release) if release.is_unproven else ""
    show_made(project, release, json=json, details=details, holds=holds)


def _check_proven_by_answers(flags: dict[str, Any]) -> None:
    """Raise where flags ask for what answers do not tell.

    Raises:
        BadParameter: another goal than a precision, or another use.
    """
    heeded = ("calibrate.target", "calibrate.value", "calibrate.confidence")
    other = [key for key, value in flags.items() if value is not None and key not in heeded]
    target = flags.get("calibrate.target", "precision")
    if target != "precision" or other:
        named = target if target != "precision" else other[0].partition(".")[2]
        raise typer.BadParameter(f"--from-answers proves a precision: leave {named} out")


def _what_holds(project: Project, release: Release) -> str:
    """Which threshold holds, where training has made another release live on its own."""
    store, pointer = project.store(), project.config.serve.pointer
    live, own = store.pointer(pointer), f"a match from {release.policy.verify.threshold:.4g} on"
    if live is None:
        return ""
    if is_live(project, release):
        return f"{own}: {pointer} points at it"
    now = store.get(live)
    return (
        f"{own}, once {pointer} points at it; until then gemel duplicates and all else go by "
        f"{now.policy.verify.threshold:.4g} of {now.short_id}"
    )


def _by_answers(
    project: Project, precision: float | None, name: str, *, dry_run: bool
) -> Release | None:
    """The child that answers about pairs prove, on the shelf; None if it is only tried.

    Raises:
        ReleaseError: nothing is proven yet, or the live release was measured on labels.
    """
    from gemel.cli.label import opened
    from gemel.release.make.answered import by_answers

    live = project.release()
    session, _ = opened(project, live, precision)
    known = session.known()
    before = live.evidence.labelled
    if before == known or (before and not known.proven and before.goal >= known.goal):
        return live
    if not known.precision.n_effective and (needed := session.needed()):
        known = msgspec.structs.replace(known, missing=max(needed - known.n_answers, 1))
    reach = None if known.proven else session.drawn().reach(known.confidence)
    with tempfile.TemporaryDirectory() as draft:
        into = Path(draft) / "release"
        made = by_answers(live, known, reach=reach, into=into, name=name or None)
        return None if dry_run else project.store().put(made.folder)


def _target(
    rates: dict[str, float | None],
    *,
    f1: bool,
    cost: tuple[float, float] | None,
    sets: Sequence[str],
) -> dict[str, Any]:
    """The settings that the flags of a goal stand for.

    Raises:
        BadParameter: two goals at once.
    """
    given = [f"--{name}" for name, rate in rates.items() if rate is not None]
    given += [flag for flag, wanted in (("--f1", f1), ("--cost", cost is not None)) if wanted]
    keys = [word.partition("=")[0].strip() for word in sets]
    given += [f"--set {k}" for k in keys if given and k in ("calibrate.target", "calibrate.value")]
    if len(given) > 1:
        raise typer.BadParameter(f"{' and '.join(given)} contradict each other: give one goal")
    if not given:
        return {}
    kind = given[0].removeprefix("--")
    rate = rates.get(kind)
    flags: dict[str, Any] = {
        "calibrate.target": kind,
        "calibrate.value": "" if rate is None else rate,
    }
    if cost is not None:
        flags |= dict(
            zip(("calibrate.false_match_cost", "calibrate.false_non_match_cost"), cost, strict=True)
        )
    return flags


def build_release(project: Project, dataset: Dataset, *, name: str = "") -> Release:
    """A release of the finished run, on the shelf: a child if there is one of the run already.

    Raises:
        ReleaseError: the run is not finished.
        TargetRefused: the data cannot support the goal of the threshold.
    """
    from gemel.cli.label import lesson_of
    from gemel.release.make import unproven
    from gemel.release.make.build import build
    from gemel.release.make.recalibrate import recalibrate
    from gemel.release.run import Run

    folder = finished_run(project, dataset)
    first = next(iter(_siblings(project, dataset)), None)
    how: dict[str, Any] = {
        "goals": project.goals(dataset),
        "name": name,
        "sampling": project.sampling(),
    }
    with show.progress("calibrating", "steps") as tick, tempfile.TemporaryDirectory() as draft:
        how |= {"into": Path(draft) / "release", "progress": tick}
        if not dataset.has_identities:
            run = Run.open(folder, dataset)
            release = unproven.build(
                folder, dataset, lesson=lesson_of(project, dataset, run), **how
            )
        elif first is None:
            release = build(folder, dataset, **how)
        else:
            release = recalibrate(first, folder, dataset, **how)
        return project.store().put(release.folder)


def finished_run(project: Project, dataset: Dataset) -> Path:
    """Folder of the run that these records and settings decide.

    Raises:
        ReleaseError: there is none.
    """
    folder = project.run_folder(dataset)
    if not folder.parent.is_dir():
        raise ReleaseError("nothing is trained yet", where=str(folder.parent), hint="gemel train")
    if not folder.is_dir():
        raise ReleaseError(
            "no run of just these records and settings",
            where=str(folder),
            hint="run gemel train with the same settings; what --set says is not kept",
        )
    return folder


def find_release(project: Project, dataset: Dataset, name: str = "") -> Release | None:
    """The newest valid release on the shelf that the present run and goal would give again.

    Args:
        project: with the goal.
        dataset: of the run.
        name: that it must have; empty takes any.
    """
    wanted, today = (project.goals(dataset), project.sampling()), datetime.now(UTC).date()
    for release in reversed(_siblings(project, dataset)):
        evidence, policy = release.evidence, release.policy
        chosen = evidence.adapted is None and policy.verify.threshold == evidence.dev.threshold
        same = (evidence.goals, evidence.sampling) == wanted
        named = name in ("", release.manifest.name)
        if same and chosen and named and not policy.has_expired(today):
            return release
    return None


def _siblings(project: Project, dataset: Dataset) -> list[Release]:
    """Releases on the shelf that have encoder, comparator and records of the run, oldest first."""
    from gemel.cli.label import taught_by
    from gemel.encode.encoder import Encoder
    from gemel.release.make.recalibrate import is_of
    from gemel.release.run import ENCODER, Run

    folder = project.run_folder(dataset)
    try:
        space_id = Encoder.open(folder / ENCODER).space_id
        taught = taught_by(project, dataset, Run.open(folder, dataset))
    except ReleaseError:
        return []
    store = project.store()
    found = [store.get(m.id) for m in store.list() if m.space_id == space_id]
    data = dataset.digest, dataset.category.digest if dataset.category else ""
    return [
        r
        for r in found
        if (r.evidence.data.digest, r.evidence.data.category) == data
        and r.evidence.taught == taught
        and (taught is not None or is_of(r, folder, project.config.calibrate.cohort))
    ]
