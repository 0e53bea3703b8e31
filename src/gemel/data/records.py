"""From the files that settings name to one validated dataset, whatever kind they are of.

Tables (CSV, TSV, JSON, Parquet), folders of images and files of labelled pairs all end up as a
`Dataset`. A row that does not fit is refused and reported, never repaired; too many of them stop
the reading. Which column holds the identity is said by the user, never guessed.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gemel.arguments import (
    listed,
    path_of,
    require,
    require_numbers,
    require_several,
    require_texts,
)
from gemel.data import several
from gemel.data.dataset import BadRecord, CategoryColumn, Dataset, codes, fault_of_id
from gemel.data.identities import coded
from gemel.data.labelled import identities as by_pairs
from gemel.data.schema import Field, as_text
from gemel.data.sources import images, linked, tables
from gemel.data.sources import pairs as labelled
from gemel.data.sources.columns import Columns, plain
from gemel.data.sources.formats import frames
from gemel.data.sources.formats.absent import no_file
from gemel.data.sources.formats.table import Table, of_frame, of_values
from gemel.data.sources.refusals import MAX_BAD_RATIO, checked
from gemel.data.sources.rows import from_table
from gemel.errors import ConfigError, DataError, quoted
from gemel.registry import MODALITIES

__all__ = ["BadRecord", "Dataset", "from_rows", "read", "read_two", "to_link"]

KINDS = ("auto", "rows", "images", "pairs")
"""What a path can hold; all else is the name of a modality that reads its own files."""
OF_FRAMES = ("auto", "rows", "pairs")
MADE_BY = (
    "rows in memory: gemel.from_rows(rows), or a frame of them; an array of numbers: "
    "gemel.SiameseEstimator"
)
SEVERAL = (list, tuple, dict, set)
"""Types of what is no single value."""
OF_FIELDS = "of a release: release.encoder.prepare.fields; kinds are said by columns="
OF_PAIRS = "gemel.data.sources.pairs.PairColumns(left, right, same)"
MADE_BY_PAIRS = "pairs in memory: write them to a file, such as frame.write_csv(path) does"


def read(
    path: str | Path | Any,
    *,
    kind: str = "auto",
    identity: str | int | None = None,
    id: str | int | None = None,
    category: str | int | None = None,
    columns: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    missing: Sequence[str] = (),
    pairs: str | Path | None = None,
    fields: Sequence[Field] | None = None,
    max_bad_ratio: float = MAX_BAD_RATIO,
    groups: Sequence[str] = (),
    depth: int = 1,
    pair_columns: labelled.PairColumns | None = None,
    separator: str | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
) -> Dataset:
    """The records in a file or folder, validated, with what was refused.

    Args:
        path: a table, a folder of images (identity = sub-folder) or a file of labelled pairs; or
            a frame of polars, pandas or Arrow, whose columns may be named by numbers. An index of
            pandas is left out, unless it is asked for by its name.
        kind: what the path holds; `auto` looks: a folder holds images, a table with exactly the
            columns left, right and same holds pairs, any other table holds rows. The name of a
            modality: it reads the path itself.
        identity: column that says which rows belong together; none: identities are unknown.
        id: column of unique record ids; none: the row's number among the rows, from 1.
        category: column of a category that error rates are told apart by, such as a country; it
            is no field for the encoder unless `columns` gives it a kind.
        columns: column to kind, where the inferred one is wrong; see `schema.infer`.
        ignore: columns that are not used.
        missing: texts that mean "no value", such as "NA"; empty text always does.
        pairs: file of labelled pairs that gives identities to these records by their ids.
        fields: the columns of an existing release; the table must have them, others are ignored.
        max_bad_ratio: share of refused rows above which reading stops.
        groups: columns of a table that join identities, such as device or family: what they join
            is not independent (see `units`). They are not compared.
        depth: sub-folders that name the identity of an image: 1, the first; 0, all of them.
        pair_columns: of a file of pairs; None: left, right and same.
        separator: of labels, where `identity` holds several of a record; see `several`.
        sheet: of a spreadsheet; none: the first with a table.
        encoding: of CSV, JSON and pairs that are not UTF-8, such as `cp1250`; none: cp1252 where a
            CSV is plainly that.
    Raises:
        DataError: unreadable, wrong shape, an unknown column, or too many refused rows.
        ConfigError: no kind, and no modality of that name; neither a path nor a frame; or no such
            encoding.
    """
    require_several(missing=missing, ignore=ignore, groups=groups)
    require_texts(kind=kind, separator=separator, sheet=sheet, encoding=encoding)
    require_numbers(max_bad_ratio=max_bad_ratio, depth=depth)
    require(columns or {}, Mapping, "columns, each with its kind", 'columns={"born": "date"}')
    _check(fields, pair_columns)
    said = Columns(
        _named(identity),
        _named(id),
        {str(name): of for name, of in (columns or {}).items()},
        [*map(str, listed(ignore))],
        [*map(str, listed(missing))],
        fields,
        _named(category),
        [*map(str, listed(groups))],
        depth,
        sheet,
        encoding,
    )
    table: Table | None = None
    if frames.is_frame(path):
        if kind not in OF_FRAMES:
            hint = f"a frame is one of: {', '.join(OF_FRAMES)}"
            raise ConfigError(f"a frame cannot be read as {kind!r}", where="kind", hint=hint)
        table, path = of_frame(frames.as_polars(path, asked=said.asked), "frame"), Path("frame")
    else:
        require(path, (str, os.PathLike), "the path of records or a frame of them", MADE_BY)
        path = Path(path)
        if not path.exists():
            raise no_file(path, "no such file or folder")
    if kind not in KINDS:
        dataset = _modality(kind).read(path, said)
    elif table is None and path.is_dir():
        if kind not in ("auto", "images"):
            raise DataError(f"a folder, expected a file of {kind}", where=str(path))
        dataset = images.read(path, said)
    elif kind == "images":
        raise DataError("a file, expected a folder of images", where=str(path))
    else:
        table = table or tables.read(path, sheet, encoding)
        is_pairs = labelled.are_pairs(table.frame.columns)
        if kind == "pairs" or (kind == "auto" and is_pairs):
            plain(said, path)
            _alone(path, identity=identity, id=id, pairs=pairs, separator=separator)
            return by_pairs.of_pairs(table, path, max_bad_ratio, pair_columns)
        dataset = from_table(table, said)
    dataset = checked(dataset, max_bad_ratio)
    if separator:
        dataset = several.separated(dataset, separator)
    if pairs is None:
        return dataset
    if identity is not None:
        by_pairs.check_unlabelled(dataset)
    at = path_of(pairs, "a file of pairs", MADE_BY_PAIRS)
    found = by_pairs.read(at, pair_columns, encoding)
    return by_pairs.with_pairs(dataset, found, max_bad_ratio)


def _named(column: str | int | None) -> str | None:
    """The name of a column, which a frame may number."""
    return None if column is None else str(column)


def _check(
    fields: Sequence[Field] | None, pair_columns: labelled.PairColumns | None = None
) -> None:
    """Raise where columns are named by texts that things of their own describe.

    Raises:
        ConfigError: they are.
    """
    require_several(fields=fields)
    for field in fields or ():
        require(field, Field, "a Field as one of fields", OF_FIELDS)
    kinds = (labelled.PairColumns, type(None))
    require(pair_columns, kinds, "PairColumns as pair_columns", OF_PAIRS)


def _alone(path: Path, **said: object) -> None:
    """Raise where something is said of records, and pairs are read that name what they are of.

    Raises:
        DataError: it is.
    """
    for name, value in said.items():
        if value is not None:
            raise DataError(
                f"{name} is said, and the file holds labelled pairs",
                where=str(path),
                hint=f'leave {name} out, or read a table of records: kind="rows"',
            )


def _modality(kind: str) -> Any:
    """The modality that reads a kind of its own.

    Raises:
        ConfigError: none does.
    """
    names = MODALITIES.names()
    if kind in names:
        return MODALITIES.load(kind, where="kind")
    known = [*KINDS, *(name for name in names if f"{name}s" not in KINDS)]
    near = difflib.get_close_matches(kind, known, 1)
    raise ConfigError(
        f"unknown kind {kind!r}",
        where="kind",
        hint=f"{f'did you mean {near[0]!r}? ' if near else ''}known: {', '.join(known)}; packages "
        f"add theirs under {MODALITIES.group}",
    )


def read_two(
    path: str | Path, said: Columns, other: linked.Other, *, max_bad_ratio: float = MAX_BAD_RATIO
) -> tuple[Dataset, Dataset]:
    """The records of two files that are to be linked, each validated, under the names of the first.

    Args:
        path: the first file.
        said: about its columns.
        other: the second file.
        max_bad_ratio: share of refused rows of one above which reading stops.
    Raises:
        DataError: as `read`, or the files have no column in common.
    """
    for one in (Path(path), other.path):
        if not one.is_file():
            hint = "two tables of records can be linked"
            if not one.exists():
                raise no_file(one, hint=hint)
            raise DataError("a folder, expected a file of rows", where=str(one), hint=hint)
    left, right = linked.read_two(Path(path), said, other)
    return checked(left, max_bad_ratio), checked(right, max_bad_ratio)


def to_link(
    left: Dataset,
    right: Dataset,
    pairs: str | Path | None = None,
    *,
    pair_columns: labelled.PairColumns | None = None,
    max_bad_ratio: float = MAX_BAD_RATIO,
    encoding: str | None = None,
) -> Dataset:
    """Both files of `read_two` as one dataset that is compared across them only.

    Args:
        left: the first file.
        right: the second.
        pairs: file of pairs of an id of the first and one of the second; gives identities.
        pair_columns: of that file; None: left, right and same.
        max_bad_ratio: share of refused pairs above which reading stops.
        encoding: of that file, if it is not UTF-8.
    Raises:
        DataError: the pairs cannot be read, or the records have identities already.
    """
    dataset = linked.joined(left, right)
    if pairs is None:
        return dataset
    by_pairs.check_unlabelled(dataset)
    found = linked.named_pairs(by_pairs.read(Path(pairs), pair_columns, encoding), left, right)
    return by_pairs.with_pairs(dataset, found, max_bad_ratio)


def from_rows(
    rows: Sequence[Mapping[str, Any]] | Any,
    *,
    identities: Sequence[str | int | None] | None = None,
    ids: Sequence[str | int] | None = None,
    fields: Sequence[Field] | None = None,
    categories: tuple[str, Sequence[str | None]] | None = None,
) -> Dataset:
    """Dataset of rows in memory; kinds are inferred as for a file unless `fields` are given.

    Args:
        rows: n dicts of column to value; a missing key is a missing value. Or a frame.
        identities: (n,) names; None where unknown.
        ids: (n,) unique; default "1", "2", ...
        fields: columns and kinds.
        categories: name of the category and (n,) values; None where unknown.
    Raises:
        DataError: no rows, lengths that differ, or a row that would be refused in a file.
    """
    if frames.is_frame(rows):
        rows = frames.as_polars(rows).to_dicts()
    require(rows, Sequence, "rows, each a dict of column to value", MADE_BY)
    _check(fields)
    if not isinstance(categories, tuple | list | None) or len(categories or "of") != 2:
        hint = "the name of the category, and that of each row"
        raise ConfigError("expected a pair as categories", hint=hint)
    require_several(identities=identities, ids=ids)
    for row in rows:
        require(row, Mapping, "a row as a dict of column to value", MADE_BY)
    if not rows:
        raise DataError("no rows")
    names = list(dict.fromkeys(n for row in rows for n in row))
    for name in names:
        require(name, str, "the name of a column as text", MADE_BY)
    columns = {n: [row.get(n) for row in rows] for n in names}
    nested = {n: np.array([isinstance(v, SEVERAL) for v in c]) for n, c in columns.items()}
    nested = {n: mask for n, mask in nested.items() if mask.any()}
    dataset = from_table(replace(of_values(columns, "rows"), nested=nested), Columns(fields=fields))
    name, values_of = categories or ("", None)
    for label, given in (("identities", identities), ("ids", ids), ("categories", values_of)):
        if given is not None and len(given) != len(rows):
            raise DataError(f"{len(given)} {label} for {len(rows)} rows")
    dataset = checked(dataset, 0.0)
    if ids is not None:
        dataset = replace(dataset, ids=np.array([as_text(i) or "" for i in ids], dtype=np.str_))
        if len(set(dataset.ids.tolist())) != len(dataset):
            raise DataError("ids are not unique")
        for name in dataset.ids.tolist():
            if fault := fault_of_id(name):
                raise DataError(f"id {quoted(name)} {fault}")
    if identities is not None:
        code, identity_names, same = coded([as_text(v) for v in identities])
        notes = (*dataset.notes, *same)
        dataset = replace(dataset, identities=code, identity_names=identity_names, notes=notes)
    if values_of is not None:
        column = CategoryColumn(name, *codes([as_text(v) for v in values_of]))
        dataset = replace(dataset, category=column)
    return dataset


def kind_of(modality: str) -> str:
    """As what files of a modality are read: by looks, or its own name if looks do not tell."""
    return "auto" if f"{modality}s" in KINDS else modality
