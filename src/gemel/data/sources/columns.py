"""What a user said about the columns of a file: which is the identity, the id, which are none.

Every form of file is told the same; one that has no columns refuses what it cannot heed (`plain`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from gemel.data.schema import Field, as_strings, without_gaps
from gemel.data.sources.formats.table import Table
from gemel.errors import DataError

JOINED = " + "
"""Between the names of columns that are read as one."""


@dataclass(frozen=True)
class Columns:
    """What the user said about the columns of a table."""

    identity: str | None = None
    id: str | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    ignore: Sequence[str] = ()
    missing: Sequence[str] = ()
    fields: Sequence[Field] | None = None
    category: str | None = None
    groups: Sequence[str] = ()
    depth: int = 1
    """Sub-folders that name the identity of an image; 0: all of them."""
    sheet: str | None = None
    """Of a spreadsheet; None: the first with a table."""
    encoding: str | None = None
    """Of text that is not UTF-8; None: cp1252 where a CSV is plainly that."""

    @property
    def labels(self) -> list[str]:
        """Columns that say something about a record."""
        return [c for c in (self.identity, self.id, self.category) if c is not None]

    @property
    def asked(self) -> set[str]:
        """Columns that are used whatever else is read."""
        return {*self.labels, *self.groups, *self.kinds, *(f.name for f in self.fields or ())}

    @property
    def gaps(self) -> list[str]:
        """Texts that mean "no value", of the settings and of the fields of a release."""
        own = (f.reading.missing for f in self.fields or () if f.reading is not None)
        return list(dict.fromkeys([*self.missing, *(text for texts in own for text in texts)]))

    @property
    def hidden(self) -> list[str]:
        """Columns that are no fields; the category is one where it is asked for by its kind.

        What a release takes is a field whatever else it says.
        """
        taken = {f.name for f in self.fields or ()}
        if self.category is not None and self.category in self.kinds:
            taken.add(self.category)
        return [c for c in [*self.labels, *self.groups] if c not in taken]


def parts(name: str, columns: Sequence[str]) -> list[str]:
    """The columns that a name stands for: itself, or those that it joins.

    Args:
        name: of a column, or of several with a sign between.
        columns: that there are.

    Example:
        >>> parts("first + last", ["first", "last"]), parts("a + b", ["a + b"]), parts("c", [])
        (['first', 'last'], ['a + b'], ['c'])
    """
    several = [part.strip() for part in name.split(JOINED)]
    return [name] if name in columns or not {*several} <= {*columns} else several


def joined(table: Table, names: Iterable[str], missing: Sequence[str]) -> Table:
    """The table with a further column for each name of several: their values with a blank between.

    Args:
        table: as it stands in the file.
        names: of columns that are wanted; those of one column, or of none, change nothing.
        missing: texts that mean "no value"; where none has a value, the column has none.
    """
    import polars as pl

    frame, nested = table.frame, dict(table.nested)
    for name in dict.fromkeys(names):
        several = parts(name, table.frame.columns)
        if several == [name]:
            continue
        values = [as_strings(without_gaps(table.frame[c], missing)) for c in several]
        text = pl.select(pl.concat_str(values, separator=" ", ignore_nulls=True)).to_series()
        frame = frame.with_columns(without_gaps(text, ()).alias(name))
        masks = [table.nested[c] for c in several if c in table.nested]
        nested |= {name: np.logical_or.reduce(masks)} if masks else {}
    return (
        table
        if frame is table.frame
        else replace(table, frame=frame, nested=nested, whole=table.written)
    )


def of_folder(said: Columns, path: Path) -> None:
    """Raise unless nothing was said about columns, which a folder of files has not.

    Raises:
        DataError: an identity, an id, a category or groups were named.
    """
    plain(said, path)
    for name, column in (("identity", said.identity), ("id", said.id)):
        if column is not None:
            raise DataError(
                f"{name} names column {column!r}, and a folder of files has no columns",
                where=str(path),
                hint="the sub-folder that a file is in says which belong together (data.depth: how "
                "many levels), its path is its id; or name a file of pairs of paths as data.pairs",
            )


def plain(said: Columns, path: Path) -> None:
    """Raise unless nothing was said about columns that only a table of records has.

    Raises:
        DataError: a category or groups were named.
    """
    if said.category is not None:
        hint = "leave data.category out"
        what = "a category is a column of rows, there are none"
        raise DataError(what, where=str(path), hint=hint)
    if said.groups:
        hint = "leave groups out, or read a table of records"
        raise DataError("groups are columns of a table of records", where=str(path), hint=hint)
