"""Numbers as people type them: with a point or a comma as decimal sign, perhaps in groups of three.

`1.5`, `1,5`, `3.400,00` and `3,400.00` are numbers; what `1,500` is depends on the decimal sign,
which a column says once (`decimal_of`) and no single value may change.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl

Decimal = Literal[".", ","]

_PLAIN = {
    ".": r"^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$",
    ",": r"^[+-]?\d+(?:,\d+)?$",
}
_GROUPED = {
    ".": r"^[+-]?\d{1,3}(?:,\d{3})+\.\d+$",
    ",": r"^[+-]?\d{1,3}(?:\.\d{3})+,\d+$",
}
_CERTAIN_COMMA = r",(?:\d{1,2}|\d{4,})$|\.\d{3},\d+$"


def decimal_of(values: pl.Series) -> Decimal:
    """The decimal sign that fits more of a column's texts; the point unless commas are certain.

    Example:
        >>> import polars as pl
        >>> decimal_of(pl.Series(["88,10", "3.400,00"])), decimal_of(pl.Series(["1,500"]))
        (',', '.')
    """
    trimmed = values.str.strip_chars()
    if not bool(trimmed.str.contains(_CERTAIN_COMMA).any()):
        return "."
    comma, point = (int(_fits(trimmed, sign).sum() or 0) for sign in (",", "."))
    return "," if comma > point else "."


def parse(values: pl.Series, decimal: Decimal) -> pl.Series:
    """(n,) Float64 of each value that is a finite number, null elsewhere.

    Args:
        values: (n,) String, or numbers already.
        decimal: sign in texts.
    """
    import polars as pl

    if values.dtype.is_numeric():
        plain = values.cast(pl.Float64, strict=False)
    else:
        trimmed = values.cast(pl.String).str.strip_chars()
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(values))
        text = trimmed.zip_with(_fits(trimmed, decimal).fill_null(False), nothing)
        text = text.str.strip_prefix("+").str.replace_all(_other(decimal), "", literal=True)
        plain = text.str.replace(decimal, ".", literal=True).cast(pl.Float64, strict=False)
    gaps = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(values))
    return plain.zip_with(plain.is_finite().fill_null(False), gaps)


def one(text: str, decimal: Decimal) -> float | None:
    """The finite number that one text is, as `parse` reads it; None if it is none.

    Example:
        >>> one(" 3.400,50 ", ","), one("1,5", "."), one("1_000", ".")
        (3400.5, None, None)
    """
    text = text.strip()
    patterns = (_PLAIN[decimal], _GROUPED[decimal])
    if not any(re.fullmatch(pattern, text, re.ASCII) for pattern in patterns):
        return None
    number = float(text.replace(_other(decimal), "").replace(decimal, "."))
    return number if math.isfinite(number) else None


def _fits(trimmed: pl.Series, decimal: Decimal) -> pl.Series:
    plain, grouped = (trimmed.str.contains(p[decimal]) for p in (_PLAIN, _GROUPED))
    return plain | grouped


def _other(decimal: Decimal) -> Decimal:
    return "," if decimal == "." else "."
