"""From the raw columns of a table to typed records.

Every value is parsed as its column's kind. One that does not fit is missing, counted by column; a
column where many do not is refused as a whole. A row without an id, with one that was there before
or without any value that fits is refused and reported; the first reason counts. A row without an
identity is a record of unknown identity.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool, Int64, canonical_json, digest
from gemel.data import identities, schema, wordbags
from gemel.data.dataset import BadRecord, CategoryColumn, Dataset, codes, fault_of_id
from gemel.data.schema import Field, as_text
from gemel.data.sources.columns import Columns, joined, parts
from gemel.data.sources.formats.table import Table
from gemel.errors import DataError, quoted
from gemel.figures import number_of

if TYPE_CHECKING:
    import polars as pl


UNFIT = 0.1
"""Share of values that do not fit above which a column is another one than is said."""
NESTED = 0.1
"""Share of lists or objects above which a column is none of values, instead of some rows bad."""


@dataclass(frozen=True, eq=False)
class TableRows:
    """Rows in memory, one a record.

    Attributes:
        fields: columns that are compared.
        frame: their typed values.
        written: all columns of the file, as they stand there; None where there is no one file.
        unused: of these, the columns that are not compared, and neither id nor identity.
    """

    fields: tuple[Field, ...]
    frame: pl.DataFrame
    written: pl.DataFrame | None = None
    unused: tuple[str, ...] = ()

    def payloads(self, idx: Int64) -> list[dict[str, Any]]:
        """A dict of field name to value for each."""
        return self.frame[idx].to_dicts()

    def take(self, idx: Int64) -> TableRows:
        """The rows at these positions."""
        written = None if self.written is None else self.written[idx]
        return replace(self, frame=self.frame[idx], written=written)

    def digest(self, dataset: Dataset) -> str:
        """Of fields, ids, identities, values and groups, in order."""
        head = canonical_json([[f.name, f.kind] for f in self.fields])
        names = [dataset.identity_of(i) for i in range(len(dataset))]
        labels = (msgspec.json.encode(dataset.ids.tolist()), msgspec.json.encode(names))
        values = [msgspec.json.encode(self.frame[f.name].to_list()) for f in self.fields]
        joined = [msgspec.json.encode([n, c.tolist()]) for n, c in dataset.groups.items()]
        return digest(b"row", head, *labels, *values, *joined)

    def alike(self, side: Int64, *, near: bool) -> tuple[NDArray[np.integer[Any]], Int64]:
        """Equal values, after `wordbags.normalised`, are the same; see `wordbags.near` for near."""
        close = np.zeros((0, 2), np.int64)
        if near:
            close = wordbags.near(wordbags.bags(self.frame, self.fields), side)
        return wordbags.record_keys(self.frame, self.fields), close

    def shown(self, i: int) -> str:
        """Its values, the first 80 characters of them."""
        values = self.payloads(np.array([i]))[0].values()
        text = " ".join(as_text(v) or "" for v in values if v is not None)
        return repr(text if len(text) <= 80 else text[:77] + "...")


def from_table(table: Table, said: Columns) -> Dataset:
    """The records of a table, with every refused row in `bad`.

    Raises:
        DataError: a named column is not there, or no column is left to compare.
    """
    import polars as pl

    if said.fields is not None:
        table = joined(table, [f.name for f in said.fields], said.gaps)
    _require(table, [*said.labels, *said.ignore, *said.groups])
    for column in said.labels:
        if column in said.ignore:
            raise DataError(
                f"column {column!r} is ignored, and named as identity, id or category as well",
                where=table.file,
                hint="take it off the ignored ones; a column that is named is no field anyway",
            )
    if said.category is not None and said.category in (said.identity, said.id):
        raise DataError(
            f"column {said.category!r} cannot be the category as well",
            where=table.file,
            hint="name a column that groups many identities",
        )
    frame = table.frame.drop(set(said.ignore) - set(said.groups))
    grouped = {c: _labels(frame, c, said) for c in said.groups}
    labels = {c: _labels(frame, c, said) for c in said.labels}
    raw, fields, notes = _raw_fields(table, frame.drop(set(said.hidden)), said)
    refusals = _Refusals(table)
    for column, nested in table.nested.items():
        if column in (*raw.columns, *said.labels, *said.groups):
            refusals.where(nested, column, "a list or object, expected one value")
    if raw.width:
        refusals.where(
            _mask(raw.select(pl.all_horizontal(pl.all().is_null()))), None, "empty record"
        )
    if said.id is not None:
        refusals.where(labels[said.id].is_null().to_numpy(), said.id, "missing id")
        again = labels[said.id].is_not_null() & ~labels[said.id].is_first_distinct()
        refusals.where(again.to_numpy(), said.id, "duplicate id", labels[said.id])
        for i, fault in _unfit_ids(labels[said.id]).items():
            refusals.where(np.arange(len(frame)) == i, said.id, f"id {fault}", labels[said.id])
    typed = [f.column(raw[f.name]).rename(f.name) for f in fields]
    gaps = _unfit(raw, fields, typed, refusals)
    kept = np.flatnonzero(refusals.fine)
    n_unknown = labels[said.identity][kept].null_count() if said.identity is not None else 0
    if n_unknown:
        notes += (
            f"{number_of(n_unknown, 'record')} without {said.identity}: of unknown identity, "
            "so read, but on no side of a split",
        )
    found = _assemble(table, said, (fields, typed, labels), refusals, notes)
    return replace(
        found,
        gaps=gaps,
        groups={c: codes(v[kept].to_list())[0] for c, v in grouped.items()},
    )


def _unfit(
    raw: pl.DataFrame, fields: tuple[Field, ...], typed: list[pl.Series], refusals: _Refusals
) -> tuple[BadRecord, ...]:
    """The first value of each column that does not fit; rows of nothing else are refused.

    Raises:
        DataError: of a column many do not.
    """
    unfit = {
        f.name: (raw[f.name].is_not_null() & values.is_null()).to_numpy()
        for f, values in zip(fields, typed, strict=True)
    }
    empty = np.all([values.is_null().to_numpy() for values in typed], axis=0)
    for f in fields:
        refusals.where(unfit[f.name] & empty, f.name, f"not a {f.expected}", raw[f.name])
    said = []
    for f in fields:
        at = np.flatnonzero(unfit[f.name] & refusals.fine)
        n_present = int((raw[f.name].is_not_null().to_numpy() & refusals.fine).sum())
        if len(at):
            said.append(refusals.unfit(f, at, n_present, str(raw[f.name][int(at[0])])))
    return tuple(said)


def _assemble(
    table: Table,
    said: Columns,
    columns: tuple[tuple[Field, ...], list[pl.Series], dict[str, pl.Series]],
    refusals: _Refusals,
    notes: tuple[str, ...],
) -> Dataset:
    import polars as pl

    fields, typed, labels = columns
    kept = np.flatnonzero(refusals.fine)
    ids = labels[said.id].to_numpy() if said.id else np.char.mod("%d", table.ordinals)
    code, names, same = identities.coded(
        labels[said.identity][kept].to_list() if said.identity else [None] * len(kept)
    )
    return Dataset(
        modality="row",
        contents=TableRows(
            fields,
            pl.DataFrame(typed)[kept],
            table.written[kept],
            unused(table.written.columns, [f.name for f in fields], (said.id, said.identity)),
        ),
        fields=fields,
        ids=ids[kept].astype(np.str_),
        identities=code,
        identity_names=names,
        bad=table.placed(sorted((*table.bad, *refusals.bad), key=lambda b: b.row or 0)),
        source=table.file,
        n_read=table.n_read,
        notes=(*table.notes, *notes, *same),
        category=None if said.category is None else _category(said.category, labels, kept),
    )


def unused(
    columns: Sequence[str], compared: Sequence[str], labels: Sequence[str | None]
) -> tuple[str, ...]:
    """The columns of a file that are not compared, alone or joined, and are no label."""
    used = {part for name in compared for part in parts(name, columns)} | {*labels}
    return tuple(c for c in columns if c not in used)


def _unfit_ids(ids: pl.Series) -> dict[int, str]:
    """Place of each id that can name no record, and why."""
    found = {i: fault_of_id(v) for i, v in enumerate(ids.to_list()) if v is not None}
    return {i: fault for i, fault in found.items() if fault}


def _category(column: str, labels: dict[str, pl.Series], kept: Int64) -> CategoryColumn:
    return CategoryColumn(column, *codes(labels[column][kept].to_list()))


class _Refusals:
    """Which rows of a table stay, and a report for each that does not."""

    def __init__(self, table: Table) -> None:
        self.fine: Bool = np.ones(table.frame.height, dtype=np.bool_)
        self.bad: list[BadRecord] = []
        self._table = table

    def where(
        self, refused: Bool, column: str | None, reason: str, values: pl.Series | None = None
    ) -> None:
        """Refuse rows that are not refused yet; the value is shown behind the reason."""
        for i in np.flatnonzero(refused & self.fine).tolist():
            shown = "" if values is None else f": {quoted(str(values[i]))}"
            row = int(self._table.rows[i])
            self.bad.append(BadRecord(self._table.file, row, column, reason + shown))
        self.fine &= ~refused

    def unfit(self, field: Field, at: Int64, n_present: int, first: str) -> BadRecord:
        """The first of the values of a column, at these rows, that do not fit; and of how many.

        Raises:
            DataError: they are too many of those that are present.
        """
        n, row = len(at), int(self._table.rows[at[0]])
        reason = f"not a {field.expected}: {quoted(first)}"
        (found,) = self._table.placed([BadRecord(self._table.file, row, field.name, reason)])
        if n > 1 and n > UNFIT * n_present:
            raise DataError(
                f"{n:,} of {n_present:,} values of column {field.name} do not fit; the first, in "
                f"{found.place}: {reason}",
                where=self._table.file,
                hint="texts that mean no value: data.missing; a column of something else: "
                f'data.columns.{field.name} = "text"; or leave it out: data.ignore',
            )
        more = f", as {n:,} of {n_present:,} values" if n > 1 else ""
        return replace(found, reason=f"read as missing{more}; {reason}")


def _raw_fields(
    table: Table, frame: pl.DataFrame, said: Columns
) -> tuple[pl.DataFrame, tuple[Field, ...], tuple[str, ...]]:
    """Raw columns that become fields, what they are, and notes."""
    if said.fields is None:
        _require_flat(frame, table)
        frame = frame.select(schema.without_gaps(c, said.missing) for c in frame)
        fields, notes = schema.infer(frame, said.kinds, missing=said.missing, where=table.file)
        if not fields:
            raise DataError("no columns are left to compare", where=table.file)
        return frame, fields, notes
    names = [f.name for f in said.fields]
    absent = [n for n in names if n not in frame.columns]
    if absent:
        hint = f"the table has {', '.join(frame.columns)}"
        what = f"no column {absent[0]!r}, which the fields ask for"
        raise DataError(what, where=table.file, hint=hint)
    _require_flat(frame.select(names), table)
    columns, settled = [], []
    for f in said.fields:
        missing = said.gaps if f.reading is None else f.reading.missing
        columns.append(schema.without_gaps(frame[f.name], missing))
        order = said.kinds.get(f.name, "")
        settled.append(f.settled(columns[-1], override=order, missing=missing, where=table.file))
    used = {part for n in names for part in (n, *parts(n, table.written.columns))}
    others = [c for c in frame.columns if c not in used]
    notes = (f"columns that are not used: {', '.join(others)}",) if others else ()
    return frame.select(columns), tuple(settled), notes


def _labels(frame: pl.DataFrame, column: str, said: Columns) -> pl.Series:
    """What a column says about each record, as text; null where it says nothing."""
    return schema.as_strings(schema.without_gaps(frame[column], said.gaps))


def _require(table: Table, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in table.frame.columns:
            near = difflib.get_close_matches(column, table.frame.columns, 1)
            known = f"columns: {', '.join(table.frame.columns)}"
            hint = f"did you mean {near[0]!r}?" if near else known
            raise DataError(f"no column {column!r}", where=table.file, hint=hint)


def _require_flat(frame: pl.DataFrame, table: Table) -> None:
    """Raise, naming all of them, where columns hold something else than single values."""
    import polars as pl

    unfit = [
        name
        for name, dtype in frame.schema.items()
        if dtype.is_nested()
        or dtype in (pl.Binary, pl.Object)
        or (name in table.nested and float(table.nested[name].mean()) > NESTED)
    ]
    if unfit:
        several = "s" if len(unfit) > 1 else ""
        raise DataError(
            f"column{several} {', '.join(unfit)}: lists, objects or bytes, expected single values",
            where=table.file,
            hint=f"leave {'them' if several else 'it'} out with data.ignore = "
            f"{json.dumps(unfit, ensure_ascii=False)}, or turn each into "
            "text, or objects into columns of their own, as pandas.json_normalize does",
        )


def _mask(frame: pl.DataFrame) -> Bool:
    mask: Bool = frame.to_series().to_numpy()
    return mask
