"""`gemel calibrate`: a goal in; a release on the shelf, or a refusal that says what is missing."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli import show
from gemel.cli.categories import show_categories
from gemel.cli.project import AsJson, ConfigFile, DryRun, Project, Sets
from gemel.errors import ReleaseError, TargetRefused
from gemel.settings import For

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.release.evidence.schema import Evidence, Point
    from gemel.release.release import Release

GOAL = "The goal of a comparison: one of these; short for --set calibrate.*"
SEARCH = "The goal of a search"
USE = "How it will be used"
WIDTH = 125
"""Columns that the widest table takes; a figure is never cut."""
POINTS = ("goal", "proven", "threshold", "FMR", "FNMR", "precision")
SEARCHES = ("gallery up to", "threshold", "FPIR", "FNIR")
DIRECTIONS = ("search", "records", "recall_at_1", "recall_at_10", "FPIR", "FNIR")


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
        show_made(_by_answers(project, precision, name, dry_run=dry_run), json=json)
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
    show_made(release, json=json, details=details)


def show_made(release: Release | None, *, json: bool, details: bool = False) -> None:
    """Write what a calibration found, and what comes next."""
    from gemel.release.words.learned import NOTHING_HELPED, was_worth_it

    if release is None:
        return
    if json:
        show.as_json(facts(release))
    else:
        render(release, details=details)
    show.say(f"next: gemel report {release.short_id}; gemel release promote {release.short_id}")
    worth, compared = was_worth_it(release.evidence)
    show.verdict("" if worth else NOTHING_HELPED, compared)


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
    if live.evidence.labelled == known:
        return live
    with tempfile.TemporaryDirectory() as draft:
        made = by_answers(live, known, into=Path(draft) / "release", name=name or None)
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


def facts(release: Release) -> dict[str, Any]:
    """What a calibration found, for programs."""
    from gemel.release.words.expected import warning
    from gemel.release.words.promise import kept_promise, sentence

    evidence = release.evidence
    return {
        "release": release.id,
        "manifest": release.manifest,
        "policy": release.policy,
        "sentence": sentence(evidence),
        "kept": kept_promise(evidence).kept,
        "warning": warning(evidence),
        "smallest_fmr": evidence.smallest_fmr,
        "operating_points": evidence.points,
        "stability": evidence.stability,
        "searches": evidence.searches,
        "directions": evidence.directions,
        "validity": evidence.validity,
    }


def render(release: Release, *, details: bool = False) -> None:
    """Write what a calibration found to stdout: the promise, then, if wanted, what it rests on."""
    from rich.console import Console

    from gemel.release.words.expected import warning
    from gemel.release.words.promise import kept_promise, sentence

    evidence = release.evidence
    console = Console(highlight=False)
    console.print(sentence(evidence), style="bold")
    if evidence.unproven:
        return
    if broken := kept_promise(evidence).broken:
        show.say(f"warning: eval contradicts this: {broken}")
    if few := warning(evidence):
        show.say(f"warning: {few}")
    show_categories(evidence.categories)
    for note in evidence.notes:
        show.say(f"note: {note}")
    if evidence.goals.use is None:
        show.say("--for verify, search or duplicates says what matters in that use")
    if details:
        console.print()
        _render_details(release)
    else:
        show.say("--details: other goals, intervals, and when to calibrate again")


def _render_details(release: Release) -> None:
    """Write the operating points, and searches, and what they hold for."""
    from rich.console import Console

    from gemel.figures import percent

    evidence = release.evidence
    console = Console(highlight=False, width=max(Console().width, WIDTH))
    level = percent(evidence.dev.confidence)
    title = f"release {release.short_id}, measured on eval [{level} by identity]"
    console.print(_table(title, POINTS, [_cells(point) for point in evidence.points]))
    if release.policy.sizes:
        console.print(_table("searches, measured on eval", SEARCHES, _searches(release)))
    if evidence.directions:
        rows = _directions(evidence)
        console.print(_table("searches of each kind for the other, on eval", DIRECTIONS, rows))
    for line in _holds(release):
        console.print(line)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for name in head:
        table.add_column(name, justify="left" if name in POINTS[:2] else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _cells(point: Point) -> list[str]:
    goal = f"* {point.goal}" if point.chosen else f"  {point.goal}"
    seen = point.eval
    if point.dev is None or seen is None:
        missing = point.refusal.missing_in_data if point.refusal else 0
        needed = f"{missing:,} more identities" if missing else "a better encoder"
        return [goal, "refused", "", f"needs {needed}", "", ""]
    rates = [e.span(2) for e in (seen.fmr, seen.fnmr, seen.precision)]
    return [goal, "yes" if point.dev.certified else "", f"{seen.threshold:.4f}", *rates]


def _searches(release: Release) -> list[list[str]]:
    measured = {point.gallery_size: point for point in release.evidence.searches}
    rows = []
    for step in release.policy.sizes:
        seen = measured.get(step.gallery_size)
        rates = ["", ""] if seen is None else [e.span(2) for e in (seen.fpir, seen.fnir)]
        rows.append([f"{step.gallery_size:,}", f"{step.band.threshold:.4f}", *rates])
    return rows


def _directions(evidence: Evidence) -> list[list[str]]:
    """A row for each direction and size of the gallery."""
    return [
        [f"{way.query} -> {way.found}", f"{point.gallery_size:,}"]
        + [e.span(2) for e in (*point.recall_at_k.values(), point.fpir, point.fnir)]
        for way in evidence.directions
        for point in way.points
    ]


def _holds(release: Release) -> list[str]:
    """What the numbers hold for, a line each."""
    from gemel.figures import out_of

    evidence = release.evidence
    at, stability, validity = evidence.dev, evidence.stability, evidence.validity
    source = "as in the data"
    if at.prior_source == "stated":
        source = "stated" if evidence.goals.use is None else f"for {evidence.goals.use.kind}"
    n, count = out_of(at.prior)
    share = f"{count} of {n} comparisons genuine, {source}"
    lines = [f"chosen on {at.n_identities:,} identities; {share}"]
    if at.review_low < at.review_high:
        lines.append(f"scores from {at.review_low:.4f} to {at.review_high:.4f} are for a person")
    lines.append(f"threshold {at.threshold:.4f} [{stability.low:.4f}, {stability.high:.4f}]")
    if stability.regret is not None:
        less = f"{evidence.target.goal.name} by {stability.regret:.2g}"
        lines.append(f"the threshold that is best on eval would better the {less} there")
    lines.append(f"the smallest FMR that dev can prove is {evidence.smallest_fmr:.2g}")
    lines.append(f"valid until {validity.expires}; calibrate again when")
    return [*lines, *(f"  - {condition}" for condition in validity.conditions)]
