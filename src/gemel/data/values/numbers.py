"""Numbers as people type them: with a point or a comma as decimal sign, perhaps in groups of three.

`1.5`, `1,5`, `3.400,00` and `3,400.00` are numbers; what `1,500` is depends on the decimal sign,
and whether `12 EUR` is one on the currency, which a column says once (`written_of`) and no single
value may change. Money has no three decimals: three digits behind the mark of `12.500 EUR` are
thousands. Digits that name something, as a postcode does, are no number: 2227 is not near 2228
(`is_code`).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

from gemel.data.values import accents, amounts

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
_WHOLE = {
    ".": r"^[+-]?[1-9]\d{0,2}(?:,\d{3})+$",
    ",": r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+$",
}
"""Groups without decimals, which only amounts have."""
_MONEY = {
    sign: rf"\{sign}\d{{1,2}}$|{_WHOLE[sign][:-1]}(?:\{sign}\d+)?$|^[+-]?0\{sign}\d+$"
    for sign in _WHOLE
}
"""Amounts that are written with no other decimal sign."""
MOST = 0.99
"""Share of the values of a column that says what it is; the others are reported."""
OFTEN, SHORT, LONG = 0.5, 3, 6
"""Of a column that is called like one of codes: share of its values that have one number of digits,
and how many digits those are at least; or how many half of them have, whatever the others have."""
SEVERAL = 50
"""Different numbers of one length, beyond which they are codes whatever they are called."""
_NAMES = frozenset(
    (
        *("zip", "zipcode", "postcode", "postal", "postalcode", "plz", "postleitzahl"),
        *("phone", "telephone", "tel", "telefon", "mobile", "mobil", "handy", "fon", "fax"),
        *("id", "uid", "key", "code", "ean", "gtin", "isbn", "issn", "upc", "sku", "ssn", "vat"),
    )
)
_ENDS = ("nummer", "nr")
NUMBER = "number"
"""A word that ends the name of a code (`customer number`), and begins that of a count."""
_AMOUNTS = frozenset(
    (
        *("year", "jahr", "age", "alter", "price", "preis", "cost", "amount", "betrag", "umsatz"),
        *("count", "anzahl", "sum", "total", "score", "size", "weight", "salary"),
    )
)
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


def written_of(values: pl.Series) -> tuple[Decimal, str | None]:
    """How the numbers of a column are written: its decimal sign, and its currency if it has one.

    Args:
        values: (n,) String without missing values.
    """
    currency = amounts.currency_of(values)
    if not currency:
        return decimal_of(values if currency is None else _bare(values, currency)), currency
    bare = _bare(values, currency)
    comma, point = (int(bare.str.contains(_MONEY[sign]).sum()) for sign in (",", "."))
    return "," if comma > point else ".", currency


def parse(values: pl.Series, decimal: Decimal, currency: str | None = None) -> pl.Series:
    """(n,) Float64 of each value that is a finite number, null elsewhere.

    Args:
        values: (n,) String, or numbers already.
        decimal: sign in texts.
        currency: of amounts; None: a value with one is no number. See `amounts`.
    """
    import polars as pl

    if values.dtype.is_numeric():
        plain = values.cast(pl.Float64, strict=False)
    else:
        texts = values.cast(pl.String)
        trimmed = (texts if currency is None else _bare(texts, currency)).str.strip_chars()
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(values))
        fits = _fits(trimmed, decimal, is_amount=currency is not None)
        text = trimmed.zip_with(fits.fill_null(False), nothing)
        text = text.str.strip_prefix("+").str.replace_all(_other(decimal), "", literal=True)
        plain = text.str.replace(decimal, ".", literal=True).cast(pl.Float64, strict=False)
    gaps = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(values))
    return plain.zip_with(plain.is_finite().fill_null(False), gaps)


def one(text: str, decimal: Decimal, currency: str | None = None) -> float | None:
    """The finite number that one text is, as `parse` reads it; None if it is none.

    Example:
        >>> one(" 3.400,50 ", ","), one("1,5", "."), one("1_000", ".")
        (3400.5, None, None)
    """
    text = (text if currency is None else amounts.bare(text, currency)).strip()
    patterns = _patterns(decimal, is_amount=currency is not None)
    if not any(re.fullmatch(pattern, text, re.ASCII) for pattern in patterns):
        return None
    number = float(text.replace(_other(decimal), "").replace(decimal, "."))
    return number if math.isfinite(number) else None


def is_code(values: pl.Series) -> bool:
    """Whether a column of numbers holds codes: postcodes, telephone numbers, ids.

    It is called like one, and half of its values have one number of digits, 3 or more; or they are
    long, different and all of one length. One that is called a year, an age or a price is none.

    Args:
        values: of the column, under its name; text or numbers, missing values null.

    Example:
        >>> import polars as pl
        >>> digits = ["2227", "810", "3019"]
        >>> [is_code(pl.Series(name, digits)) for name in ("PLZ", "zip_code", "born", "zip price")]
        [True, True, False, False]
    """
    from gemel.data.schema import as_strings

    present = values.drop_nulls()
    if not len(present) or (present.dtype.is_float() and bool((present % 1 != 0).any())):
        return False
    digits = as_strings(present).str.strip_chars()
    is_whole = digits.str.contains(r"^\d+$")
    if int(is_whole.sum()) < MOST * len(digits):
        return False
    lengths = digits.filter(is_whole).str.len_chars()
    called = words(values.name)
    named = {*called}
    if named & _AMOUNTS or called[:1] == [NUMBER]:
        return False
    ends = any(len(w) > len(e) and w.endswith(e) for w in named for e in _ENDS)
    if named & _NAMES or ends or called[-1:] == [NUMBER]:
        commonest = int(lengths.mode().max())  # type: ignore[arg-type]
        often = int((lengths == commonest).sum()) >= OFTEN * len(lengths)
        return (often and commonest >= SHORT) or float(lengths.median()) >= LONG  # type: ignore[arg-type]
    alike = lengths.min() == lengths.max() and int(lengths[0]) >= LONG
    return alike and len(lengths) == len(digits) and digits.n_unique() > SEVERAL


def words(name: str) -> list[str]:
    """The words of the name of a column, in small letters without accents."""
    plain = accents.without(name)
    return re.findall(r"[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", plain).lower())


def _bare(values: pl.Series, currency: str) -> pl.Series:
    import polars as pl

    texts = [None if v is None else amounts.bare(v, currency) for v in values.to_list()]
    return pl.Series(values.name, texts, dtype=pl.String)


def _fits(trimmed: pl.Series, decimal: Decimal, *, is_amount: bool = False) -> pl.Series:
    return trimmed.str.contains("|".join(_patterns(decimal, is_amount=is_amount)))


def _patterns(decimal: Decimal, *, is_amount: bool) -> tuple[str, ...]:
    of_all = _PLAIN[decimal], _GROUPED[decimal]
    return (*of_all, _WHOLE[decimal]) if is_amount else of_all


def _other(decimal: Decimal) -> Decimal:
    return "," if decimal == "." else "."
