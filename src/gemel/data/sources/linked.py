"""Two files whose records are to be linked, as one dataset that compares across them only.

Each file is read on its own, in its own way of writing dates and numbers, under the names that the
columns have in the first. A record is known by the name of its file and its id there, so that two
files may use the same ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from gemel.data.dataset import Dataset
from gemel.data.identities import coded
from gemel.data.pairing import Pairing
from gemel.data.schema import PHONE, Field, check_overrides
from gemel.data.sources import pairs as labelled
from gemel.data.sources import tables
from gemel.data.sources.columns import Columns
from gemel.data.sources.columns import joined as with_joined
from gemel.data.sources.formats.table import Table
from gemel.data.sources.rows import TableRows, from_table, unused
from gemel.errors import DataError


@dataclass(frozen=True)
class Other:
    """What the user said about the second file.

    Attributes:
        path: of the file.
        id: its column of record ids; None: the row's number.
        identity: its column of identities; None: they are not known.
        names: column of the first file to column of this one, or several with `columns.JOINED`
            between; empty: columns of one name.
        columns: `date:dmy` or `date:mdy` by its own columns.
        sheet: of a spreadsheet; None: the first with a table.
    """

    path: Path
    id: str | None = None
    identity: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    sheet: str | None = None


def read_two(path: Path, said: Columns, other: Other) -> tuple[Dataset, Dataset]:
    """The records of both files, with every refused row in `bad`, under the names of the first.

    Args:
        path: of the first file.
        said: about its columns; with fields, those of a release, both have them.
        other: the second file.
    Raises:
        DataError: a file cannot be read, or the two have no column in common.
    """
    if said.category is not None or said.groups:
        raise DataError(
            "categories and groups are of one file, two are linked",
            where=str(path),
            hint="leave data.category and data.groups out",
        )
    table = tables.read(path, said.sheet, said.encoding)
    theirs = tables.read(other.path, other.sheet, said.encoding)
    table, theirs = (
        with_joined(one, names, said.gaps)
        for one, names in ((table, other.names.keys()), (theirs, other.names.values()))
    )
    if said.fields is None:
        hidden = {*said.hidden, *said.ignore}
        first = [c for c in table.frame.columns if c not in hidden]
        names = _names(first, theirs, other)
        unused = [c for c in first if c not in names]
        said = replace(said, ignore=(*said.ignore, *unused))
    else:
        names = dict(other.names) or {f.name: f.name for f in said.fields}
    left = from_table(table, said)
    as_first = _as_first(left, said)
    right = _second(theirs, other, (left.fields, as_first), names, said.gaps)
    phones = [f.name for f in right.fields if f.called == PHONE and f.name not in as_first]
    if phones:
        left = from_table(
            table, replace(said, kinds={**said.kinds, **dict.fromkeys(phones, PHONE)})
        )
        note = f"read as phone numbers, as in {theirs.file}: {', '.join(phones)}"
        left = replace(left, notes=(*left.notes, note))
    return replace(left, notes=(*left.notes, *_in_two_currencies(left, right))), right


def _in_two_currencies(left: Dataset, right: Dataset) -> list[str]:
    """What is said of amounts that one file has in another currency than the other."""
    theirs = {f.name: f.reading.currency for f in right.fields if f.reading is not None}
    both = [
        (f.name, f.reading.currency, theirs.get(f.name))
        for f in left.fields
        if f.reading is not None
    ]
    return [
        f"column {name}: amounts in {own} are compared with amounts in {other} as they stand; "
        "bring them to one currency, or leave the column out"
        for name, own, other in both
        if own and other and own != other
    ]


def _as_first(left: Dataset, said: Columns) -> dict[str, str]:
    """Which texts are phone numbers, and which are not whatever the other file holds.

    A number that is digits in one file and written in the other would agree with none.
    """
    settled = {*said.kinds} if said.fields is None else {f.name for f in left.fields}
    return {
        f.name: f.called
        for f in left.fields
        if f.kind == "text" and (f.called == PHONE or f.name in settled)
    }


def _names(first: Sequence[str], theirs: Table, other: Other) -> dict[str, str]:
    """Column of the second file of each column of the first that has one there.

    Args:
        first: columns of the first file that may be compared.
        theirs: the second file.
        other: what was said about it.
    """
    columns = theirs.frame.columns
    for name, at in other.names.items():
        for column, known, where in ((name, first, "first file"), (at, columns, theirs.file)):
            if column not in known:
                raise DataError(
                    f"no column {column!r} to compare, which other.names says",
                    where=where,
                    hint=f"columns to compare: {', '.join(known)}",
                )
    if other.names:
        return dict(other.names)
    found = {n: n for n in first if n in columns and n not in (other.id, other.identity)}
    if not found:
        raise DataError(
            "the two files have no column of one name",
            where=theirs.file,
            hint="say under [other.names] which column of the other file each of the first "
            f"corresponds to, one of {', '.join(columns)}",
        )
    return found


def _second(
    table: Table,
    other: Other,
    first: tuple[Sequence[Field], Mapping[str, str]],
    names: Mapping[str, str],
    missing: Sequence[str],
) -> Dataset:
    """The records of the second file.

    How values are written in the first says nothing here, but for which are phone numbers.
    """
    fields, as_first = first
    check_overrides(table.frame.columns, other.columns, "other.columns")
    back = {names[f.name]: f.name for f in fields if f.name in names}
    labels = [c for c in (other.id, other.identity) if c is not None]
    said = Columns(
        identity=None if other.identity is None else _own(other.identity),
        id=None if other.id is None else _own(other.id),
        kinds={**as_first, **{back[c]: o for c, o in other.columns.items() if c in back}},
        missing=missing,
        fields=[Field(f.name, f.kind) for f in fields],
    )
    found = from_table(_renamed(table, back, labels), said)
    own = {**{name: c for c, name in back.items()}, **{_own(c): c for c in labels}}
    bad, gaps = (
        tuple(replace(b, column=own.get(b.column or "", b.column)) for b in some)
        for some in (found.bad, found.gaps)
    )
    left_out = unused(table.written.columns, list(back), labels)
    contents = TableRows(found.fields, found.contents.frame, found.written, left_out)  # type: ignore[arg-type]
    return replace(found, contents=contents, bad=bad, gaps=gaps, notes=table.notes)


def joined(left: Dataset, right: Dataset) -> Dataset:
    """One dataset of two files with the same fields; only pairs across them are compared.

    Args:
        left: the first file.
        right: the second, with the fields of the first.
    """
    import polars as pl

    names = file_names(left.source, right.source)
    both = (left, right)
    if left.frame is None or right.frame is None:
        raise DataError("only tables of records can be linked", where=left.source)
    identities = [d.identity_of(i) for d in both for i in range(len(d))]
    code, identity_names, same = coded(identities)
    ids = [f"{name}:{i}" for name, d in zip(names, both, strict=True) for i in d.ids.tolist()]
    return replace(
        left,
        contents=TableRows(left.fields, pl.concat([left.frame, right.frame])),
        ids=np.array(ids, dtype=np.str_),
        identities=code,
        identity_names=identity_names,
        bad=(*left.bad, *right.bad),
        source=f"{left.source} and {right.source}",
        n_read=left.n_read + right.n_read,
        notes=(*left.notes, *right.notes, *same),
        gaps=(*left.gaps, *right.gaps),
        pairing=Pairing(files=np.repeat([0, 1], [len(left), len(right)]).astype(np.int64)),
    )


def file_names(left: str, right: str) -> tuple[str, str]:
    """What to call two files, such as `crm` and `shop`; `left` and `right` if that is the same.

    Example:
        >>> file_names("in/crm.csv", "in/shop.parquet"), file_names("a/x.csv", "b/x.csv")
        (('crm', 'shop'), ('left', 'right'))
    """
    one, two = (Path(path).name.partition(".")[0] for path in (left, right))
    return (one, two) if one != two and one and two else ("left", "right")


def own_id(id: str, names: tuple[str, str]) -> str:
    """An id that `joined` gave, as it stands in its own file.

    Example:
        >>> own_id("crm:7", ("crm", "shop"))
        '7'
    """
    return next((id.removeprefix(f"{n}:") for n in names if id.startswith(f"{n}:")), id)


def named_pairs(found: labelled.Pairs, left: Dataset, right: Dataset) -> labelled.Pairs:
    """Pairs of ids of both files as pairs of the ids that `joined` gives."""
    one, two = file_names(left.source, right.source)
    return replace(
        found,
        left=tuple(f"{one}:{i}" for i in found.left),
        right=tuple(f"{two}:{i}" for i in found.right),
    )


def _own(column: str) -> str:
    """Under what name a column is read that the first file has nothing to do with."""
    return f"other {column}"


def _renamed(table: Table, back: Mapping[str, str], labels: Sequence[str]) -> Table:
    """The table with the columns that are used: those compared, and copies of those that label."""
    import polars as pl

    frame = table.frame
    for column in (*back, *labels):
        if column not in frame.columns:
            raise DataError(
                f"no column {column!r}",
                where=table.file,
                hint=f"columns: {', '.join(frame.columns)}",
            )
    wanted = [pl.col(c).alias(name) for c, name in back.items()]
    wanted += [pl.col(c).alias(_own(c)) for c in dict.fromkeys(labels)]
    nested = {back[c]: mask for c, mask in table.nested.items() if c in back}
    return replace(table, frame=frame.select(wanted), nested=nested, whole=table.written)
