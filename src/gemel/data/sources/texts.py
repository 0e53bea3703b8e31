"""Texts: the text columns of a table, or the text files below a folder.

In a table every column of text that is left is part of the text, in order, a line each. In a folder
the first sub-folder is the identity and the path is the id, as for images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gemel.arrays import Int64
from gemel.data.dataset import UNKNOWN, BadRecord, Dataset, Held, printable
from gemel.data.sources import folders, tables
from gemel.data.sources.columns import Columns
from gemel.data.sources.rows import from_table
from gemel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = (".txt", ".md")


@dataclass(frozen=True)
class TableTexts(Held):
    """Texts of a table, with all of its columns.

    Attributes:
        written: the columns as they stand there, a row a record.
        unused: of these, those that are no text, and neither id nor identity.
    """

    written: pl.DataFrame | None = None
    unused: tuple[str, ...] = ()

    def take(self, idx: Int64) -> TableTexts:
        """Those at these positions."""
        written = None if self.written is None else self.written[idx]
        return TableTexts(tuple(self.payloads(idx)), written=written, unused=self.unused)


def read(path: Path, said: Columns) -> Dataset:
    """The texts of a table or a folder, with what was refused.

    Raises:
        DataError: no column of text, no text file, or a table that cannot be read.
    """
    return _folder(path, said) if path.is_dir() else _table(path, said)


def held(texts: Sequence[str], source: str) -> Dataset:
    """Texts of unknown identity, known by their number from 1."""
    return Dataset(
        modality="text",
        contents=Held(tuple(texts)),
        fields=(),
        ids=np.char.mod("%d", np.arange(1, len(texts) + 1)).astype(np.str_),
        identities=np.full(len(texts), UNKNOWN, np.int64),
        identity_names=(),
        source=source,
        n_read=len(texts),
    )


def fault_of(path: Path) -> str:
    """Why a file is no text; empty if it is one."""
    try:
        return _fault(path.read_bytes())
    except OSError as e:
        return f"cannot read the file: {e.strerror}"


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
    table = tables.read(path, said.sheet, said.encoding)
    rows = from_table(table, said)
    names = [f.name for f in rows.fields if f.kind == "text"]
    if not names:
        kinds = ", ".join(f"{f.name} is a {f.kind}" for f in rows.fields)
        hint = 'say under data.columns which is "text", or read rows: leave data.kind out'
        raise DataError(f"no column of text: {kinds}", where=str(path), hint=hint)
    others = [f.name for f in rows.fields if f.kind != "text"]
    lines = ([row[name] for name in names] for row in rows.payloads())
    held = ["\n".join(line for line in texts if line) for texts in lines]
    fine = np.array([bool(text.strip()) for text in held], np.bool_)
    row_of = np.setdiff1d(table.rows, [b.row for b in rows.bad if b.row is not None])
    empty = table.placed(
        BadRecord(rows.source, int(row), names[0], "no text") for row in row_of[~fine]
    )
    notes = (f"columns that are no text and are not compared: {', '.join(others)}",)
    kept = np.flatnonzero(fine)
    return replace(
        rows.take(kept),
        modality="text",
        contents=TableTexts(
            tuple(held[i] for i in kept.tolist()),
            written=None if rows.written is None else rows.written[kept],
            unused=(*rows.unused, *others),
        ),
        fields=(),
        bad=tuple(sorted((*rows.bad, *empty), key=lambda b: b.row or 0)),
        n_read=rows.n_read,
        notes=(*rows.notes, *(notes if others else ())),
    )


def _folder(folder: Path, said: Columns) -> Dataset:
    files = folders.read(folder, said, KIND)
    texts = tuple(data.decode("utf-8-sig") for data in files.payloads())
    return replace(files, contents=Held(texts))


def _fault(data: bytes) -> str:
    try:
        return "" if data.decode("utf-8-sig").strip() else "an empty text"
    except UnicodeDecodeError:
        return "not UTF-8"


KIND = folders.Kind("text", SUFFIXES, ("text", "texts"), _fault)
