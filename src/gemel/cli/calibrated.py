"""What a calibration found: its promise, and on request what that rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gemel.cli import show
from gemel.cli.categories import show_categories
from gemel.figures import number_of, plain

if TYPE_CHECKING:
    from gemel.cli.project import Project
    from gemel.release.evidence.schema import Evidence, Point
    from gemel.release.release import Release

PIPED = 1000
"""Columns for a table where no terminal limits them; in one, cells are folded and never cut."""
POINTS = ("goal", "proven", "threshold", "FMR", "FNMR", "precision")
SEARCHES = ("gallery up to", "threshold", "FPIR", "FNIR")
TO_PROVE = "to prove how many matches are right: gemel label, which asks about pairs of records"
DIRECTIONS = ("search", "records", "recall_at_1", "recall_at_10", "FPIR", "FNIR")


def show_made(
    project: Project,
    release: Release | None,
    *,
    json: bool,
    details: bool = False,
    holds: str = "",
    promotes: bool = False,
) -> None:
    """Write what a calibration found, which threshold holds, and what comes next.

    Args:
        project: with the store.
        release: that was made, if one was.
        json: write it as JSON.
        details: write all of it.
        holds: which threshold does.
        promotes: whether the caller promotes it next, so that nobody else has to.
    """
    from gemel.release.words.learned import NOTHING_HELPED, was_worth_it

    if release is None:
        return
    if json:
        show.as_json(facts(release))
    else:
        render(release, details=details)
    if holds:
        show.say(holds)
    after = [] if promotes else then(project, release)
    show.say(f"next: {'; '.join([f'gemel report {release.short_id}', *after])}")
    if release.evidence.unproven:
        if release.evidence.labelled is None:
            show.say(TO_PROVE)
        return
    worth, compared = was_worth_it(release.evidence)
    show.verdict("" if worth else NOTHING_HELPED, compared)


def is_live(project: Project, release: Release) -> bool:
    """Whether what is served is this release."""
    return project.store().pointer(project.config.serve.pointer) == release.id


def then(project: Project, release: Release) -> list[str]:
    """What to do after a look at the report: promote, or what helps where gates would refuse it."""
    from gemel.release import gates

    if is_live(project, release):
        return []
    store, id = project.store(), release.short_id
    live = store.pointer("stable")
    stable = store.get(live) if live else None
    report = gates.foreseen(release, stable, enrolled=project.state.enrolled)
    refusing = [gate.name for gate in report.gates if not gate.passed]
    if refusing in ([], [gates.ENROLLED]):
        return [*([enroll(project, release)] if refusing else []), f"gemel release promote {id}"]
    helps = f": {report.repairs}" if report.repairs else ""
    return [f"gemel release promote would refuse it ({', '.join(refusing)}){helps}"]


def enroll(project: Project, release: Release) -> str:
    """The command that fills the gallery of a release; a server has no records of its own."""
    file = "" if project.config.data.path else "FILE "
    return f"gemel gallery enroll {file}-r {release.short_id}"


def facts(release: Release) -> dict[str, Any]:
    """What a calibration found, for programs."""
    from gemel.release.words.doubts import warning
    from gemel.release.words.promise import kept_promise
    from gemel.release.words.sentence import in_full, sentence

    evidence = release.evidence
    return {
        "release": release.id,
        "manifest": release.manifest,
        "policy": release.policy,
        "sentence": sentence(evidence),
        "in_full": in_full(evidence),
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

    from gemel.release.words.doubts import cost_of_proof, warning
    from gemel.release.words.in_classes import in_classes, without_classes
    from gemel.release.words.promise import kept_promise
    from gemel.release.words.sentence import sentence

    evidence = release.evidence
    console = Console(highlight=False)
    console.print(sentence(evidence), style="bold")
    if evidence.unproven:
        return
    if broken := kept_promise(evidence).broken:
        show.say(f"warning: eval contradicts this: {broken}")
    if few := warning(evidence):
        show.say(f"warning: {few}")
    if given := in_classes(evidence):
        show.say(f"warning: {given}")
    show_categories(evidence.categories)
    more = without_classes(evidence), cost_of_proof(evidence)
    for note in (*evidence.notes, *filter(None, more)):
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
    from gemel.release.words.sentence import in_full

    evidence = release.evidence
    console = Console(highlight=False)
    console.print(in_full(evidence))
    tables = console if console.is_terminal else Console(highlight=False, width=PIPED)
    level = percent(evidence.dev.confidence)
    title = f"release {release.short_id}, measured on eval [{level} by identity]"
    tables.print(_table(title, POINTS, [_cells(point) for point in evidence.points]))
    if release.policy.sizes:
        tables.print(_table("searches, measured on eval", SEARCHES, _searches(release)))
    if evidence.directions:
        rows = _directions(evidence)
        tables.print(_table("searches of each kind for the other, on eval", DIRECTIONS, rows))
    for line in _holds(release):
        console.print(line)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for name in head:
        table.add_column(name, justify="left" if name in POINTS[:2] else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _cells(point: Point) -> list[str]:
    goal = f"* {point.goal}" if point.chosen else f"  {point.goal}"
    seen = point.eval
    if point.dev is None or seen is None:
        missing = point.refusal.missing_in_data if point.refusal else 0
        needed = number_of(missing, "more identity") if missing else "a better encoder"
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
    from gemel.figures import out_of, rounded_up

    evidence = release.evidence
    at, stability, validity = evidence.dev, evidence.stability, evidence.validity
    source = "as in dev"
    if at.prior_source == "stated":
        source = "stated" if evidence.goals.use is None else f"for {evidence.goals.use.kind}"
    n, count = out_of(at.prior)
    share = f"{count} of {n} comparisons genuine, {source}"
    lines = [f"chosen on {number_of(at.n_identities, 'identity')}; {share}"]
    if at.review_low < at.review_high:
        lines.append(f"scores from {at.review_low:.4f} to {at.review_high:.4f} are for a person")
    lines.append(f"threshold {at.threshold:.4f} [{stability.low:.4f}, {stability.high:.4f}]")
    if stability.regret is not None:
        less = f"{evidence.target.goal.name} by {plain(stability.regret, 2)}"
        lines.append(f"the threshold that is best on eval would better the {less} there")
    smallest = rounded_up(evidence.smallest_fmr, 2)
    lines.append(f"the smallest FMR that dev can prove is {plain(smallest, 2)}")
    lines.append(f"valid until {validity.expires}; calibrate again when")
    return [*lines, *(f"  - {condition}" for condition in validity.conditions)]
