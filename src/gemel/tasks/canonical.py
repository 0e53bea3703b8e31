"""The one record that stands for its cluster: most complete, most central or newest.

The choice depends on the records alone: equal merits are settled by the next merit and in the end
by the order of the records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.errors import ConfigError
from gemel.tasks.clusters import groups

if TYPE_CHECKING:
    import polars as pl

NEWEST = "newest:"
CHOICES = ("complete", "central", f"{NEWEST}FIELD")
DECIMALS = 5


def choose(
    how: str, labels: Int64, rows: Float32, frame: pl.DataFrame | None, *, where: str = ""
) -> Bool:
    """Whether each record is the canonical one of its cluster.

    Args:
        how: `complete` has the most values, `central` is nearest to the middle of its cluster,
            `newest:FIELD` has the last date. What is equal then is settled by the middle.
        labels: (n,) int64, cluster of each record.
        rows: (n, d) float32, unit rows.
        frame: n rows of values; None for images, which are all equally complete.
        where: of the records, for the error.
    Returns:
        (n,) bool, one true per cluster.
    Raises:
        ConfigError: an unknown choice, no such field, or one without dates.
    """
    check(how, frame, where=where)
    central = centrality(labels, rows)
    if how == "central":
        return foremost(labels, central)
    if frame is None or not frame.width:
        return foremost(labels, central)
    return foremost(labels, _merit(how, frame), central)


def check(how: str, frame: pl.DataFrame | None, *, where: str = "") -> None:
    """Raise unless records can be chosen like this.

    Raises:
        ConfigError: an unknown choice, no such field, or one without dates.
    """
    check_choice(how)
    if not how.startswith(NEWEST):
        return
    field = how.removeprefix(NEWEST)
    known = [] if frame is None else frame.columns
    if field not in known:
        hint = f"fields: {', '.join(known) or 'none'}"
        raise ConfigError(f"no field {field!r}", where=where, hint=hint)
    if frame is not None and not _are_dates(frame[field]):
        dated = [c for c in known if _are_dates(frame[c])]
        hint = f"fields of dates: {', '.join(dated) or 'none'}"
        raise ConfigError(f"field {field!r} holds no dates", where=where, hint=hint)


def check_choice(how: str) -> None:
    """Raise unless there is such a choice, whatever the records.

    Raises:
        ConfigError: there is not.
    """
    if how not in ("complete", "central") and not how.startswith(NEWEST):
        raise ConfigError(f"unknown choice {how!r}", hint=f"one of: {', '.join(CHOICES)}")


def _are_dates(values: pl.Series) -> bool:
    """Whether all values that are there are ISO dates, as a date field holds them."""
    import polars as pl

    present = values.drop_nulls()
    return not len(present) or (
        present.dtype == pl.String and bool(present.str.contains(r"^\d{4}-\d{2}-\d{2}$").all())
    )


def foremost(labels: Int64, *merits: Float64) -> Bool:
    """The record of each cluster with the highest first merit, then second, ..., then the first.

    Args:
        labels: (n,) int64.
        merits: each (n,) float64.
    Example:
        >>> foremost(np.array([0, 0, 1]), np.array([1.0, 2.0, 0.0])).tolist()
        [False, True, True]
    """
    order = np.lexsort((*(-m for m in reversed(merits)), labels))
    first = np.append(True, np.diff(labels[order]) != 0)[: len(order)]
    chosen = np.zeros(len(labels), np.bool_)
    chosen[order[first]] = True
    return chosen


def centrality(labels: Int64, rows: Float32) -> Float64:
    """Mean cosine of each record with those of its cluster, itself included: (n,) float64.

    Args:
        labels: (n,) int64.
        rows: (n, d) float32, unit rows.
    """
    out = np.ones(len(labels))
    for members in groups(labels, least=3):  # two records are equally central
        out[members] = rows[members] @ rows[members].mean(axis=0)
    # Below this, differences are rounding, and would choose by chance.
    return out.round(DECIMALS)


def _merit(how: str, frame: pl.DataFrame) -> Float64:
    """The number of values of each row, or the rank of its date: (n,) float64."""
    import polars as pl

    if how == "complete":
        merit = frame.select(pl.sum_horizontal(pl.all().is_not_null())).to_series()
    else:
        # Dates are ISO text, which sorts as they do; a missing one is the oldest.
        merit = frame[how.removeprefix(NEWEST)].cast(pl.String).fill_null("").rank("dense")
    values: Float64 = merit.to_numpy().astype(np.float64)
    return values
