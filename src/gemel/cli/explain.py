"""`gemel explain`: why a release decides about two records as it does."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from gemel.cli import files, show
from gemel.cli.categories import note_unknown
from gemel.cli.decided import in_a_line
from gemel.cli.options import AsJson, CategoryOfBoth, ConfigFile, ReleaseName, Sets
from gemel.cli.project import Project
from gemel.cli.query import item_of
from gemel.data.schema import as_text
from gemel.encode import modality
from gemel.errors import DataError, InvalidInput, quoted

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.release.explanation import Explanation
    from gemel.release.release import Release
    from gemel.tasks.explain import Part

WIDTH = 12
"""Characters of the longest bar, to either side."""
N_REGIONS = 12
LONGEST = 40
"""Characters of a part's name in the table."""
UNMEASURED = "without labels it is not measured how often such a score is right"
NONE_UNSEEN = "the release carries none, as its encoder has learned from all labelled records"

Payload = Annotated[
    str,
    typer.Argument(help="A record id, a JSON object, a file (image, text, sound), or a text."),
]


def explain(
    left: Payload,
    right: Payload,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Images only: a PNG with the regions tinted."),
    ] = None,
    category: CategoryOfBoth = None,
    release: ReleaseName = None,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """Show why two records are decided as they are: what each part is worth, and the margin."""
    from gemel.release.explanation import explain as explained

    project = Project.open(config, sets)
    live = project.release(release)
    if output is not None:
        images = [Path(word) for word in (left, right) if Path(word).is_file()]
        files.check(output, ".png", [*project.reads, *images])
    (one, own_one), (two, own_two) = items_of(project, live, [("left", left), ("right", right)])
    kind, prepare = modality.named(live.modality), live.encoder.prepare
    note_unknown(category, live)
    found = explained(live, one, two, category=(category or own_one, category or own_two))
    pair = (kind.payload(prepare, one), kind.payload(prepare, two))
    if output is not None:
        from gemel.watch.charts import heatmap

        tinted = heatmap.pictures(kind, pair, found.parts)
        if tinted is None:
            what = f"{kind.nouns[1]} have no picture"
            raise InvalidInput(what, where="--output", hint="leave it out")
        files.write(output, heatmap.sheet(tinted))
        show.say(f"wrote {output}: blue speaks for a match, orange against it")
    if json:
        show.as_json(found)
    else:
        _show(found, live, [kind.values(payload) for payload in pair])


def items_of(
    project: Project, release: Release, words: Sequence[tuple[str, str]]
) -> list[tuple[Any, str | None]]:
    """Items that words mean, told apart by their places, with categories that are known.

    The records of the project are read once, if at all.
    """
    from gemel.data.sources import linked

    kind = modality.named(release.modality)
    dataset: Dataset | None = None
    found: list[tuple[Any, str | None]] = []
    for place, word in words:
        item = item_of(release, word, place)
        if item is not None:
            found.append((item, None))
        elif not project.config.data.path:
            what = f"{quoted(word, 80)} is not {kind.on_command_line}"
            raise InvalidInput(what, where=place, hint="data.path names where ids are looked up")
        else:
            dataset = dataset or project.dataset(release)
            data, other = project.config.data, project.config.other
            names = linked.file_names(data.path, other.path) if other.path else None
            at = _position(dataset, word, kind.on_command_line, names)
            own = dataset.category.of(at) if dataset.category else None
            found.append((kind.item(dataset.payloads([at])[0]), own))
    return found


def _position(
    dataset: Dataset, record: str, other: str, names: tuple[str, str] | None = None
) -> int:
    """Where the record of an id is; of two files, also one as it stands in only one of them.

    Args:
        dataset: of the project.
        record: the id.
        other: what else may stand for a record, in words.
        names: of the two files; None: there is one.

    Raises:
        DataError: it is not there, or in both files.
    """
    at = np.flatnonzero(dataset.ids == record)
    if names and not at.size:
        at = np.flatnonzero(np.isin(dataset.ids, [f"{name}:{record}" for name in names]))
    if at.size > 1:
        both = " or ".join(repr(name) for name in dataset.ids[at].tolist())
        what = f"record {quoted(record, 80)} is in both files"
        raise DataError(what, where=dataset.source, hint=f"say of which: {both}")
    if not at.size:
        near = difflib.get_close_matches(record, _as_written(dataset, names), 1)
        written = f"an id that gemel data check reads, or {other}"
        hint = f"did you mean {near[0]!r}?" if near else written
        what = f"no record {quoted(record, 80)}" + ("" if dataset.fields else ", and no file")
        raise DataError(what, where=dataset.source, hint=hint)
    return int(at[0])


def _as_written(dataset: Dataset, names: tuple[str, str] | None) -> list[str]:
    """The first ids, as a person finds them: of two files, those of each."""
    from gemel.data.sources import linked

    ids: list[str] = dataset.ids[:100_000].tolist()
    return [*ids, *(linked.own_id(id, names) for id in ids)] if names else ids


def _show(found: Explanation, live: Release, values: Sequence[dict[str, Any]]) -> None:
    """The decision in sentences, then a line for each part."""
    show.out(in_a_line(found, live))
    if found.margin is not None:
        show.out(found.margin.text)
    if found.around is not None:
        show.out(
            f"of {found.around.n} known comparisons with a score within "
            f"{show.number(found.around.within)}, {found.around.n_genuine} were genuine"
        )
    elif not found.nearest:
        show.out(
            "no comparisons of a known answer beside it: "
            + (UNMEASURED if found.margin is None else NONE_UNSEEN)
        )
    show.out("")
    head = ["part", "left", "right", "lost", "cost", "against | for", "without it", "if equal"]
    show.filled_table(head, _lines(found, values))
    show.out("")
    cost = "; cost: what the difference of the two costs"
    costs = any(part.cost is not None for part in found.parts)
    show.out(f"lost: score that is lost without the part{cost if costs else ''}")
    show.out(f"score without anything: {show.number(found.nothing)}; losses need not add up to it")
    for known in found.nearest:
        kind = "genuine" if known.genuine else "impostor"
        show.out(
            f"nearest {kind}: {known.left} and {known.right}, score {show.number(known.score)}"
        )


def _lines(found: Explanation, values: Sequence[dict[str, Any]]) -> list[list[Any]]:
    """Parts with their values, their worth and a bar; words below their field, few regions."""
    largest = max((_reach(part) for part in found.parts), default=0.0) or 1.0
    lines = []
    regions = any(part.box for part in found.parts)
    for part in found.parts[: N_REGIONS if regions else None]:
        lines.append(_line(part, values, largest))
        if part.box is None:
            inner = [p for p in part.parts if p.lost != part.lost]
            lines += [_line(p, [{}, {}], largest, indent="  ") for p in inner]
    return lines


def _line(
    part: Part, values: Sequence[dict[str, Any]], largest: float, indent: str = ""
) -> list[Any]:
    own = [named.get(part.name) for named in values]
    against, for_ = (
        round(WIDTH * min(value / largest, 1.0)) for value in (part.speaks_against, part.speaks_for)
    )
    name = part.name if len(part.name) <= LONGEST else f"{part.name[: LONGEST - 1]}…"
    return [
        indent + name,
        *(text and text[:LONGEST] for text in map(as_text, own)),
        f"{part.lost:+.3g}",
        None if part.cost is None else f"{part.cost:+.3g}",
        f"{'▒' * against:>{WIDTH}}│{'█' * for_:<{WIDTH}}",
        part.outcome.replace("_", " "),
        part.outcome_if_equal and part.outcome_if_equal.replace("_", " "),
    ]


def _reach(part: Part) -> float:
    return max(part.speaks_for, part.speaks_against)
