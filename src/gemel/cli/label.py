"""`gemel label`: ask a person which pairs are the same, until the wanted precision is proven."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemel.cli import show
from gemel.cli.label_words import EVERY, in_words, of_file, so_far, what_teaches
from gemel.cli.options import AsJson, ConfigFile, ReleaseName, Sets
from gemel.cli.project import Project
from gemel.errors import DataError, quoted
from gemel.figures import number_of

if TYPE_CHECKING:
    from gemel.calibrate.answers.known import Taught
    from gemel.data.dataset import Dataset
    from gemel.data.sources.pairs import Pairs
    from gemel.improve.labels.questions import Pair
    from gemel.improve.labels.session import Session
    from gemel.release.make.unproven import Lesson
    from gemel.release.release import Release
    from gemel.release.run import Run
    from gemel.settings import DataSettings

FOLDER = "labels"
PRECISION = 0.95
MEASURED = (
    "this release was measured on labels: answers tell how many of its matches are right, and "
    "neither gemel calibrate --from-answers nor gemel train takes them; answers to what it decides "
    "in use move its threshold: gemel review proposal"
)
SHOWN = 3
"""Pairs of no records that a message names."""


def label(
    precision: Annotated[
        float | None,
        typer.Option(min=0.5, max=0.999, help="Stop when this share of matches is proven right."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who answers; you if left out.")] = None,
    answers: Annotated[
        Path | None, typer.Option(help="Take answers from a file left,right,same instead.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Questions at most.")] = 10_000,
    page: Annotated[
        bool, typer.Option("--page", help="Ask on a page of this machine, with pictures.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0: any.")] = 0,
    links: Annotated[
        str | None,
        typer.Option(help="Of two files: as gemel link; what is asked about is what it links."),
    ] = None,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """Ask which pairs are the same: y, n, u for unsure, b for back, q to stop.

    Without labels two of three questions are those whose answer teaches most; the third is drawn
    at random with a known chance, and only those say how good the matches are. Stopped, it goes on
    when run again; another person (--by) is asked some questions again.
    """
    project = Project.open(config, sets, {"other.links": links})
    live = project.release(release)
    told = None if answers is None else _answers_in(answers, project.config.data)
    session, both = opened(project, live, precision, by, teach=True)
    asked = session.n_asked
    show.say(so_far(session, session.known()))
    if session.is_measured:
        show.say(MEASURED)
    if told is not None:
        _note(session, _told(session, both, told), Path(told.file), limit)
    elif page:
        _on_page(session, both, port)
    else:
        with contextlib.suppress(KeyboardInterrupt):
            _ask(session, both, limit)
    known = session.known()
    written = session.answers.write_pairs()
    if json:
        show.as_json(known)
        return
    show.out(in_words(session, known))
    if project.config.other.path and session.plan.has_shared:
        show.say(
            "some matches share a record: these are all matches, and not what gemel link leaves of "
            "them one to one; if neither file holds anything twice: --links one-to-one"
        )
    show.say(f"{number_of(session.n_asked - asked, 'question')} this time; all answers: {written}")
    if session.moves(known):
        show.say("next: gemel calibrate --from-answers")
    else:
        show.say("gemel label goes on where it was")
    if session.teaching is not None:
        show.say(what_teaches(session.answers.all(), proves=known.n_answers > 0))


def opened(
    project: Project,
    live: Release,
    precision: float | None = None,
    by: str | None = None,
    *,
    teach: bool = False,
) -> tuple[Session, tuple[Dataset, Dataset]]:
    """The session of a person over the records of a project, and the records of either side.

    With `teach`, two of three questions are chosen by what they teach, where that can be taught.
    """
    from gemel.cli import reading
    from gemel.improve.labels.answers import Answers
    from gemel.improve.labels.questions import plan
    from gemel.improve.labels.session import Session
    from gemel.improve.labels.teaching import Teaching
    from gemel.settings import EVERY

    goal = project.config.calibrate
    if project.config.other.path:
        dataset, other = reading.read_two(project.config, live)
        links = project.config.other.links
    else:
        dataset, other, links = project.records_for(live, None), None, EVERY
    folder = project.state.folder / FOLDER
    with show.progress("looking for pairs") as tick:
        made = plan(
            live,
            dataset,
            folder,
            other=other,
            links=links,
            progress=lambda stage, done, total: tick(done, total, stage),
        )
    both = dataset, dataset if other is None else other
    teaches = teach and live.is_unproven
    stated = goal.value if goal.target == "precision" else None
    session = Session(
        made,
        Answers(folder),
        by or project.actor,
        goal=precision or stated or PRECISION,
        confidence=goal.confidence,
        second=project.config.adapt.second_ratio,
        teaching=Teaching.of(live, both, made)
        if teaches and live.evidence.taught is None
        else None,
        teaches=teaches,
        is_measured=not live.evidence.unproven,
    )
    return session, both


def answers_about(project: Project, dataset: Dataset) -> dict[tuple[str, str], bool]:
    """What people said about pairs of the records of a run, by the ids that these have there."""
    from gemel.cli.reading import paths_of_two
    from gemel.data.sources.linked import file_names
    from gemel.improve.labels.answers import Answers

    folder = project.state.folder / FOLDER
    if not folder.is_dir():
        return {}
    said = Answers(folder).all()
    if dataset.pairing.files is not None:
        one, two = file_names(*map(str, paths_of_two(project.config, None, None)))
        said = {(f"{one}:{a}", f"{two}:{b}"): same for (a, b), same in said.items()}
    known = set(dataset.ids.tolist())
    return {pair: same for pair, same in said.items() if known.issuperset(pair)}


def taught_by(project: Project, dataset: Dataset, run: Run) -> Taught | None:
    """The answers that a release of a run has to have learned from."""
    from gemel.calibrate.answers.known import Taught
    from gemel.train.comparators.taught import can_learn

    if dataset.has_identities or not can_learn(run):
        return None
    return Taught.of(answers_about(project, dataset))


def lesson_of(project: Project, dataset: Dataset, run: Run) -> Lesson | None:
    """What answers make of a run without labels; None if there are none that teach."""
    from gemel.train.comparators.taught import lesson

    said = answers_about(project, dataset)
    made = lesson(run, dataset, said)
    if made is not None:
        learned = f"learned from {number_of(made.taught.n_answers, 'answer')} about pairs"
        contrary = "; by these, the pairs that agree in some fields alone are the contrary of what"
        contrary += " they were taken for"
        show.say(f"{learned}{contrary if made.otherwise else ''}")
    elif said:
        show.say(f"{number_of(len(said), 'answer')} about pairs: too few to teach anything yet")
    return made


def _note(session: Session, told: dict[Pair, bool], path: Path, limit: int) -> None:
    """Note what a file of pairs answers, and say what it leaves open."""
    from gemel.improve.labels.told import take

    taken = take(session, told, limit)
    for line in of_file(taken, path):
        show.say(line)


def _answers_in(path: Path, said: DataSettings) -> Pairs:
    """The answers of a file.

    Args:
        path: of the file.
        said: what it says where two are the same, and its encoding.

    Raises:
        DataError: no such file, no columns left, right and same, or no answer in them.
    """
    from gemel.data.sources import pairs, tables

    table = tables.read(path, encoding=said.encoding)
    columns = {c.strip().lower() for c in table.frame.columns}
    if missing := [c for c in pairs.COLUMNS if c not in columns]:
        raise DataError(
            f"no column {missing[0]!r}",
            where=str(path),
            hint=f"it has {', '.join(table.frame.columns)}; answers have left, right and same: the "
            "ids of two records, and whether they are the same",
        )
    told = pairs.parse(table, pairs.PairColumns(same_is=said.same_is))
    show.refused(told.bad, most=SHOWN)
    if not told.left:
        raise DataError("no answer", where=str(path), hint="a line for each: left,right,same")
    return told


def _told(session: Session, both: tuple[Dataset, Dataset], told: Pairs) -> dict[Pair, bool]:
    """What a file says of pairs of these records, named as the plan names them.

    Args:
        session: whose plan names them.
        both: the records.
        told: the answers of the file.

    Raises:
        DataError: no pair whose records are both here.
    """
    path = Path(told.file)
    left, right = (set(one.ids.tolist()) for one in both)
    said: dict[Pair, bool] = {}
    strange: list[Pair] = []
    for pair, same in zip(zip(told.left, told.right, strict=True), told.same.tolist(), strict=True):
        one, two = session.named(pair)
        if not (one in left and two in right):
            one, two = two, one
        if one in left and two in right:
            said[one, two] = same
        else:
            strange.append(pair)
    if strange:
        some = ", ".join(" and ".join(map(quoted, pair)) for pair in strange[:SHOWN])
        some += f", {len(strange) - SHOWN:,} more" if len(strange) > SHOWN else ""
        if not said:
            raise DataError(
                f"no pair of these records: {some}",
                where=str(path),
                hint="left and right are ids of records, as gemel duplicates writes them: those "
                f"of {_ids(both)}",
            )
        n = number_of(len(strange), "pair names", "pairs name")
        show.say(f"{path}: {n} records that are not here: {some}")
    return said


def _ids(both: tuple[Dataset, Dataset]) -> str:
    """Where ids come from, with the first of them."""
    files = both[:1] if both[0] is both[1] else both
    return " and ".join(f"{one.source}, such as {quoted(str(one.ids[0]))}" for one in files)


def _ask(session: Session, both: tuple[Dataset, Dataset], limit: int) -> None:
    """Put questions to the person at the keyboard, or to a pipe."""
    from rich.console import Console

    from gemel.cli.label_screen import ASK, SAID, Key, drawn, keys
    from gemel.improve.labels.beside import Beside

    console = Console(stderr=True, highlight=False)
    beside, n = Beside(*both), 0
    # Takes its time, and what is typed before the first question is no answer.
    if (first := session.next()) is not None and all(beside.sounds(first)):
        show.say("to hear them: gemel label --page")
    with keys() as pressed:
        while n < limit and (question := session.next()) is not None:
            drawn(console, beside.lines(question), f"question {session.n_asked + 1}")
            show.say(ASK)
            key: Key = next(pressed, "q")
            if key == "q":
                return
            if key == "b":
                n -= session.undo() is not None
                continue
            session.say(question, SAID[key])
            n += 1
            if n % EVERY == 0:
                known = session.known()
                show.say(in_words(session, known))
                if known.proven:
                    return


def _on_page(session: Session, both: tuple[Dataset, Dataset], port: int) -> None:
    """Put questions on a page until Ctrl-C."""
    from gemel.console.labels import Desk, serve
    from gemel.improve.labels.beside import Beside

    desk = Desk(session, Beside(*both), lambda known: so_far(session, known), EVERY)
    serve(desk, port, lambda url: show.say(f"open {url} and answer; Ctrl-C stops it"))
