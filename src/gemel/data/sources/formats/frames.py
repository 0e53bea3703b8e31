"""Frames of other packages as the one that gemel works on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

_MAKERS = ("polars", "pandas", "pyarrow")


def is_frame(value: Any) -> bool:
    """Whether a value is a table of polars, pandas or Arrow; none of them is imported to ask."""
    kind = type(value)
    return kind.__module__.split(".")[0] in _MAKERS and kind.__name__ in (
        "DataFrame",
        "LazyFrame",
        "Table",
    )


def as_polars(frame: Any) -> pl.DataFrame:
    """The frame with columns by name; an index of pandas is left out.

    Args:
        frame: for which `is_frame` holds.
    """
    import polars as pl

    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if isinstance(frame, pl.DataFrame):
        return frame
    found = pl.from_pandas(frame) if type(frame).__name__ == "DataFrame" else pl.from_arrow(frame)
    return found if isinstance(found, pl.DataFrame) else found.to_frame()
