"""The `gemel.toml` that `gemel init` writes: what the file shows, and the settings that matter.

It is written whether or not the records can be read: what stopped them stands on top, and the same
error comes back from `gemel data check` until the file is mended.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gemel.arrays import digest
from gemel.cli.guess import Guess
from gemel.config import describe
from gemel.data.dataset import printable
from gemel.errors import GemelError
from gemel.settings import SECTIONS

SHOWN = {
    "data": ("path", "kind", "identity", "id", "ignore", "missing"),
    "train": ("max_epochs",),
    "calibrate": ("use", "target", "value", "prior"),
}
"""The settings that a first project is likely to change, of all that there are."""
OF_IMAGES = {**SHOWN, "data": ("path", "kind", "depth"), "train": ("max_epochs", "image_size")}
WIDTH = 100
"""Columns of a line; a longer meaning ends at its first semicolon."""
RATIO = "max_bad_ratio"
"""The setting that is shown where an error names it."""
TABLES = ("columns", "names")
"""Settings that are tables of their own."""
UNFINISHED = "# Unfinished, and written over by gemel init as long as nothing below is changed: "


def render(guess: Guess, folder: Path) -> str:
    """The text of a settings file in `folder`; what is commented out is the default."""
    values = dict(guess.settings)
    stopped = [RATIO] if guess.fault is not None and RATIO in guess.fault.hint else []
    for key in ("data.path", "other.path", "data.pairs"):
        if values.get(key):
            values[key] = _seen_from(Path(values[key]), folder)
    if Path(backbone := values.get("train.backbone", "")).is_dir() and backbone:
        values["train.backbone"] = _seen_from(Path(backbone), folder)
    lines = [
        "# Settings of a gemel project; commented lines show the default. All of them,",
        "# and where each comes from: gemel config show. Their meaning: docs/reference/settings.md",
    ]
    shown = OF_IMAGES if values.get("data.kind") == "images" else SHOWN
    found = {} if "data.missing" in values else {"data.missing": _found(guess)}
    for section, struct in SECTIONS.items():
        written = [n for n in struct.__struct_fields__ if f"{section}.{n}" in values]
        if shown.get(section) or written:
            names = [*shown.get(section, ()), *written, *(stopped if section == "data" else ())]
            lines += [f"[{section}]"]
            keys = {f"{section}.{n}": n for n in names if n not in TABLES}
            lines += [found.get(key) or _line(section, n, values) for key, n in keys.items()]
        if section == "data":
            lines += _columns(guess, values.get("data.columns") or {})
        if section == "other" and values.get("other.path"):
            lines += _map(guess, values.get("other.names") or {})
            if orders := values.get("other.columns"):
                lines += ["", f"# {describe('other.columns')}.", "[other.columns]"]
                lines += [f"{_text(n)} = {_text(k)}" for n, k in orders.items()]
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


def _line(section: str, name: str, values: Mapping[str, Any]) -> str:
    key = f"{section}.{name}"
    default = getattr(SECTIONS[section](), name)
    setting = f"{name} = {_toml(values.get(key, default))}"
    start = f"{'' if key in values else '# '}{setting:<28} # "
    meaning = describe(key)
    return start + (meaning if len(start + meaning) <= WIDTH else meaning.partition(";")[0])


def _found(guess: Guess) -> str:
    """The line that takes texts of these records for missing ones; empty if none looks so."""
    from gemel.data.proposals.placeholders import proposed

    texts = proposed(guess.dataset) if guess.dataset is not None else []
    note = 'Found here: remove the first "# " if they mean "no value"'
    return f"# missing = {_toml(texts)}  # {note}" if texts else ""


def _columns(guess: Guess, said: Mapping[str, str]) -> list[str]:
    """What each column was read as, a line for each kind, and what was said of some."""
    fields = guess.dataset.fields if guess.dataset is not None else ()
    if not fields and not said:
        return [f"# columns: {_named(guess.columns)}"] if guess.columns else []
    names: dict[str, list[str]] = {}
    for field in fields:
        if field.name not in said:
            names.setdefault(field.called, []).append(_text(field.name))
    lines = [f"[data.columns]                 # {describe('data.columns')}"]
    lines += [f"# read as {kind}: {', '.join(some)}" for kind, some in names.items()]
    return [*lines, *(f"{_text(n)} = {_text(k)}" for n, k in said.items())]


def _map(guess: Guess, names: Mapping[str, str]) -> list[str]:
    """Which columns of two files correspond, and which have no counterpart."""
    from gemel.data.sources.columns import parts

    lines = ["", f"# {describe('other.names')}.", "[other.names]"]
    for left, right in names.items():
        line = f"{_text(left)} = {_text(right)}"
        said = guess.remarks.get(left)
        lines.append(f"{line:<36} # {said}" if said else line)
    rest = (
        ("of the first file", guess.columns, names),
        ("of the other", guess.others, names.values()),
    )
    for where, columns, taken in rest:
        used = {part for name in taken for part in parts(name, columns)}
        if left_out := [c for c in columns if c not in used]:
            lines.append(f"# not compared, {where}: {_named(left_out)}")
    return lines


def _stopped(fault: GemelError | None) -> list[str]:
    if fault is None:
        return []
    said = [f"gemel init stopped: {fault}", f"hint: {fault.hint}"] if fault.hint else [str(fault)]
    said.append("Mend it here; until then gemel data check says the same.")
    return [f"# {' '.join(line.split())}" for line in said]


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
        return f"{{{', '.join(f'{_text(k)} = {_toml(v)}' for k, v in value.items())}}}"
    return _text(value) if isinstance(value, str) else repr(value)


def _text(value: str) -> str:
    """A text, or a key, as TOML takes it: JSON but for escapes of halves of a character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _named(columns: Sequence[str]) -> str:
    """Names of columns for a comment, which ends with its line."""
    return ", ".join(map(printable, columns))
