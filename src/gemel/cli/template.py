"""The `gemel.toml` that `gemel init` writes: what the file shows, with every dial explained."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemel.config import describe
from gemel.errors import DataError
from gemel.settings import SECTIONS

if TYPE_CHECKING:
    import polars as pl

    from gemel.data.records import Dataset

_ID_NAMES = ("id", "record_id", "rec_id", "uid", "key")


@dataclass(frozen=True)
class Guess:
    """What the records look like.

    Attributes:
        path: the records.
        settings: values of `[data]` that differ from the defaults.
        dataset: the records, read with those settings.
        notes: what a user should know, one sentence each.
    """

    path: Path
    settings: dict[str, Any]
    dataset: Dataset
    notes: tuple[str, ...]


def look_at(
    path: Path,
    *,
    identity: str | None,
    id: str | None,
    pairs: Path | None,
    kind: str | None = None,
) -> Guess:
    """What the settings for a file or folder should say.

    Args:
        path: file of records or pairs, or folder of images.
        identity: identity column; None to propose one by its name.
        id: id column; None to propose one by its name.
        pairs: file of labelled pairs of record ids.
        kind: modality that reads the path; None to look.
    Raises:
        DataError: unreadable, or without anything that says which records belong together.
    """
    from gemel.data import records
    from gemel.data.sources import tables

    notes: list[str] = []
    settings: dict[str, Any] = {"kind": kind or ("images" if path.is_dir() else "rows")}
    if kind is not None:
        settings |= {"identity": identity, "id": id, "pairs": str(pairs) if pairs else None}
    elif path.is_file():
        frame = tables.read(path).frame
        if sorted(frame.columns) == ["left", "right", "same"]:
            settings["kind"] = "pairs"
        else:
            identity = identity or (None if pairs else records.guess_identity(frame))
            if id is None:
                id, note = _propose_id(frame, identity)
                notes.append(note)
            settings |= {"identity": identity, "id": id, "pairs": str(pairs) if pairs else None}
            if identity is None and pairs is None:
                raise DataError(
                    "nothing says which records belong together",
                    where=str(path),
                    hint=f"name a column with --identity ({', '.join(frame.columns[:8])}), "
                    "or a file of labelled pairs with --pairs",
                )
    dataset = records.read(path, **{k: v for k, v in settings.items() if v is not None})
    notes += [f"{len(dataset):,} records of {len(dataset.identity_names):,} identities"]
    if settings.get("identity"):
        notes.append(f"identity is column {settings['identity']!r}: change data.identity if not")
    notes += [f"note: {n}" for n in dataset.notes]
    return Guess(path, settings, dataset, tuple(notes))


def render(guess: Guess, folder: Path) -> str:
    """The text of a settings file in `folder`; what is commented out is the default."""
    values = {"path": _seen_from(guess.path, folder), **guess.settings}
    if values.get("pairs"):
        values["pairs"] = _seen_from(Path(values["pairs"]), folder)
    lines = ["# Settings of a gemel project; a line that is commented out shows the default."]
    for section, struct in SECTIONS.items():
        lines += ["", f"# {(struct.__doc__ or '').splitlines()[0]}", f"[{section}]"]
        for name, default in struct().to_dict().items():
            if name == "columns":
                continue
            value = values.get(name) if section == "data" else None
            setting = f"{name} = {_toml(default if value is None else value)}"
            commented = "# " if value is None else ""
            lines.append(f"{commented}{setting:<36} # {describe(f'{section}.{name}')}")
        if section == "data" and guess.dataset.fields:
            lines += ["", f"# {describe('data.columns')}.", "[data.columns]"]
            lines += [
                f"# {json.dumps(f.name)} = {json.dumps(f.kind)}" for f in guess.dataset.fields
            ]
    return "\n".join(lines) + "\n"


def _propose_id(frame: pl.DataFrame, identity: str | None) -> tuple[str | None, str]:
    """The column that is called like an id and, but for a few rows, unique; and a note on it.

    One with more repeats than may be refused is left among the fields, and the note says so.
    """
    from gemel.data.records import MAX_BAD_RATIO

    note = "no column is called an id: records are known by the number of their row"
    for column in frame.columns:
        name = column.strip().lower()
        if column == identity or not (name in _ID_NAMES or name.endswith("_id")):
            continue
        n = len(frame) - frame[column].drop_nulls().n_unique()
        if n <= MAX_BAD_RATIO * len(frame):
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
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
