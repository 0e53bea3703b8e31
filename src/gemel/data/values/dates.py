"""Dates written in the common ways, parsed to ISO text.

Most ways of writing a date say themselves what is day and what is month. `03/04/1980` does not:
there the order of its field decides, which a user or a whole column has said once (`order_of`), and
so does it of what century `80` is a year (`newest_of`). A date is never guessed, and no row changes
how another one is read.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Literal

from gemel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Order = Literal["dmy", "mdy"]

_TIME = r"(?:[T ][0-9]{1,2}:[0-9]{2}.*)?"
_CERTAIN = (
    rf"^(?P<y>[0-9]{{4}})[-/.](?P<m>[0-9]{{1,2}})[-/.](?P<d>[0-9]{{1,2}}){_TIME}$",
    r"^(?P<y>1[5-9][0-9][0-9]|2[01][0-9][0-9])(?P<m>[0-9]{2})(?P<d>[0-9]{2})$",
    rf"^(?P<d>[0-9]{{1,2}})\.(?P<m>[0-9]{{1,2}})\.(?P<y>[0-9]{{4}}){_TIME}$",
    r"^(?P<d>[0-9]{1,2})[ -](?P<m>[A-Za-z]{3})[a-z]*\.?,?[ -](?P<y>[0-9]{4})$",
    r"^(?P<m>[A-Za-z]{3})[a-z]*\.? (?P<d>[0-9]{1,2}),? (?P<y>[0-9]{4})$",
)
_OPEN = {
    "dmy": rf"^(?P<d>[0-9]{{1,2}})[/-](?P<m>[0-9]{{1,2}})[/-](?P<y>[0-9]{{4}}){_TIME}$",
    "mdy": rf"^(?P<m>[0-9]{{1,2}})[/-](?P<d>[0-9]{{1,2}})[/-](?P<y>[0-9]{{4}}){_TIME}$",
}
_SHORT = r"^([0-9]{1,2}[./-][0-9]{1,2}[./-])([0-9]{2})$"
"""A date whose year has two digits: of its last hundred years, and else written as one of four."""
_STRAY = 10
"""Years by which dates may be newer than nearly all others, and not be typing errors."""
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def parse(values: pl.Series, order: Order | None = None, newest: int | None = None) -> pl.Series:
    """ISO text of each value that is a date, null elsewhere.

    Written as year-month-day with `-`, `/` or `.`; `YYYYMMDD`; `DD.MM.YYYY`; day, English month
    and year; or two numbers and a year with `/` or `-`, as the order says. A time of day behind the
    date is ignored.

    Args:
        values: (n,) String.
        order: what comes first in `03/04/1980`; None where nobody knows: no such value is a date
            then, unless both numbers are the same.
        newest: the last year that may be written with two digits, which is one of the hundred up to
            it; None: no such value is a date.
    Returns:
        (n,) String, "YYYY-MM-DD" or null.
    """
    trimmed = _long(values.str.strip_chars(), newest)
    out = _first(trimmed, _CERTAIN)
    rest = out.is_null() & trimmed.is_not_null()
    if not bool(trimmed.filter(rest).str.contains(_OPEN["dmy"]).any()):
        return out
    day_first, month_first = (_first(trimmed, (_OPEN[o],)) for o in ("dmy", "mdy"))
    if order is not None:
        return _coalesce(out, day_first if order == "dmy" else month_first)
    nothing = _nothing(values)
    same = (day_first == month_first).fill_null(False)
    return _coalesce(out, day_first.zip_with(same, nothing))


def iso(text: str, order: Order | None = None, newest: int | None = None) -> str | None:
    """ISO text of one date as `parse` reads it; None if it is none.

    Example:
        >>> iso("02.01.1961"), iso("2 Jan 1961"), iso("02/01/1961"), iso("02/01/1961", "dmy")
        ('1961-01-02', '1961-01-02', None, '1961-01-02')
        >>> iso("2.1.61"), iso("2.1.61", newest=2005), iso("2.1.05", newest=2005)
        (None, '1961-01-02', '2005-01-02')
    """
    text = text.strip()
    short = re.fullmatch(_SHORT, text) if newest is not None else None
    if short is not None and newest is not None:
        text = f"{short[1]}{newest - (newest - int(short[2])) % 100}"
    for pattern in _CERTAIN:
        found = re.fullmatch(pattern, text)
        if found is not None:
            return _one(found)
    both = [
        None if found is None else _one(found)
        for found in (re.fullmatch(_OPEN[o], text) for o in ("dmy", "mdy"))
    ]
    if order is not None:
        return both[0] if order == "dmy" else both[1]
    return both[0] if both[0] == both[1] else None


def _one(found: re.Match[str]) -> str | None:
    name = found["m"].lower()
    try:
        month = int(name) if name.isdigit() else _MONTHS.index(name) + 1
        return date(int(found["y"]), month, int(found["d"])).isoformat()
    except ValueError:  # no such month or day
        return None


def looks_like_dates(values: pl.Series) -> bool:
    """Whether most of a few values are written like dates, right or wrong."""
    head = values.drop_nulls().head(500).str.strip_chars()
    if not len(head):
        return False
    return int(written_like_dates(head).sum()) > len(head) / 2


def written_like_dates(values: pl.Series) -> pl.Series:
    """(n,) Boolean, which values are written like dates, right or wrong.

    Args:
        values: (n,) String without gaps or blanks around.
    """
    written = values.str.contains(_OPEN["dmy"])
    for pattern in _CERTAIN:
        written |= values.str.contains(pattern)
    return written


def order_of(values: pl.Series, where: str = "") -> Order | None:
    """What comes first where a column writes dates like `13/04/1980`; None if it writes none.

    Args:
        values: (n,) String.
        where: file and column, for the error.
    Raises:
        DataError: the column does not say.
    """
    trimmed = values.str.strip_chars().drop_nulls()
    open_ = trimmed.filter(trimmed.str.contains(_OPEN["dmy"]))
    day_first, month_first = (_first(open_, (_OPEN[o],)) for o in ("dmy", "mdy"))
    only_day = int((day_first.is_not_null() & month_first.is_null()).sum())
    only_month = int((month_first.is_not_null() & day_first.is_null()).sum())
    if only_day != only_month:
        return "dmy" if only_day > only_month else "mdy"
    unsure = open_.filter(day_first.ne_missing(month_first))
    if not len(unsure):
        return None
    raise DataError(
        f"dates such as {unsure[0]!r} do not say whether the day or the month comes first",
        where=where,
        hint='set the column to "date:dmy" or "date:mdy"',
    )


def newest_of(values: pl.Series) -> int | None:
    """The last year that a column writes with two digits where it does so, by its other dates.

    That of the newest date with four digits, but for strays; None if no year has two digits, or no
    more have four.

    Args:
        values: (n,) String.
    """
    import polars as pl

    trimmed = values.str.strip_chars().drop_nulls()
    n_short = int(trimmed.str.contains(_SHORT).sum())
    if not n_short:
        return None
    whole = [_first(trimmed, (*_CERTAIN, _OPEN[order])) for order in ("dmy", "mdy")]
    years = _coalesce(*whole).drop_nulls().str.slice(0, 4).cast(pl.Int64)
    if len(years) <= n_short:
        return None
    nearly_all = int(years.quantile(0.99, "higher") or 0)
    return min(int(years.max()), nearly_all + _STRAY)  # type: ignore[arg-type]


def _long(trimmed: pl.Series, newest: int | None) -> pl.Series:
    """The values, years of two digits written with four."""
    import polars as pl

    if newest is None or not bool(trimmed.str.contains(_SHORT).any()):
        return trimmed
    parts = trimmed.str.extract_groups(_SHORT).struct
    digits = parts.field("2").cast(pl.Int64)
    year = newest - (newest - digits) % 100
    return _coalesce(parts.field("1") + year.cast(pl.String), trimmed)


def _first(values: pl.Series, patterns: tuple[str, ...]) -> pl.Series:
    import polars as pl

    out = _nothing(values)
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
        # Polars has a year 0; in what people type it stands for none.
        given = year.str.contains("[1-9]").fill_null(False)
        parsed = text.str.strptime(pl.Date, "%Y-%m-%d", strict=False)
        parsed = parsed.zip_with(given, parsed.clear(len(parsed)))
        out = _coalesce(out, parsed.dt.strftime("%Y-%m-%d"))
    return out


def _nothing(values: pl.Series) -> pl.Series:
    import polars as pl

    return pl.Series(values.name, [None], dtype=pl.String).new_from_index(0, len(values))


def _coalesce(first: pl.Series, second: pl.Series) -> pl.Series:
    return first.zip_with(first.is_not_null(), second)
