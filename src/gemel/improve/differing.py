"""In which fields the two records of a match have two values: what variants have, and copies not.

Fields that are written in many ways differ in most matches; one that says which of several like
things a record is of, a colour or a size, differs where those were taken for the same. Nothing but
a person knows which of the two it is, so it is counted and told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemel.arrays import Int64
from gemel.improve.records import Compared

if TYPE_CHECKING:
    import polars as pl


def differing(compared: Compared, left: Int64, right: Int64) -> dict[str, float]:
    """Share of the matches in which both have a value of a field and not the same, by field.

    The highest first; empty for what has no fields.

    Args:
        compared: the set.
        left: (m,) position of the first record of each match.
        right: (m,) position of the second.
    """
    frame = compared.frame()
    if frame is None or not len(left):
        return {}
    names = [field.name for field in compared.left.fields if field.name in frame.columns]
    found = {name: _differ(frame[name], left, right) for name in names}
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def _differ(values: pl.Series, left: Int64, right: Int64) -> float:
    import polars as pl

    plain = values.cast(pl.String, strict=False).str.strip_chars().str.to_lowercase()
    return float((plain[left] != plain[right]).sum()) / len(left)
