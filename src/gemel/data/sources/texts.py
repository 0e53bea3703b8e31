"""Texts: the text columns of a table, or the text files below a folder.

In a table every column of text that is left is part of the text, in order, a line each. In a folder
the first sub-folder is the identity and the path is the id, as for images.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from gemel.data.dataset import BadRecord, Dataset, Held, codes, fault_of_id, printable
from gemel.data.sources import tables
from gemel.data.sources.rows import Columns, from_table, plain
from gemel.errors import DataError

SUFFIXES = (".txt", ".md")


def read(path: Path, said: Columns) -> Dataset:
    """The texts of a table or a folder, with what was refused.

    Raises:
        DataError: no column of text, no text file, or a table that cannot be read.
    """
    return _folder(path, said) if path.is_dir() else _table(path, said)


def text_of(path: Path) -> str:
    """The text in a file.

    Raises:
        DataError: unreadable, or not UTF-8.
    """
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as e:
        hint = "save the file as UTF-8 and read it again"
        raise DataError("not UTF-8", where=printable(str(path)), hint=hint) from e
    except OSError as e:
        raise DataError(f"unreadable: {e.strerror}", where=printable(str(path))) from e


def _table(path: Path, said: Columns) -> Dataset:
    rows = from_table(tables.read(path), said)
    names = [f.name for f in rows.fields if f.kind == "text"]
    if not names:
        kinds = ", ".join(f"{f.name} is a {f.kind}" for f in rows.fields)
        hint = 'say under data.columns which is "text", or read rows: leave data.kind out'
        raise DataError(f"no column of text: {kinds}", where=str(path), hint=hint)
    others = [f.name for f in rows.fields if f.kind != "text"]
    lines = ([row[name] for name in names] for row in rows.payloads())
    held = ["\n".join(line for line in texts if line) for texts in lines]
    fine = np.array([bool(text.strip()) for text in held], np.bool_)
    row_of = rows.ids.tolist()
    empty = tuple(
        BadRecord(rows.source, None, names[0], f"record {row_of[i]} has no text")
        for i in np.flatnonzero(~fine).tolist()
    )
    notes = (f"columns that are no text and are not compared: {', '.join(others)}",)
    kept = np.flatnonzero(fine)
    return replace(
        rows.take(kept),
        modality="text",
        contents=Held(tuple(held[i] for i in kept.tolist())),
        fields=(),
        bad=(*rows.bad, *empty),
        notes=(*rows.notes, *(notes if others else ())),
    )


def _folder(folder: Path, said: Columns) -> Dataset:
    plain(said, folder)
    files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file()]
    if not files:
        raise DataError("no texts", where=str(folder), hint=f"known: {' '.join(SUFFIXES)}")
    read: list[tuple[str, str]] = []
    bad: list[BadRecord] = []
    for file in files:
        name = file.relative_to(folder).as_posix()
        try:
            text, wrong = text_of(file), fault_of_id(name)
            reason = f"its name {wrong}: rename it" if wrong else ""
            reason = reason or ("" if text.strip() else "an empty text")
        except DataError as e:
            text, reason = "", e.what
        if reason:
            bad.append(BadRecord(printable(str(file)), None, None, reason))
        else:
            read.append((name, text))
    owners = [name.rpartition("/")[0].split("/")[0] or None for name, _ in read]
    code, names = codes(owners)
    return Dataset(
        modality="text",
        contents=Held(tuple(text for _, text in read)),
        fields=(),
        ids=np.array([name for name, _ in read], dtype=np.str_),
        identities=code,
        identity_names=names,
        bad=tuple(bad),
        source=str(folder),
        n_read=len(files),
    )
