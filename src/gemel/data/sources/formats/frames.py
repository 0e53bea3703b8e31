"""Frames of other packages as the one that gemel works on.

Here values of any type become values that a table can hold: a column of single values of several
types is text, as it would be in a CSV file, and a length of time is its seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.data.schema import as_text
from gemel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

_MAKERS = ("polars", "pandas", "pyarrow")
_SINGLE = (str, int, float, Decimal, date, time, timedelta, np.number, np.bool_)
_SINGLE_BY_NAME = ("Period", "Interval")
"""Of pandas, which is not imported to ask."""
_WRITTEN = ("PeriodDtype", "IntervalDtype")
"""Columns of pandas whose values are compared as they are written."""


def is_frame(value: Any) -> bool:
    """Whether a value is a table of polars, pandas or Arrow; none of them is imported to ask."""
    kind = type(value)
    return kind.__module__.split(".")[0] in _MAKERS and kind.__name__ in (
        "DataFrame",
        "LazyFrame",
        "Table",
    )


def as_polars(frame: Any, where: str = "frame", *, asked: Collection[str] = ()) -> pl.DataFrame:
    """The frame with columns by name; an index of pandas is left out unless it is asked for.

    Args:
        frame: for which `is_frame` holds.
        where: it comes from, for messages.
        asked: names of columns that are used, which an index may have.
    Raises:
        DataError: two of its columns have one name, or several that are left out name its rows.
    """
    import polars as pl

    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    found = frame if isinstance(frame, pl.DataFrame) else _converted(frame, where, asked)
    return found.with_columns(pl.col(pl.Duration).dt.total_microseconds() / 1e6)


def _converted(frame: Any, where: str, asked: Collection[str]) -> pl.DataFrame:
    """A frame of pandas or Arrow."""
    import polars as pl

    is_pandas = type(frame).__name__ == "DataFrame"
    if is_pandas:
        frame = _with_index(frame, where, asked)
    names = [str(name) for name in (frame.columns if is_pandas else frame.column_names)]
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        hint = "each column needs its own name; 1 and '1' are one"
        raise DataError(f"{twice[0]!r} is the name of two columns", where=where, hint=hint)
    if is_pandas:
        return pl.DataFrame([_column(name, frame.iloc[:, i]) for i, name in enumerate(names)])
    found = pl.from_arrow(frame)
    return found if isinstance(found, pl.DataFrame) else found.to_frame()


def _with_index(frame: Any, where: str, asked: Collection[str]) -> Any:
    """A frame of pandas with what is asked for of its index as columns.

    Raises:
        DataError: its index is of several columns with names, and some of them are not.
    """
    names = [name for name in frame.index.names if name is not None]
    columns = {str(name) for name in frame.columns}
    wanted = [name for name in names if str(name) in asked and str(name) not in columns]
    lost = [name for name in names if name not in wanted and str(name) not in columns]
    if len(names) > 1 and lost:
        raise DataError(
            f"the index holds {', '.join(map(str, names))}, and an index is not read",
            where=where,
            hint="frame.reset_index() makes columns of it, frame.reset_index(drop=True) takes it "
            "away",
        )
    return frame.reset_index(wanted) if wanted else frame


def _column(name: str, values: Any) -> pl.Series:
    """A column of pandas: typed where its values are of one type, else their texts.

    Where some are no single values they are lists, of one text each, which are not compared.
    """
    import polars as pl
    import pyarrow

    of = getattr(getattr(values.dtype, "categories", None), "dtype", values.dtype)
    if type(of).__name__ not in _WRITTEN:
        try:
            typed = pl.Series(name, values)
            if typed.dtype != pl.Object:
                return typed
        except (pyarrow.ArrowException, TypeError, ValueError, OverflowError):
            pass  # Neither package tells beforehand which values it takes.
    present = [None if gap else v for v, gap in zip(values, values.isna(), strict=True)]
    if all(v is None or _is_single(v) for v in present):
        return pl.Series(name, [as_text(v) for v in present], dtype=pl.String)
    held = [None if v is None else [str(v)] for v in present]
    return pl.Series(name, held, dtype=pl.List(pl.String))


def _is_single(value: Any) -> bool:
    is_complex = isinstance(value, np.complexfloating)
    return type(value).__name__ in _SINGLE_BY_NAME or (
        isinstance(value, _SINGLE) and not is_complex
    )
