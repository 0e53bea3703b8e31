"""Columns that say when a record was written, which is no fact about what it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemel.data.schema import as_strings, without_gaps
from gemel.data.values import dates
from gemel.data.values.numbers import words

if TYPE_CHECKING:
    import polars as pl

MOSTLY = 0.5
NAMES = frozenset(
    (
        *("updated", "modified", "changed", "created", "inserted", "imported", "exported"),
        *("timestamp", "geandert", "geaendert", "aktualisiert", "angelegt", "importiert"),
    )
)
"""Of columns of days alone, without accents as `words` has them."""
STARTS = ("anderungs", "aenderungs", "anlage", "erstell", "aktualisierungs")
"""Of words that are made of several, with a day behind."""
_CLOCK = r"\d[T ]([01]?\d|2[0-3]):[0-5]\d"
_MIDNIGHT = r"[T ]0?0:00(:00(\.0+)?)?(Z|[+-][\d:]+)?$"


def of(frame: pl.DataFrame) -> list[str]:
    """The columns of days with a time of day, but for midnight, in most of their values.

    Of days alone those that are called after a change.

    Example:
        >>> import polars as pl
        >>> seen = ["2026-05-10T03:59:00Z", "2026-09-25 13:17"]
        >>> days = ["1980-01-02 00:00:00", "1979-12-25"]
        >>> of(pl.DataFrame({"seen": seen, "born": days, "last_updated": days, "updated by": "a"}))
        ['seen', 'last_updated']
    """
    return [c for c in frame.columns if not frame[c].dtype.is_nested() and _is_one(frame[c])]


def _is_one(values: pl.Series) -> bool:
    text = without_gaps(as_strings(values), ()).drop_nulls()
    clocks = text.str.contains(_CLOCK) & ~text.str.contains(_MIDNIGHT)
    if len(text) and float(clocks.mean() or 0.0) > MOSTLY:  # type: ignore[arg-type]
        return True
    return _is_called_so(values.name) and dates.looks_like_dates(text)


def _is_called_so(name: str) -> bool:
    return any(
        word in NAMES or (word.startswith(STARTS) and word.endswith(("datum", "tag")))
        for word in words(name)
    )
