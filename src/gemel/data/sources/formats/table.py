"""A table as it stands in a file: raw columns, the row each came from, refused rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.arrays import Bool, Int64
from gemel.data.dataset import BadRecord
from gemel.data.schema import as_text

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Table:
    """Raw columns of one file.

    Attributes:
        file: path, for messages.
        frame: (n rows) columns as String, or as typed by a Parquet file.
        rows: (n,) int64, line or row number of each row in the file, from 1.
        bad: refused rows.
        n_read: all rows, refused ones included.
        notes: what a user should know about the file.
        nested: per column that has any, (n,) which values are lists or objects; null in `frame`.
        blank: numbers of rows that are none and in no other count: without a value, or a sum.
        whole: the columns under their own names, where `frame` has only some, has them renamed or
            has none in place of what is `nested`.
    """

    file: str
    frame: pl.DataFrame
    rows: Int64
    bad: tuple[BadRecord, ...]
    n_read: int
    notes: tuple[str, ...] = ()
    nested: Mapping[str, Bool] = field(default_factory=dict)
    whole: pl.DataFrame | None = None
    blank: Sequence[int] = ()

    @property
    def written(self) -> pl.DataFrame:
        """(n rows) all columns as they stand in the file."""
        return self.frame if self.whole is None else self.whole

    @property
    def ordinals(self) -> Int64:
        """(n,) int64 place of each row among all rows, refused and blank ones included, from 1."""
        return np.searchsorted(self._every, self.rows).astype(np.int64) + 1

    def placed(self, bad: Iterable[BadRecord]) -> tuple[BadRecord, ...]:
        """What was refused of the table, with the record where values of several lines part both.

        Args:
            bad: by its row.
        """
        every = self._every
        if not len(every) or every[-1] - every[0] + 1 == len(every):
            return tuple(bad)
        return tuple(
            b if b.row is None else replace(b, record=int(np.searchsorted(every, b.row)) + 1)
            for b in bad
        )

    @property
    def _every(self) -> Int64:
        """Numbers of all rows, refused and blank ones included."""
        others = [*self.blank, *(b.row for b in self.bad if b.row is not None)]
        return np.union1d(self.rows, others).astype(np.int64)


def of_frame(frame: pl.DataFrame, file: str) -> Table:
    """A table of columns that are typed already; NaN is a missing value."""
    import polars as pl

    frame = frame.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
    return Table(file, frame, np.arange(1, frame.height + 1), (), frame.height)


def of_values(columns: Mapping[str, Sequence[Any]], file: str) -> Table:
    """A table of columns of single values of any type: text, but for numbers with fractions.

    A number with a fraction is one whatever the decimal sign of texts is.
    """
    import polars as pl

    def column(name: str, values: Sequence[Any]) -> pl.Series:
        if _are_fractions(values):
            return pl.Series(name, values, dtype=pl.Float64, strict=False).fill_nan(None)
        return pl.Series(name, [as_text(v) for v in values], dtype=pl.String)

    frame = pl.DataFrame([column(name, values) for name, values in columns.items()])
    return Table(file, frame, np.arange(1, frame.height + 1), (), frame.height)


def _are_fractions(values: Sequence[Any]) -> bool:
    """Whether all that is there are numbers, and one is not whole."""
    kinds = {type(v) for v in values if v is not None}
    if not any(issubclass(kind, float | np.floating) for kind in kinds):
        return False
    plain = all(issubclass(k, int | float | np.number) and k is not bool for k in kinds)
    return plain and any(v is not None and v == v and v % 1 != 0 for v in values)


def frame_of(names: list[str], columns: Sequence[Sequence[str | None]]) -> pl.DataFrame:
    """Text columns of equal length."""
    import polars as pl

    return pl.DataFrame(
        [pl.Series(n, c, dtype=pl.String) for n, c in zip(names, columns, strict=True)]
    )


def int64(numbers: list[int]) -> Int64:
    """(n,) numbers of rows."""
    return np.array(numbers, dtype=np.int64)
