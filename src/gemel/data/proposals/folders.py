"""What a folder of files holds, by the names of the files in it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from gemel.data import records
from gemel.data.dataset import printable
from gemel.data.sources import captions, images, recordings, tables, texts
from gemel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

ENOUGH = 1000
"""Files that are looked at."""
KINDS = (images.KIND, texts.KIND, recordings.KIND)
CAPTIONED = captions.NAME
"""`data.kind` of pictures with captions."""


def is_captioned(table: Path, frame: pl.DataFrame) -> bool:
    """Whether a table has a column of picture files that are there, and others beside it."""
    column = captions.picture_column(frame)
    if column is None or len(frame.columns) < 2:
        return False
    some = frame[column].drop_nulls().head(captions.LOOKED_AT).to_list()
    return any((table.parent / str(name)).is_file() for name in some)


def tables_in(folder: Path) -> list[Path]:
    """The tables of a folder that holds nothing else that is read; none of any other."""
    if _seen(folder):
        return []
    return sorted(p for p in folder.iterdir() if p.is_file() and tables.is_table(p))


def kind_of(folder: Path) -> str:
    """`data.kind` of a folder: captioned pictures, or most files below it.

    Raises:
        DataError: none of its files is of a kind that is read.
    """
    if captions.are_in(folder):
        return captions.NAME
    seen = _seen(folder)
    if not seen:
        *some, last = (kind.nouns[1] for kind in KINDS)
        known = "; ".join(f"{kind.nouns[1]} {' '.join(kind.suffixes)}" for kind in KINDS)
        raise DataError(
            f"no {', '.join(some)} or {last}",
            where=printable(str(folder)),
            hint=f"known: {known}; or name a table",
        )
    modality = seen.most_common(1)[0][0]
    named = records.kind_of(modality)
    return f"{modality}s" if named == "auto" else named


def _seen(folder: Path) -> Counter[str]:
    """How many files below a folder are of each modality."""
    of = {suffix: kind.modality for kind in KINDS for suffix in (*kind.suffixes, *kind.unread[0])}
    seen: Counter[str] = Counter()
    for _, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if not n.startswith(".")]
        seen.update(of[s] for n in names if (s := Path(n).suffix.lower()) in of)
        if seen.total() > ENOUGH:
            break
    return seen
