"""Phone numbers in one form: the digits of a number within its country.

`030/347 41 55`, `+49 (0)30 3474155` and `0049 30-3474155` are one number. What is no phone number
stays as it is written: nothing is missing because of this.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gemel.data.values import accents
from gemel.data.values.numbers import words

if TYPE_CHECKING:
    import polars as pl

SHARE = 0.9
"""Of the values that have to look like one."""
ABROAD = 0.2
"""Of the values that have to begin with `+`, where the name of the column does not say it."""
NAMES = ("phone", "telefon", "telephon", "handy", "fax", "msisdn")
WORDS = ("tel", "cell", "gsm", "fon")
"""The same as words of their own."""
BEGINS = "mobil"
"""Of a word; an automobile or a price of Immobilien has it inside."""

_LIKE = r"(?i)^\s*(?:\+|00)?(?:[\s()/.\-–]*\d){6,15}[\s)]*(?:(?:x|ext\.?|#)\s*\d+\s*)?$"
_EXTENSION = r"(?i)\s*(?:x|ext\.?|#)\s*\d+\s*$"
_ABROAD = r"^\s*(?:\+|00)"
# Calling codes of ITU-T E.164, of one digit, of two, else of three; then the zero of trunk lines.
_CODE = r"^(?:00)?(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[2-9]\d\d)0*"
_NORTH_AMERICA = r"^1([2-9]\d{9})$"
"""With its one in front, or a mobile number of Germany or China: all lose the one, however they are
written, as no digits tell which it is."""


def are_phones(name: str, values: pl.Series) -> bool:
    """Whether a column holds phone numbers: its name and values say it, or its values alone.

    Args:
        name: of the column.
        values: (n,) String, null where missing.
    """
    if not look_like(values):
        return False
    lower, called = accents.without(name).lower(), words(name)
    if any(part in lower for part in NAMES) or set(WORDS) & set(called):
        return True
    if any(word.startswith(BEGINS) for word in called):
        return True
    return _mean(values.drop_nulls().str.contains(r"^\s*\+")) >= ABROAD


def look_like(values: pl.Series) -> bool:
    """Whether values are written as phone numbers may be, whatever they are.

    Args:
        values: (n,) String, null where missing.
    """
    return _mean(values.drop_nulls().str.contains(_LIKE)) >= SHARE


def parse(values: pl.Series) -> pl.Series:
    """The numbers of a column as `one` reads each: (n,) String."""
    import polars as pl

    text = values.str.replace(_EXTENSION, "")
    digits = text.str.replace_all(r"\D", "")
    frame = pl.DataFrame(
        {
            "value": values,
            "like": values.str.contains(_LIKE),
            "is_abroad": text.str.contains(_ABROAD),
            "abroad": digits.str.replace(_CODE, ""),
            "inland": digits,
        }
    )
    number = pl.when(pl.col("is_abroad")).then(pl.col("abroad")).otherwise(pl.col("inland"))
    within = number.str.strip_chars_start("0").str.replace(_NORTH_AMERICA, "${1}")
    found = pl.when(pl.col("like")).then(within).otherwise(pl.col("value"))
    return frame.select(found.alias(values.name)).to_series()


def one(value: str) -> str:
    """The number as its digits within its country; what is no phone number as it is.

    Example:
        >>> [one(v) for v in ("030/347 41 55", "+49 (0)30 3474155", "1-212-555-0100 x3", "none")]
        ['303474155', '303474155', '2125550100', 'none']
    """
    if not re.match(_LIKE, value):
        return value
    text = re.sub(_EXTENSION, "", value)
    digits = re.sub(r"\D", "", text)
    number = re.sub(_CODE, "", digits) if re.match(_ABROAD, text) else digits
    return re.sub(_NORTH_AMERICA, r"\1", number.lstrip("0"))


def _mean(found: pl.Series) -> float:
    share = found.mean()
    return share if isinstance(share, float) else 0.0
