"""What the columns of a table are: text, number, category or date.

A kind is inferred from the values of the whole column, shown to the user and overridable. Reading
a value never guesses: it either fits its kind or is reported. What a network makes of a value is
decided in `encode`, not here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gemel.data import dates
from gemel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["text", "number", "category", "date"]
KINDS: tuple[Kind, ...] = ("text", "number", "category", "date")
OVERRIDES = (*KINDS, "date:dmy", "date:mdy")

MOST = 0.99
"""A column is of a kind when at least this share of its values is; the others are reported."""

_NUMBER = r"^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?\s*$"
_COMMA_NUMBER = r"^\s*[+-]?\d+(?:,\d+)?\s*$"
_COMMA_CERTAIN = r",(?:\d{1,2}|\d{4,})\s*$"
_LEADING_ZERO = r"^\s*[+-]?0\d"


@dataclass(frozen=True)
class Field:
    """A named column and what its values are.

    Values in a payload: text and category `str`, number `float`, date `"YYYY-MM-DD"`; None where
    the value is missing.
    """

    name: str
    kind: Kind


def infer(
    frame: pl.DataFrame, overrides: Mapping[str, str] | None = None
) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    """What each column is, and what a user should know about it.

    A column is a number or a date when 99 % of its values are; values with leading zeros, or long
    whole numbers of one length, are codes and stay text; at most 25 values that each come back ten
    times are categories; all else is text.

    Args:
        frame: raw columns: String, or as typed by the file.
        overrides: column name to kind, or `date:dmy` / `date:mdy`.
    Returns:
        Fields in column order, and notes of one sentence each.
    Raises:
        DataError: an override names no column or no kind.
    """
    overrides = check_overrides(frame.columns, overrides)
    fields: list[Field] = []
    notes: list[str] = []
    for name in frame.columns:
        given = overrides.get(name)
        if given is not None:
            fields.append(Field(name, kind_of(given)))
        else:
            kind, note = _kind(frame[name])
            fields.append(Field(name, kind))
            notes += [f"column {name}: {note}"] if note else []
        notes += [f"column {name}: {n}" for n in _shape_notes(frame[name])]
    return tuple(fields), tuple(notes)


def check_overrides(columns: Sequence[str], overrides: Mapping[str, str] | None) -> dict[str, str]:
    """The overrides, once each is known to name a column and a kind.

    Raises:
        DataError: one does not; the hint names the nearest that would.
    """
    for name, kind in (overrides or {}).items():
        if name not in columns:
            near = difflib.get_close_matches(name, columns, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"columns: {', '.join(columns)}"
            raise DataError(f"no column {name!r}", where=f"columns.{name}", hint=hint)
        if kind not in OVERRIDES:
            raise DataError(
                f"unknown kind {kind!r}",
                where=f"columns.{name}",
                hint=f"one of {', '.join(OVERRIDES)}",
            )
    return dict(overrides or {})


def kind_of(override: str) -> Kind:
    """The kind that an override asks for: `date:dmy` is a date."""
    kind: Kind = next(k for k in KINDS if k == override.split(":")[0])
    return kind


def parse(values: pl.Series, field: Field, *, override: str = "", where: str = "") -> pl.Series:
    """The values as their kind says; null where a value is missing or does not fit.

    Args:
        values: (n,) String with missing values already null, or typed by the file.
        field: name and kind.
        override: `date:dmy` or `date:mdy` settles what comes first.
        where: file, for errors.
    Returns:
        (n,) Float64 for numbers, String for all else (dates as ISO text).
    Raises:
        DataError: a date column does not say whether day or month comes first.
    """
    import polars as pl

    if field.kind == "number":
        return _numbers(values)
    if field.kind == "date":
        if isinstance(values.dtype, pl.Date | pl.Datetime):
            return values.cast(pl.Date).dt.strftime("%Y-%m-%d")
        order: dates.Order | None = "dmy" if override == "date:dmy" else None
        order = "mdy" if override == "date:mdy" else order
        place = f"{where}, column {field.name}"
        return dates.parse(as_strings(values), order=order, where=place)
    return as_strings(values)


def as_strings(values: pl.Series) -> pl.Series:
    """The values as String; whole numbers held as floats lose their `.0`."""
    import polars as pl

    if values.dtype.is_float() and bool((values.drop_nulls() % 1 == 0).all()):
        values = values.cast(pl.Int64, strict=False)
    return values.cast(pl.String, strict=False)


def _kind(values: pl.Series) -> tuple[Kind, str]:
    import polars as pl

    if isinstance(values.dtype, pl.Boolean | pl.Categorical | pl.Enum):
        return "category", ""
    if values.dtype.is_numeric():
        return "number", ""
    if isinstance(values.dtype, pl.Date | pl.Datetime):
        return "date", ""
    present = as_strings(values).drop_nulls()
    if not len(present):
        return "text", ""
    kind, note = _kind_by_pattern(present)
    if kind is not None:
        return kind, note
    n_distinct = present.n_unique()
    if n_distinct <= 25 and n_distinct * 10 <= len(present):
        return "category", note
    return "text", note


def _kind_by_pattern(present: pl.Series) -> tuple[Kind | None, str]:
    if dates.looks_like_dates(present):
        try:
            share = dates.parse(present).is_not_null().mean()
        except DataError as e:
            return "text", f"{e.what}; kept as text; {e.hint}"
        if _float(share) >= MOST:
            return "date", ""
    share = _float(_numbers(present).is_not_null().mean())
    if share < MOST:
        near = share > 0.9
        return None, f"{share:.1%} of the values are numbers; kept as text" if near else ""
    if bool(present.str.contains(_LEADING_ZERO).any()):
        return "text", "whole numbers with leading zeros are taken as codes and kept as text"
    lengths = present.str.len_chars()
    if lengths.min() == lengths.max() and _float(lengths.min()) >= 6 and present.n_unique() > 50:
        return "text", "long numbers of one length are taken as codes and kept as text"
    return "number", ""


def _numbers(values: pl.Series) -> pl.Series:
    import polars as pl

    if values.dtype.is_numeric():
        plain = values.cast(pl.Float64, strict=False)
    else:
        values = as_strings(values)
        commas = values.str.contains(_COMMA_CERTAIN).any() and not values.str.contains(r"\.").any()
        pattern = _COMMA_NUMBER if commas else _NUMBER
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(values))
        fitting = values.zip_with(values.str.contains(pattern), nothing)
        text = fitting.str.strip_chars().str.strip_prefix("+")
        text = text.str.replace(",", ".", literal=True) if commas else text
        plain = text.cast(pl.Float64, strict=False)
    gaps = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(values))
    return plain.zip_with(plain.is_finite(), gaps)


def _shape_notes(values: pl.Series) -> list[str]:
    present = values.drop_nulls()
    if not len(present):
        return ["has no values"]
    n_distinct = present.n_unique()
    if n_distinct == 1 and len(values) > 1:
        return [
            f"is always {str(present[0])[:40]!r}"
            + ("" if len(present) == len(values) else " or missing")
        ]
    if n_distinct == len(values) and len(values) >= 20 and not values.dtype.is_float():
        return ["is different in every row; an id? name it as id, or ignore it"]
    return []


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
