"""Amounts of money as people type them: a number, and one currency before or behind it.

`1.234,50 EUR`, `€ 12`, `CHF 950.-` and `$1,234.50` are amounts; brackets mean a minus, as
in books. An amount in another currency than its column is none: what it is worth there is not
known.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_CODES = (
    *("EUR", "USD", "GBP", "CHF", "PLN", "CZK", "HUF", "RON", "BGN", "SEK", "NOK", "DKK", "ISK"),
    *("UAH", "RUB", "TRY", "JPY", "CNY", "INR", "AUD", "CAD", "NZD", "BRL", "MXN", "ZAR", "KRW"),
)
_CURRENCIES = {
    **{code: code for code in _CODES},
    **dict.fromkeys(("€", "eur", "euro", "Euro", "euros"), "EUR"),
    **{"US$": "USD", "R$": "BRL", "£": "GBP", "₹": "INR", "₴": "UAH", "₺": "TRY", "₩": "KRW"},
    **{"zł": "PLN", "Kč": "CZK", "Ft": "HUF", "Fr.": "CHF", "SFr.": "CHF", "лв.": "BGN"},
    **dict.fromkeys(("₽", "руб", "руб."), "RUB"),
    **{"$": "$", "¥": "¥", "kr": "kr", "kr.": "kr", "lei": "lei"},
}
"""As written to what it is called; a sign that several countries have stays what it is."""
PLAIN = ""
"""The currency of a column that names none, and has brackets where a value is below zero."""
NAMED = 0.9
"""Share of the values of a column that name the currency which all of them are in."""
_SIGN = "|".join(map(re.escape, sorted(_CURRENCIES, key=len, reverse=True)))
_AMOUNT = re.compile(
    rf"(?P<open>\(?)\s*(?P<minus>[-+\u2212]?)\s*(?P<before>{_SIGN})?\s*(?P<inner>[-+\u2212]?)"
    rf"(?P<digits>\d[\d.,'\u2019\s]*?)(?:[.,][-\u2013\u2014]+)?\s*(?P<behind>{_SIGN})?\s*"
    r"(?P<close>\)?)"
)
_BETWEEN_THOUSANDS = re.compile(r"(?<=\d)['\u2019\s](?=\d{3}(?!\d))")
_IN_BRACKETS = r"^\s*\(.*\d.*\)\s*$"


def currency_of(values: pl.Series) -> str | None:
    """The currency of a column of amounts, `PLAIN` of one with brackets alone; None of any other.

    Args:
        values: (n,) String without missing values.

    Example:
        >>> import polars as pl
        >>> columns = ["1,50 €", "EUR 2"], ["12", "(1,200.00)", "7"], ["1 €", "$2"], ["1", "2"]
        >>> [currency_of(pl.Series(column)) for column in columns]
        ['EUR', '', None, None]
    """
    for currency, n in named(values).most_common(1):
        return currency if n >= NAMED * len(values) else None
    in_brackets = int(values.str.contains(_IN_BRACKETS).sum())
    return PLAIN if 0 < in_brackets < len(values) / 2 else None


def in_words(currency: str | None) -> str:
    """What is said behind `number` of a column in a currency.

    Example:
        >>> in_words("EUR"), in_words(PLAIN), in_words(None)
        (' in EUR', ' with a minus in brackets', '')
    """
    known = {None: "", PLAIN: " with a minus in brackets"}
    return known.get(currency, f" in {currency}")


def named(values: pl.Series) -> Counter[str]:
    """How many values of a column are amounts in each currency that they name.

    Args:
        values: (n,) String without missing values.
    """
    some = values.filter(values.str.contains(_SIGN)).to_list()
    return Counter(currency for text in some if (currency := named_in(text)))


def named_in(text: str) -> str | None:
    """The currency that an amount names; None where there is none, or it is no amount.

    Example:
        >>> named_in("12,50 zł"), named_in("-$3"), named_in("12"), named_in("12 € or less")
        ('PLN', '$', None, None)
    """
    found = _found(text)
    said = (found["before"] or found["behind"]) if found else None
    return None if said is None else _CURRENCIES[said]


def bare(text: str, currency: str) -> str:
    """The number of an amount in a currency, as text; anything else as it is.

    Args:
        text: an amount, or a number alone.
        currency: that it may name.

    Example:
        >>> bare("(€ 1 200,50)", "EUR"), bare("12", "EUR"), bare("12 $", "EUR")
        ('-1200,50', '12', '12 $')
    """
    found = _found(text)
    if found is None:
        return text
    said = [_CURRENCIES[part] for part in (found["before"], found["behind"]) if part]
    marks = found["minus"] + found["inner"] + found["open"]
    if len(said) > 1 or said not in ([], [currency]) or len(marks) > 1:
        return text
    if bool(found["open"]) != bool(found["close"]):
        return text
    minus = "-" if marks and marks != "+" else ""
    return minus + _BETWEEN_THOUSANDS.sub("", found["digits"])


def _found(text: str) -> re.Match[str] | None:
    """The parts of an amount; long gaps, which would be tried in every length, become one sign."""
    return _AMOUNT.fullmatch(" ".join(text.split()))
