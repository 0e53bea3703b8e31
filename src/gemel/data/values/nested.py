"""Lists, objects and bytes in a table, as JSON text: what is not compared is still shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


def as_json(value: Any) -> str | None:
    """A list or an object as JSON text, bytes as text; None stays None.

    Example:
        >>> as_json({"town": "Bath", "phones": ["1", b"2"]}), as_json(b"x"), as_json(None)
        ('{"town": "Bath", "phones": ["1", "2"]}', 'x', None)
    """
    if value is None or isinstance(value, bytes):
        return None if value is None else _plain(value)
    return json.dumps(value, ensure_ascii=False, default=_plain)


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with text for what a CSV file cannot hold: lists, objects, bytes."""
    import polars as pl

    unfit = [
        name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype == pl.Binary
    ]
    return frame.with_columns(
        pl.Series(name, [as_json(v) for v in frame[name].to_list()], dtype=pl.String)
        for name in unfit
    )


def _plain(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
