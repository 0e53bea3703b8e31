"""`gemel init` and `gemel data`: from a file to settings, and what is wrong with the records."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli import files, show, template
from gemel.cli.guess import look_at, without_labels
from gemel.cli.options import AsJson, ConfigFile, DryRun, Sets, words
from gemel.cli.project import Project
from gemel.config import FILE
from gemel.data.sources.formats.absent import no_file
from gemel.errors import ConfigError, DataError
from gemel.figures import number_of

if TYPE_CHECKING:
    import polars as pl

    from gemel.data.records import Dataset
    from gemel.data.splits import Splits

app = typer.Typer(no_args_is_help=True, help="The records that everything starts from.")


def init(
    path: Annotated[Path, typer.Argument(help="File of records or pairs, or folder of files.")],
    other: Annotated[
        Path | None, typer.Argument(help="A second file, to link its records with the first's.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="What the path holds: rows, pairs, images, text, audio, image_text, or a modality "
            "that a package added; looked at if left out."
        ),
    ] = None,
    identity: Annotated[
        str | None, typer.Option(help="Column that says which records belong together.")
    ] = None,
    id: Annotated[str | None, typer.Option("--id", help="Column with a unique record id.")] = None,
    other_identity: Annotated[
        str | None, typer.Option(help="The same in the second file, if it has another name there.")
    ] = None,
    other_id: Annotated[
        str | None, typer.Option("--other-id", help="Its column with a unique record id.")
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="File of pairs of ids that says which records match.")
    ] = None,
    sets: Sets = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write.")] = Path(FILE),
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Look at a file and write a commented gemel.toml for it, also where it cannot be read yet."""
    over = force or dry_run or template.is_unfinished(output)
    if output.exists() and not over:
        raise ConfigError("already exists", where=str(output), hint="overwrite it with --force")
    files.check(output, ".toml", [p for p in (path, other, pairs) if p is not None])
    for one in (path, other):
        if one is not None and not one.exists():
            raise no_file(one, "no such file or folder", "name records that exist")
    flags = {
        "data.kind": kind,
        "data.identity": identity,
        "data.id": id,
        "data.pairs": str(pairs) if pairs else None,
        "other.identity": other_identity,
        "other.id": other_id,
    }
    said: dict[str, Any] = words(sets or []) | {k: v for k, v in flags.items() if v is not None}
    if other is not None:
        _check_two(path, other, said)
    elif "data.kind" not in said:
        path = _table_in(path)
        frame = _frame(path, said)
        if frame is not None and not {"data.identity", "data.pairs"} & said.keys():
            unfolded = _unfolded(path, frame, output.parent, force=force, dry_run=dry_run)
            if unfolded is not None:
                path = unfolded[0]
                said |= {"data.pairs": str(unfolded[1]), "data.id": unfolded[2]}
    guess = look_at(path, said, os.environ, other)
    text = template.render(guess, output.parent)
    if dry_run:
        show.out(text.rstrip())
    else:
        files.write(output, (template.unfinished(text) if guess.fault else text).encode())
    if guess.dataset is not None:
        show.refused(guess.dataset.bad, guess.dataset.gaps)
    notes = notes_on(guess.dataset, guess.crossed) if guess.dataset is not None else []
    for note in [*guess.notes, *(f"note: {n}" for n in notes)]:
        show.say(note)
    named = "" if output == Path(FILE) else f" -c {output}"
    if guess.fault is not None:
        then = f"mend {output}, which is written, then: gemel data check{named}"
        mend = "" if dry_run else then
        guess.fault.hint = "; ".join(part for part in (guess.fault.hint, mend) if part)
        raise guess.fault
    if not dry_run:
        labelled = guess.dataset is not None and guess.dataset.has_identities
        then = "gemel data check" if labelled else "gemel train"
        show.say(f"wrote {output}; look at it, then: {then}{named}")


def _table_in(path: Path) -> Path:
    """The table in a folder that holds one and nothing else; else the path itself.

    Raises:
        DataError: it holds several.
    """
    from gemel.data.proposals import folders

    tables = folders.tables_in(path) if path.is_dir() else []
    if not tables:
        return path
    if len(tables) > 1:
        names = ", ".join(table.name for table in tables)
        raise DataError(
            f"a folder of {len(tables)} tables: {names}",
            where=str(path),
            hint=f"name one, or two that are to be linked: gemel init {tables[0]} {tables[1]}",
        )
    show.say(f"note: {path} holds one table, so this is about {tables[0]}")
    return tables[0]


def _frame(path: Path, said: Mapping[str, Any], section: str = "data") -> pl.DataFrame | None:
    """A table as it stands in its file; None of a folder, or where it is no file of rows.

    Args:
        path: of the file.
        said: settings that were given, which may name its sheet and its encoding.
        section: of the settings of this file.
    Raises:
        DataError: it cannot be read as a table, which no setting mends.
    """
    from gemel.data.sources import tables

    is_one = path.is_file() and tables.is_table(path)
    sheet, encoding = said.get(f"{section}.sheet"), said.get("data.encoding")
    return tables.read(path, sheet, encoding).frame if is_one else None


def _unfolded(
    path: Path, frame: pl.DataFrame, folder: Path, *, force: bool, dry_run: bool
) -> tuple[Path, Path, str] | None:
    """Where each row holds two records: a file of records, one of pairs, and the id; else None.

    Raises:
        ConfigError: such files are there already.
    """
    from gemel.data.proposals import given
    from gemel.improve.result import as_file

    found = given.sides_of_rows(frame)
    if found is None:
        return None
    sides, answer = found
    made = [folder / f"{path.stem}-{name}.csv" for name in ("records", "pairs")]
    columns = ", ".join(f"{a} = {b}" for a, b in sides.values())
    show.say(f"each row holds two records: {columns}; {answer!r} says whether they are the same")
    there = [file for file in made if file.exists()]
    if there and not force:
        hint = f"gemel init {made[0]} --pairs {made[1]} takes them; --force writes them anew"
        raise ConfigError("already exists", where=str(there[0]), hint=hint)
    contents = given.unfolded(frame, sides, answer)
    if dry_run:
        show.say(f"would write {made[0]} and {made[1]}, and settings for these")
        raise typer.Exit
    for file, content in zip(made, contents, strict=True):
        files.write(file, as_file(content, file))
    n_records, n_pairs = (len(content) for content in contents)
    show.say(
        f"wrote {made[0]} ({number_of(n_records, 'record')}) and {made[1]} "
        f"({number_of(n_pairs, 'pair')})"
    )
    return made[0], made[1], given.RECORD_ID


def _check_two(path: Path, other: Path, said: Mapping[str, Any]) -> None:
    """Raise unless both are files with records, and not one.

    Args:
        path: of one file.
        other: of the other.
        said: settings that were given, see `_frame`.
    Raises:
        ConfigError: a folder, or the same file twice.
        DataError: one cannot be read as a table.
    """
    folder = next((p for p in (path, other) if p.is_dir()), None)
    if folder is not None:
        what = "a folder, two files are linked"
        raise ConfigError(what, where=str(folder), hint="name two tables of records")
    if path.samefile(other):
        raise ConfigError(
            "the same file twice",
            where=str(other),
            hint="gemel init FILE; gemel duplicates then finds what is the same in it",
        )
    for one, section in ((path, "data"), (other, "other")):
        _frame(one, said, section)


@app.command()
def check(config: ConfigFile = None, sets: Sets = None, json: AsJson = False) -> None:
    """Read the records, show what they are, split them and look for leakage."""
    from gemel.data import leakage

    project = Project.open(config, sets)
    with show.progress("reading the records"):
        dataset = project.dataset(most=show.SHOWN)
        splits = project.splits(dataset)
    labelled = dataset.has_identities
    found = leakage.find(dataset, splits) if labelled else leakage.Leakage()
    if json:
        show.as_json({**_facts(dataset, splits), "leakage": found})
    else:
        show_dataset(dataset, splits)
    project.judge(dataset, found)
    if not labelled:
        show.say(without_labels(dataset))
    elif found.clean:
        show.say("no identity and no record stands on both sides of a split")


def show_dataset(dataset: Dataset, splits: Splits, *, write: show.Write = show.out) -> None:
    """Write what was read and how it was split.

    Args:
        dataset: the records.
        splits: of these records.
        write: takes a line of data; notes go to stderr all the same.
    """
    facts = _facts(dataset, splits)
    show.pairs([(k, v) for k, v in facts.items() if not isinstance(v, list | dict)], write)
    if dataset.fields:
        write(f"fields      {', '.join(f'{f.name} ({f.called})' for f in dataset.fields)}")
    write("")
    show.table(
        ["split", "records", "identities", "genuine pairs"],
        [[name, *counts.values()] for name, counts in facts["splits"].items()],
        write,
    )
    if len(splits.train) == len(dataset) and len(splits.dev):
        n = len(splits.dev)
        show.say(f"note: without labels all records are for train; {n:,} of them are dev as well")
    for note in notes_on(dataset, splits):
        show.say(f"note: {note}")


def notes_on(dataset: Dataset, splits: Splits | None = None) -> list[str]:
    """What a user should know about the records, one sentence each."""
    from gemel.data import crossed
    from gemel.data.proposals import amounts, crowd, placeholders
    from gemel.data.splits import lost_pairs, too_few

    of_splits = [crowd.crowded(dataset), too_few(dataset, splits)]
    if splits is not None:
        of_splits += [crossed.IN_WORDS if splits.crossed else "", lost_pairs(dataset, splits)]
    of_values = [*placeholders.notes(dataset), *amounts.notes(dataset)]
    return [*dataset.notes, *of_values, *(note for note in of_splits if note)]


def _facts(dataset: Dataset, splits: Splits) -> dict[str, Any]:
    from gemel.data.units import units

    parts = {"train": splits.train, "dev": splits.dev, "eval": splits.eval}
    joined = units(dataset)
    return {
        "source": dataset.source,
        "modality": dataset.modality,
        "records": len(dataset),
        "refused": dataset.n_bad,
        "identities": len(dataset.identity_names),
        **_category(dataset),
        **({} if joined is None else {"units": int(joined.max(initial=-1)) + 1}),
        "digest": dataset.digest[:12],
        "fields": [{"name": f.name, "kind": f.called} for f in dataset.fields],
        "bad": [str(b) for b in dataset.bad],
        "read_as_missing": [str(b) for b in dataset.gaps],
        "notes": notes_on(dataset, splits),
        "splits": {name: _counts(dataset, idx) for name, idx in parts.items()},
    }


def _category(dataset: Dataset) -> dict[str, str]:
    """How many records each category has, the largest first."""
    column = dataset.category
    if column is None:
        return {}
    counts = Counter(column.of(i) or "(unknown)" for i in range(len(dataset)))
    some = ", ".join(f"{name} {n:,}" for name, n in counts.most_common(show.SHOWN))
    return {"category": f"{column.name}: {some}{', ...' if len(counts) > show.SHOWN else ''}"}


def _counts(dataset: Dataset, idx: Any) -> dict[str, int]:
    import numpy as np

    known = dataset.identities[idx]
    sizes = np.unique(known[known >= 0], return_counts=True)[1].astype(np.int64)
    return {
        "records": len(idx),
        "identities": len(sizes),
        "genuine_pairs": int((sizes * (sizes - 1) // 2).sum()),
    }
