"""Which columns of two files say the same, proposed by their names and by their values.

Values are compared whole (what share of the rarer side stands in the other file too) and by their
n-grams, since two files rarely write a value alike. Dates and numbers are read first, each file in
its own way, so that 04/03/1980 and 1980-03-04 are one day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np

from gemel.arrays import Float64
from gemel.data.schema import as_strings
from gemel.data.values import accents, dates, numbers, phones
from gemel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

LEAST = 0.25
"""Likeness from which on two columns are proposed."""
BY_NAME = 0.4
"""What names count; values count the rest."""
SAMPLE = 2000
"""Values of a column whose n-grams are counted."""

_SYNONYMS = (
    "first given fore forename firstname givenname fname vorname prenom nombre",
    "last sur surname lastname family familyname lname nachname familienname nom apellido",
    "middle middlename mname",
    "name title label bezeichnung titel produkt product",
    "street strasse str straße road address address1 addr adresse rue calle",
    "zip zipcode plz postcode postal postalcode postleitzahl",
    "city town ort stadt suburb place ville ciudad",
    "state province region bundesland",
    "country land nation pays",
    "phone tel telephone telefon telefonnummer mobile handy fon",
    "mail email e-mail",
    "birth born dob birthday birthdate geburtsdatum geboren geburtstag",
    "sex gender geschlecht",
    "company firm firma organisation organization org employer unternehmen",
    "manufacturer brand maker hersteller marke",
    "price cost preis amount betrag",
    "description text beschreibung details",
    "year jahr",
)
_WORD_OF = {word: group.split()[0] for group in _SYNONYMS for word in group.split()}


@dataclass(frozen=True)
class Match:
    """Two columns that seem to say the same.

    Attributes:
        left: name in the first file.
        right: name in the second file.
        likeness: 0 to 1, of names and values.
        shared: share of the different values of the column with fewer that the other has too.
    """

    left: str
    right: str
    likeness: float
    shared: float

    @property
    def remark(self) -> str:
        """How sure it is, in words."""
        asked = "" if round(100 * self.shared) else ": look whether they say the same"
        return f"{self.shared:.0%} of the values stand in both{asked}"


def propose(left: pl.DataFrame, right: pl.DataFrame) -> list[Match]:
    """Pairs of columns that correspond, in the order of the first file; each column once at most.

    Columns without a single value (also where they hold lists or objects) are left out.

    Args:
        left: raw columns of the first file that may be compared, missing values null.
        right: of the second.
    """
    from scipy.optimize import linear_sum_assignment

    left, right = (f.select(c.name for c in f if _has_values(c)) for f in (left, right))
    if not left.width or not right.width:
        return []
    sides = [[_Values.of(frame[c]) for c in frame.columns] for frame in (left, right)]
    shared = np.array([[_shared(a, b) for b in sides[1]] for a in sides[0]])
    grams = np.array([[_alike(a, b) for b in sides[1]] for a in sides[0]])
    names = np.array([[_names(a, b) for b in right.columns] for a in left.columns])
    likeness = BY_NAME * names + (1 - BY_NAME) * np.maximum(shared, (shared + grams) / 2)
    found = [
        Match(left.columns[i], right.columns[j], float(likeness[i, j]), float(shared[i, j]))
        for i, j in zip(*linear_sum_assignment(-likeness), strict=True)
        if likeness[i, j] >= LEAST
    ]
    order = {name: i for i, name in enumerate(left.columns)}
    return sorted(found, key=lambda m: order[m.left])


def order_of(values: pl.Series) -> str | None:
    """`date:dmy` or `date:mdy` where a column of dates shows it, and needs it; else None."""
    present = as_strings(values).drop_nulls()
    if not dates.looks_like_dates(present):
        return None
    try:
        order = dates.order_of(present)
    except DataError:
        return None
    return None if order is None else f"date:{order}"


def _has_values(column: pl.Series) -> bool:
    return not column.dtype.is_nested() and column.null_count() < len(column)


@dataclass(frozen=True, eq=False)
class _Values:
    """The different values of a column in one form and as they are written, and their n-grams."""

    kind: str
    distinct: pl.Series
    texts: pl.Series
    grams: Mapping[str, float]
    as_phones: _Values | None = None
    """Read as phone numbers; None where they are none, whatever the other file says."""

    @classmethod
    def of(cls, values: pl.Series) -> _Values:
        present = as_strings(values).drop_nulls().str.strip_chars().str.to_lowercase()
        if not phones.look_like(present):
            return cls._made(*_plain(present), present)
        digits = cls._made("text", phones.parse(present), present)
        if phones.are_phones(values.name, present):
            return replace(digits, as_phones=digits)
        return replace(cls._made(*_plain(present), present), as_phones=digits)

    @classmethod
    def _made(cls, kind: str, plain: pl.Series, texts: pl.Series) -> _Values:
        grams = _grams(plain.drop_nulls()) if kind == "text" else {}
        return cls(kind, plain.drop_nulls().unique(maintain_order=True), texts.unique(), grams)

    def signless(self) -> pl.Series:
        """The different values as letters and digits."""
        return self.texts.str.replace_all(r"[\W_]", "").unique()

    @property
    def are_phones(self) -> bool:
        """Whether this file says that they are phone numbers."""
        return self.as_phones is not None and self.as_phones.distinct is self.distinct

    def beside(self, other: _Values) -> _Values:
        """As phone numbers where the other values are, and these may be."""
        return self.as_phones if other.are_phones and self.as_phones else self


def _plain(values: pl.Series) -> tuple[str, pl.Series]:
    """Kind and values: dates as ISO text, numbers as numbers, else text."""
    if dates.looks_like_dates(values):
        try:
            found = dates.parse(values, dates.order_of(values), dates.newest_of(values))
        except DataError:  # day or month first: nothing says
            found = dates.parse(values, "dmy")
        if found.null_count() <= len(found) / 10:
            return "date", found
    number = numbers.parse(values, *numbers.written_of(values))
    if len(values) and number.null_count() <= len(number) / 10:
        return "number", number
    return "text", values


def _grams(values: pl.Series) -> dict[str, float]:
    """Length-1 frequencies of the character trigrams of some values."""
    some = values.gather_every(max(1, len(values) // SAMPLE)).head(SAMPLE).to_list()
    counts: dict[str, float] = {}
    for text in some:
        padded = f" {text[:200]} "
        for i in range(len(padded) - 2):
            gram = padded[i : i + 3]
            counts[gram] = counts.get(gram, 0.0) + 1.0
    length = float(np.sqrt(sum(n * n for n in counts.values()))) or 1.0
    return {gram: n / length for gram, n in counts.items()}


def _shared(a: _Values, b: _Values) -> float:
    """Share of the different values of the smaller side that the other has too.

    Where one file writes numbers and the other does not, letters and digits are compared.
    """
    a, b = a.beside(b), b.beside(a)
    both = (a.distinct, b.distinct) if a.kind == b.kind else (a.signless(), b.signless())
    few, many = sorted(both, key=len)
    if not len(few):
        return 0.0
    return float(few.is_in(many.implode()).mean() or 0.0)  # type: ignore[arg-type]


def _alike(a: _Values, b: _Values) -> float:
    """Cosine of n-grams of texts; how far the ranges of numbers and dates overlap."""
    a, b = a.beside(b), b.beside(a)
    if a.kind != b.kind or not len(a.distinct) or not len(b.distinct):
        return 0.0
    if a.kind == "text":
        few, many = sorted((a.grams, b.grams), key=len)
        return float(sum(n * many.get(gram, 0.0) for gram, n in few.items()))
    middle = [_middle(v) for v in (a, b)]
    (low_a, high_a), (low_b, high_b) = middle
    whole = max(high_a, high_b) - min(low_a, low_b)
    return max(0.0, min(high_a, high_b) - max(low_a, low_b)) / whole if whole else 1.0


def _middle(values: _Values) -> tuple[float, float]:
    """Between which values nine tenths lie; dates as days."""
    import polars as pl

    plain = values.distinct
    if values.kind == "date":
        plain = plain.str.to_date("%Y-%m-%d", strict=False).drop_nulls().cast(pl.Int32)
    row: Float64 = np.quantile(plain.to_numpy().astype(np.float64), [0.05, 0.95])
    return float(row[0]), float(row[1])


def _names(a: str, b: str) -> float:
    """How alike two names are, 0 to 1: words of one meaning, or else their letters."""
    one, two = _words(a), _words(b)
    if one == two:
        return 1.0
    both = 2 * len(one & two) / max(1, len(one) + len(two))
    return max(both, 0.8 * SequenceMatcher(None, a.casefold(), b.casefold()).ratio() ** 2)


def _words(name: str) -> frozenset[str]:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", accents.without(name))
    words: Sequence[str] = re.findall(r"[^\W_]+", spaced.casefold())
    known = ((w, w.rstrip("0123456789") or w) for w in words)
    found = {_WORD_OF.get(k) or _WORD_OF.get(k.removesuffix("s"), w) for w, k in known}
    # "first name" is a first, "date of birth" a birth.
    return frozenset(found - {"name", "date", "of", "the"}) or frozenset(found)
