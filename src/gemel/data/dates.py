"""Dates written in the common ways, parsed column by column to ISO text.

Most ways of writing a date say themselves what is day and what is month. `03/04/1980` does not:
there the whole column decides, and if it cannot, the user is asked. A date is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from gemel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Order = Literal["dmy", "mdy"]

_TIME = r"(?:[T ]\d{1,2}:\d{2}.*)?"
_CERTAIN = (
    rf"^(?P<y>\d{{4}})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}}){_TIME}$",
    r"^(?P<y>1[5-9]\d\d|2[01]\d\d)(?P<m>\d{2})(?P<d>\d{2})$",
    rf"^(?P<d>\d{{1,2}})\.(?P<m>\d{{1,2}})\.(?P<y>\d{{4}}){_TIME}$",
    r"^(?P<d>\d{1,2})[ -](?P<m>[A-Za-z]{3})[a-z]*\.?,?[ -](?P<y>\d{4})$",
    r"^(?P<m>[A-Za-z]{3})[a-z]*\.? (?P<d>\d{1,2}),? (?P<y>\d{4})$",
)
_OPEN = {
    "dmy": rf"^(?P<d>\d{{1,2}})[/-](?P<m>\d{{1,2}})[/-](?P<y>\d{{4}}){_TIME}$",
    "mdy": rf"^(?P<m>\d{{1,2}})[/-](?P<d>\d{{1,2}})[/-](?P<y>\d{{4}}){_TIME}$",
}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def parse(values: pl.Series, *, order: Order | None = None, where: str = "") -> pl.Series:
    """ISO text of each value that is a date, null elsewhere.

    Written as year-month-day with `-`, `/` or `.`; `YYYYMMDD`; `DD.MM.YYYY`; day, English month
    and year; or two numbers and a year with `/` or `-`, whose order the column decides. A time of
    day behind the date is ignored.

    Args:
        values: (n,) String.
        order: what comes first in `03/04/1980`; None lets the column decide.
        where: file and column, for the error.
    Returns:
        (n,) String, "YYYY-MM-DD" or null.
    Raises:
        DataError: the column does not say whether day or month comes first.
    """
    trimmed = values.str.strip_chars()
    out = _first(trimmed, _CERTAIN)
    rest = trimmed.filter(out.is_null() & trimmed.is_not_null())
    if not rest.str.contains(_OPEN["dmy"]).any():
        return out
    chosen = order or _order(rest, where)
    return _coalesce(out, _first(trimmed, (_OPEN[chosen],)))


def iso(text: str) -> str | None:
    """ISO text of one date that says itself what is day and what is month; None for any other.

    Example:
        >>> iso("02.01.1961"), iso("2 Jan 1961"), iso("02/01/1961")
        ('1961-01-02', '1961-01-02', None)
    """
    text = text.strip()
    for pattern in _CERTAIN:
        found = re.fullmatch(pattern, text)
        if found is None:
            continue
        name = found["m"].lower()
        try:
            month = int(name) if name.isdigit() else _MONTHS.index(name) + 1
            return date(int(found["y"]), month, int(found["d"])).isoformat()
        except ValueError:  # no such month or day
            return None
    return None


def as_iso(row: Any, names: Iterable[str]) -> Any:
    """The row with the dates in these fields as ISO text; what is no such date stays as it is.

    Args:
        row: a mapping of field to value; anything else is returned as it is.
        names: of the fields that hold dates.
    """
    if not isinstance(row, Mapping):
        return row
    given = {name: row[name] for name in names if isinstance(row.get(name), str)}
    return {**row, **{name: iso(value) or value for name, value in given.items()}}


def looks_like_dates(values: pl.Series) -> bool:
    """Whether most of a few values are written like dates, right or wrong."""
    head = values.drop_nulls().head(500).str.strip_chars()
    if not len(head):
        return False
    hits = sum(int(head.str.contains(p).sum() or 0) for p in (*_CERTAIN, _OPEN["dmy"]))
    return hits > len(head) / 2


def _order(values: pl.Series, where: str) -> Order:
    day_first, month_first = (_first(values, (_OPEN[o],)) for o in ("dmy", "mdy"))
    only_day = int((day_first.is_not_null() & month_first.is_null()).sum())
    only_month = int((month_first.is_not_null() & day_first.is_null()).sum())
    if only_day != only_month:
        return "dmy" if only_day > only_month else "mdy"
    if only_day == 0 and bool((day_first == month_first).all()):
        return "dmy"
    example = values.drop_nulls()[0]
    raise DataError(
        f"dates such as {example!r} do not say whether the day or the month comes first",
        where=where,
        hint='set the column to "date:dmy" or "date:mdy"',
    )


def _first(values: pl.Series, patterns: tuple[str, ...]) -> pl.Series:
    import polars as pl

    out = pl.Series(values.name, [None] * len(values), dtype=pl.String)
    for pattern in patterns:
        if not bool(values.str.contains(pattern).any()):
            continue
        parts = values.str.extract_groups(pattern).struct
        year, month, day = (parts.field(k) for k in "ymd")
        numbered = month.str.slice(0, 3).str.to_lowercase()
        for i, name in enumerate(_MONTHS, 1):
            if "A-Z" not in pattern:
                break
            numbered = numbered.str.replace(f"^{name}$", str(i))
        text = year + "-" + numbered.str.zfill(2) + "-" + day.str.zfill(2)
        parsed = text.str.strptime(pl.Date, "%Y-%m-%d", strict=False)
        out = _coalesce(out, parsed.dt.strftime("%Y-%m-%d"))
    return out


def _coalesce(first: pl.Series, second: pl.Series) -> pl.Series:
    return first.zip_with(first.is_not_null(), second)
