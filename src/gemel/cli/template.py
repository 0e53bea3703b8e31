"""The `gemel.toml` that `gemel init` writes: what the file shows, and the settings that matter.

It is written whether or not the records can be read: what stopped them stands on top, and the same
error comes back from `gemel data check` until the file is mended.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemel.arrays import digest
from gemel.cli.project import Project
from gemel.config import Config, describe
from gemel.errors import GemelError
from gemel.settings import SECTIONS

if TYPE_CHECKING:
    import polars as pl

    from gemel.data.records import Dataset
    from gemel.data.splits import Splits

SHOWN = {
    "data": ("path", "kind", "identity", "id", "category", "pairs", "ignore", "groups", "missing",
             "depth", "max_bad_ratio"),
    "split": ("dev", "eval", "seed"),
    "train": ("size", "image_size", "max_epochs", "seed"),
    "calibrate": ("target", "value", "prior", "review_cost", "categories", "fpir"),
    "serve": ("host", "port"),
}  # fmt: skip
"""The settings that a first project is likely to change, of all that there are."""
UNFINISHED = "# Unfinished, and written over by gemel init as long as nothing below is changed: "
_ID_NAMES = ("id", "record_id", "rec_id", "uid", "key")


@dataclass(frozen=True)
class Guess:
    """What the records look like.

    Attributes:
        settings: `section.key` to value, of those that are written.
        columns: names in the file, as far as they are known.
        notes: what a user should know, one sentence each.
        dataset: the records, if they can be read.
        splits: of the records, if they can be split.
        fault: what stopped reading or splitting.
    """

    settings: Mapping[str, Any]
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    dataset: Dataset | None = None
    splits: Splits | None = None
    fault: GemelError | None = None


def look_at(path: Path, said: Mapping[str, Any], environ: Mapping[str, str]) -> Guess:
    """What the settings for a file or folder should say.

    Args:
        path: file of records or pairs, or folder of images; there is one.
        said: `section.key` to value, as text or not, from flags; these are written.
        environ: settings in it count, and are not written.
    Raises:
        ConfigError: what is said is no setting, or does not fit.
    """
    said = {"data.path": str(path), **{k: v for k, v in said.items() if v is not None}}
    given = Config.load(None, environ, said)
    known = {key for key, _, origin in given.items() if origin != "default"}
    settings = {key: value for key, value, origin in given.items() if origin.startswith("flag")}
    columns: tuple[str, ...] = ()
    notes: list[str] = []
    dataset = splits = fault = None
    try:
        if "data.kind" not in known:
            settings["data.kind"] = "images" if path.is_dir() else "rows"
        if path.is_file() and given.data.kind in ("auto", "rows", "pairs"):
            from gemel.data.sources.pairs import are_pairs

            frame = _frame(path)
            columns = tuple(frame.columns)
            if are_pairs(columns):
                settings["data.kind"] = "pairs"
            else:
                settings |= _labels(frame, given, known, notes)
        project = Project(Config.load(None, environ, settings))
        dataset = project.dataset(most=0)
        splits = project.splits(dataset)
    except GemelError as e:
        fault = e
    if dataset is not None:
        named = len(dataset.identity_names)
        notes.insert(0, f"{len(dataset):,} records of {named:,} identities")
    return Guess(settings, columns, tuple(notes), dataset, splits, fault)


def render(guess: Guess, folder: Path) -> str:
    """The text of a settings file in `folder`; what is commented out is the default."""
    values = dict(guess.settings)
    for key in ("data.path", "data.pairs"):
        if values.get(key):
            values[key] = _seen_from(Path(values[key]), folder)
    lines = [
        "# Settings of a gemel project: those that matter most. A line that is commented out shows",
        "# the default. All settings, and where each value comes from: gemel config show",
    ]
    for section, struct in SECTIONS.items():
        written = [n for n in struct.__struct_fields__ if f"{section}.{n}" in values]
        if section in SHOWN or written:
            names = [*SHOWN.get(section, ()), *written]
            lines += ["", f"# {(struct.__doc__ or '').splitlines()[0]}", f"[{section}]"]
            lines += [_line(section, n, values) for n in dict.fromkeys(names) if n != "columns"]
        if section == "data":
            lines += _columns(guess, values.get("data.columns") or {})
    return "\n".join([*_stopped(guess.fault), *lines]) + "\n"


def unfinished(text: str) -> str:
    """The text of a settings file that `init` may write over while it is unchanged."""
    return f"{UNFINISHED}{digest(text.encode())[:12]}\n{text}"


def is_unfinished(path: Path) -> bool:
    """Whether `init` left that file when it stopped, and nobody has changed it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    first, _, rest = text.partition("\n")
    return unfinished(rest).partition("\n")[0] == first


def _labels(
    frame: pl.DataFrame, given: Config, known: set[str], notes: list[str]
) -> dict[str, str | None]:
    """Identity and id, as said or as the names of columns propose; adds notes."""
    from gemel.data import records

    found: dict[str, str | None] = {}
    data = given.data
    identity = data.identity
    if "data.identity" not in known and data.pairs is None:
        identity = records.guess_identity(frame.drop(set(data.ignore) & set(frame.columns)))
        if identity is not None:
            found["data.identity"] = identity
            notes.append(f"identity is column {identity!r}: change data.identity if not")
    if "data.id" not in known:
        taken = {identity, *data.ignore, *data.groups}
        proposed, note = _propose_id(frame, taken, data.max_bad_ratio)
        notes.append(note)
        if proposed is not None:
            found["data.id"] = proposed
    return found


def _frame(path: Path) -> pl.DataFrame:
    from gemel.data.sources import tables

    return tables.read(path).frame


def _line(section: str, name: str, values: Mapping[str, Any]) -> str:
    key = f"{section}.{name}"
    default = getattr(SECTIONS[section](), name)
    setting = f"{name} = {_toml(values.get(key, default))}"
    return f"{'' if key in values else '# '}{setting:<36} # {describe(key)}"


def _columns(guess: Guess, said: Mapping[str, str]) -> list[str]:
    """What each column is, or what columns there are."""
    fields = guess.dataset.fields if guess.dataset is not None else ()
    if not fields and not said:
        return ["", f"# columns: {', '.join(guess.columns)}"] if guess.columns else []
    kinds = {f.name: f.kind for f in fields} | dict(said)
    return ["", f"# {describe('data.columns')}.", "[data.columns]"] + [
        f"{'' if n in said else '# '}{json.dumps(n)} = {json.dumps(k)}" for n, k in kinds.items()
    ]


def _stopped(fault: GemelError | None) -> list[str]:
    if fault is None:
        return []
    said = [f"gemel init stopped: {fault}", f"hint: {fault.hint}"] if fault.hint else [str(fault)]
    said.append("Mend it here; until then gemel data check says the same.")
    return [f"# {' '.join(line.split())}" for line in said]


def _propose_id(
    frame: pl.DataFrame, taken: set[str | None], max_bad_ratio: float
) -> tuple[str | None, str]:
    """The column that is called like an id and, but for a few rows, unique; and a note on it.

    One with more repeats than may be refused is left among the fields, and the note says so.
    """
    note = "no column is called an id: records are known by the number of their row"
    for column in frame.columns:
        name = column.strip().lower()
        if column in taken or not (name in _ID_NAMES or name.endswith("_id")):
            continue
        n = len(frame) - frame[column].drop_nulls().n_unique()
        if n <= max_bad_ratio * len(frame):
            rows = f"{n:,} row{'s' * (n > 1)} without or with a repeated one will be refused"
            return column, f"id is column {column!r}" + (f": {rows}" if n else "")
        note = f"column {column!r} repeats values: it is a field and no id; --id names another"
    return None, note


def _seen_from(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _toml(value: Any) -> str:
    """A TOML literal; None as an empty text, since TOML has no null."""
    if value is None:
        return '""'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(v) for v in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(k)} = {_toml(v)}' for k, v in value.items())}}}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
