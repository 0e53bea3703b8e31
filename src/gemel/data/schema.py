"""What the columns of a table are: text, number, category or date.

A kind is inferred from the values of the whole column, shown to the user and overridable, and so is
how its values are written. From then on both belong to the field, and with it to a release: files,
requests, commands and scripts read a value by its field alone. Reading never guesses: a value fits
or is reported. What a network makes of it is decided in `encode`, not here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gemel.data.values import amounts, dates, numbers, phones
from gemel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["text", "number", "category", "date"]
KINDS: tuple[Kind, ...] = ("text", "number", "category", "date")
PHONE = "phone"
OVERRIDES = (*KINDS, "date:dmy", "date:mdy", PHONE)

MOST_DATES = 0.9
"""A column holds dates when at least this share of its values are: people type impossible days, and
nothing else looks like one."""

CODES = 'its numbers are taken as codes and kept as text; data.columns calls it a "number" if not'
_LEADING_ZERO = r"^\s*[+-]?0\d"


@dataclass(frozen=True)
class Reading:
    """How the values of a field are written.

    Attributes:
        missing: texts that mean "no value", besides blank ones.
        order: what comes first in dates like `03/04/1980`; None: such a value is no date.
        decimal: sign of numbers.
        phone: texts are phone numbers, of which the digits count.
        newest: the last year that a year of two digits may be; None: no such value is a date.
        currency: of amounts, as `amounts.currency_of` calls it; None: numbers are none.
    """

    missing: tuple[str, ...] = ()
    order: dates.Order | None = None
    decimal: numbers.Decimal = "."
    phone: bool = False
    newest: int | None = None
    currency: str | None = None

    def spec(self) -> dict[str, Any]:
        """All of it, as JSON values; without what came later where that says nothing."""
        said = {**asdict(self), "missing": list(self.missing)}
        later = {"phone": False, "newest": None, "currency": None}
        return {k: v for k, v in said.items() if k not in later or v != later[k]}


@dataclass(frozen=True)
class Field:
    """A named column, what its values are and how they are written.

    Values in a payload: text and category `str`, number `float`, date `"YYYY-MM-DD"`; None where
    the value is missing.

    Attributes:
        name: of the column.
        kind: of its values.
        reading: how they are written; None (of releases before 0.2, or not known yet): the column
            of a file says it (`settled`), and a single value must be of its kind already.
    """

    name: str
    kind: Kind
    reading: Reading | None = None

    def settled(
        self, values: pl.Series, *, override: str = "", missing: Sequence[str] = (), where: str = ""
    ) -> Field:
        """The field with a reading: its own, or the one that a column asks for.

        Args:
            values: (n,) of the column, with missing values already null.
            override: `date:dmy` or `date:mdy` settles what comes first, `phone` or `text` whether
                texts are phone numbers.
            missing: texts that mean "no value".
            where: file, for errors.
        Raises:
            DataError: a date column does not say whether day or month comes first.
        """
        if self.reading is not None:
            return self
        reading = Reading(tuple(missing), phone=override == PHONE)
        if self.kind == "date" and not values.dtype.is_temporal():
            said = {"date:dmy": "dmy", "date:mdy": "mdy"}.get(override)
            place = f"{where}, column {self.name}"
            order: Any = said or dates.order_of(as_strings(values), place)
            reading = replace(reading, order=order, newest=dates.newest_of(as_strings(values)))
        if self.kind == "number" and not values.dtype.is_numeric():
            decimal, currency = numbers.written_of(as_strings(values).drop_nulls())
            reading = replace(reading, decimal=decimal, currency=currency)
        if self.kind == "text" and not override:
            reading = replace(reading, phone=phones.are_phones(self.name, as_strings(values)))
        return replace(self, reading=reading)

    def column(self, values: pl.Series) -> pl.Series:
        """The values of a column as the kind says; null where one is missing or does not fit.

        Args:
            values: (n,) String with missing values already null, or typed by the file.
        Returns:
            (n,) Float64 for numbers, String for all else (dates as ISO text).
        """
        import polars as pl

        reading = self.reading or Reading()
        if self.kind == "number":
            texts = values if values.dtype.is_numeric() else as_strings(values)
            return numbers.parse(texts, reading.decimal, reading.currency)
        if self.kind == "date":
            if isinstance(values.dtype, pl.Date | pl.Datetime):
                return values.dt.strftime("%Y-%m-%d")  # in its own time zone
            return dates.parse(as_strings(values), reading.order, reading.newest)
        text = as_strings(values)
        return phones.parse(text) if reading.phone else text

    def value(self, value: Any) -> Any:
        """One value as `column` reads it: None where it is missing, itself where it does not fit.

        Example:
            >>> Field("born", "date", Reading(("N/A",), "dmy")).value("03/04/1980")
            '1980-04-03'
        """
        if self.reading is None:
            is_day = self.kind == "date" and isinstance(value, str)
            return (dates.iso(value) or value) if is_day else value
        text = as_text(value)
        if text is None or not text.strip() or text.strip() in self.reading.missing:
            return None
        if not isinstance(value, str):
            return value
        if self.kind == "number":
            number = numbers.one(value, self.reading.decimal, self.reading.currency)
            return value if number is None else number
        if self.kind == "date":
            return dates.iso(value, self.reading.order, self.reading.newest) or value
        return phones.one(value) if self.reading.phone else value

    @property
    def called(self) -> str:
        """The kind as `[data.columns]` calls it: `phone` is one there, and a text to an encoder."""
        return PHONE if self.reading is not None and self.reading.phone else self.kind

    @property
    def expected(self) -> str:
        """What a value that does not fit is not."""
        if self.reading is not None and self.reading.phone:
            return "phone numbers, of which the digits within the country count"
        first = {"dmy": " with the day first", "mdy": " with the month first"}
        comma = " with a decimal comma" if self.reading and self.reading.decimal == "," else ""
        order = first.get(self.reading.order or "", "") if self.reading else ""
        currency = self.reading.currency if self.reading else None
        return f"{self.kind}{order}{comma}{amounts.in_words(currency)}"


def without_gaps(values: pl.Series, missing: Sequence[str]) -> pl.Series:
    """The values; null where one is blank, or one of the texts that mean "no value"."""
    import polars as pl

    if values.dtype != pl.String and (not missing or values.dtype.is_nested()):
        return values
    text = as_strings(values).str.strip_chars()
    there = ((text != "") & ~text.is_in(list(missing))).fill_null(False)
    return values.zip_with(
        there, pl.Series([None], dtype=values.dtype).new_from_index(0, len(values))
    )


def readings(fields: Sequence[Field]) -> dict[str, Any]:
    """How fields are written, by name as JSON values; those written plainly are left out."""
    said = {f.name: f.reading for f in fields if f.reading is not None}
    return {name: reading.spec() for name, reading in said.items() if reading != Reading()}


def infer(
    frame: pl.DataFrame,
    overrides: Mapping[str, str] | None = None,
    *,
    missing: Sequence[str] = (),
    where: str = "",
) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    """What each column is, how it is written, and what a user should know about it.

    A column is a number when 99 % of its values are, or are amounts in one currency, a date when
    90 % are; values with leading zeros, and numbers that are codes (`numbers.is_code`), stay text;
    at most 25 values that each come back ten times are categories; all else is text.

    Args:
        frame: raw columns, missing values null: String, or as typed by the file.
        overrides: column name to kind, or `date:dmy` / `date:mdy`.
        missing: texts that meant "no value".
        where: file, for errors.
    Returns:
        Fields in column order, and notes of one sentence each.
    Raises:
        DataError: an override names no column or no kind, or a column of dates does not say whether
            day or month comes first.
    """
    overrides = check_overrides(frame.columns, overrides)
    fields: list[Field] = []
    notes: list[str] = []
    for name in frame.columns:
        given = overrides.get(name, "")
        kind, note = (kind_of(given), "") if given else _kind(name, frame[name])
        field = Field(name, kind).settled(frame[name], override=given, missing=missing, where=where)
        fields.append(field)
        notes += [f"column {name}: {note}"] if note else []
        if field.expected != kind and not given:
            notes.append(f"column {name}: read as {field.expected}")
        if (newest := field.reading.newest if field.reading else None) is not None:
            years = f"{newest - 99} to {newest}"
            notes.append(f"column {name}: years of two digits are read as {years}")
        notes += [f"column {name}: {n}" for n in _shape_notes(frame[name])]
    return tuple(fields), tuple(notes)


def check_overrides(
    columns: Sequence[str], overrides: Mapping[str, str] | None, where: str = "columns"
) -> dict[str, str]:
    """The overrides, once each is known to name a column and a kind.

    Args:
        columns: that there are.
        overrides: column name to kind.
        where: they are said, for errors.
    Raises:
        DataError: one does not; the hint names the nearest that would.
    """
    for name, kind in (overrides or {}).items():
        if name not in columns:
            near = difflib.get_close_matches(name, columns, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"columns: {', '.join(columns)}"
            raise DataError(f"no column {name!r}", where=f"{where}.{name}", hint=hint)
        if kind not in OVERRIDES:
            raise DataError(
                f"unknown kind {kind!r}",
                where=f"{where}.{name}",
                hint=f"one of {', '.join(OVERRIDES)}",
            )
    return dict(overrides or {})


def kind_of(override: str) -> Kind:
    """The kind that an override asks for: `date:dmy` is a date, `phone` a text."""
    if override == PHONE:
        return "text"
    kind: Kind = next(k for k in KINDS if k == override.split(":")[0])
    return kind


def as_strings(values: pl.Series) -> pl.Series:
    """The values as String; whole numbers held as floats lose their `.0`, as in `as_text`."""
    import polars as pl

    if values.dtype.is_float():
        whole = ((values % 1 == 0) & (values.abs() < 2**53)).fill_null(False)
        digits = values.cast(pl.Int64, strict=False).cast(pl.String)
        return digits.zip_with(whole, values.cast(pl.String))
    return values.cast(pl.String, strict=False)


def as_text(value: object) -> str | None:
    """A single value as the text it would have in a CSV file; None stays None.

    Example:
        >>> as_text(True), as_text(2.0), as_text(None)
        ('true', '2', None)
    """
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 2**53 else str(number)
    return str(value)


def _kind(name: str, values: pl.Series) -> tuple[Kind, str]:
    import polars as pl

    if isinstance(values.dtype, pl.Boolean | pl.Categorical | pl.Enum):
        return "category", ""
    if phones.are_phones(name, as_strings(values)):
        return "text", ""
    if values.dtype.is_numeric():
        return ("text", CODES) if numbers.is_code(values) else ("number", "")
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
            order, newest = dates.order_of(present), dates.newest_of(present)
            share = dates.parse(present, order, newest).is_not_null().mean()
        except DataError as e:
            return "text", f"{e.what}; kept as text; {e.hint}"
        if _float(share) >= MOST_DATES:
            return "date", ""
    found = numbers.parse(present, *numbers.written_of(present))
    share = _float(found.is_not_null().mean())
    if share < numbers.MOST:
        near = share > 0.9
        return None, f"{share:.1%} of the values are numbers; kept as text" if near else ""
    if bool(present.str.contains(_LEADING_ZERO).any()):
        return "text", "whole numbers with leading zeros are taken as codes and kept as text"
    return ("text", CODES) if numbers.is_code(present) else ("number", "")


def _shape_notes(values: pl.Series) -> list[str]:
    present = values.drop_nulls()
    if not len(present):
        return ["has no values"]
    n_distinct = present.n_unique()
    if n_distinct == 1 and len(values) > 1:
        gap = "" if len(present) == len(values) else " or missing"
        return [f"is always {str(present[0])[:40]!r}{gap}"]
    if n_distinct == len(values) and len(values) >= 20 and not values.dtype.is_float():
        return ["is different in every row; an id? name it as id, or ignore it"]
    return []


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
