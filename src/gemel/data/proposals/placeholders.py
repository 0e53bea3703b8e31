"""Texts that people write where they know nothing, and values that are nearly of another kind.

A placeholder agrees in two records that share nothing, and a few of them make a text of a column of
dates. Both are said and not acted upon: whether "NA" means "no value" or a name is for the user
to say, in `data.missing`. As identities, a few that name nobody anywhere are proposed for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gemel.data.dataset import Dataset
from gemel.data.schema import as_strings
from gemel.data.values import amounts, dates, numbers

if TYPE_CHECKING:
    import polars as pl

WORDS = {
    "n/a", "na", "#n/a", "n.a.", "n.a", "nan", "null", "(null)", "nil", "none", "unknown",
    "unbekannt", "inconnu", "desconocido", "undefined", "missing", "empty", "blank", "(blank)",
    "tbd", "tba", "leer", "k.a.", "k. a.", "keine angabe", "not available", "not known",
    "not applicable", "no data", "?", "??", "???", "-", "--", "---", ".", "..", "...", "xx", "xxx",
    "n/d", "n.d.", "s/d", "no tiene", "sin datos", "ninguno", "non disponible", "non renseigné",
    "néant", "aucun", "brak", "brak danych", "nie dotyczy", "nieznany", "nessuno", "sconosciuto",
    "não tem", "desconhecido", "geen", "onbekend", "okänd", "saknas", "ukjent", "ukendt",
}  # fmt: skip
NAMES = {
    "na", "nil", "none", "null", "nan", "blank", "leer", "brak", "xx", "geen", "ninguno", "aucun",
}  # fmt: skip
"""Those that people and places are called, too: in a column of words they have to be common."""
COMMON, AT_LEAST = 0.01, 5
"""Share of the values, and how many, from which such a word is: more than a family has."""
NOBODY = {
    "n/a", "#n/a", "none", "null", "(null)", "nan", "unknown", "unbekannt", "undefined", "-", "--",
    "?", "??", "n/d", "s/d", "brak", "brak danych", "no tiene", "sin datos", "non renseigné",
    "keine angabe",
}  # fmt: skip
"""Those that are no identity, whoever writes them."""
MOST_SHOWN = 5
"""Placeholders that are shown of a column."""
NEARLY = 0.5
"""Share of values from which a column is said to look like another kind."""

_NO_DAY = re.compile(r"^(?=(?:\D*\d){4})(?:[0./ -]+|[9./ -]+)$")
"""Noughts or nines alone, such as 0000-00-00, 99.99.9999 and 999999."""
_LIKE = (
    (r"^\d{1,2}[./-]\d{1,2}[./-]\d{2}$", "dates whose years have two digits"),
    (r"^\d{1,2}\.? ?[^\W\d_]{3,}\.?,? \d{4}$", "dates with names of months that are not English"),
    (r"^[-+]?\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d+)?$", "numbers with marks between thousands"),
)
"""What is not read as a number or date, and how to call it."""
_DIGITS = r"^[-+]?\d[\d.,'\s]*$"
SOME = 0.01
"""Share of values with a currency from which the numbers beside them are amounts, too."""


def notes(dataset: Dataset) -> list[str]:
    """What a user should know about such values, one sentence each.

    Args:
        dataset: what `data.missing` names is missing in it already.
    Returns:
        Notes on columns of text, then one that proposes a `data.missing`.
    """
    found: list[str] = []
    for name, values in _texts(dataset):
        n_given = len(values) - values.null_count()
        for text, n in _suspects(values):
            example = dataset.ids[int((values == text).arg_true()[0])]
            found.append(
                f"column {name}: {text!r} in {n:,} of {n_given:,} values ({n / n_given:.1%}) "
                f"counts as agreement; record {example} has it"
            )
        found += [f"column {name}: {note}" for note in _nearly(values.drop_nulls())]
    texts = proposed(dataset)
    if not texts:
        return found
    texts = [*dict.fromkeys([*missing_of(dataset), *texts])]
    listed = ", ".join(json.dumps(text, ensure_ascii=False) for text in texts)
    return [*found, f'if these texts mean "no value": data.missing = [{listed}]']


def proposed(dataset: Dataset) -> list[str]:
    """Texts for `data.missing`, if the user agrees that they mean "no value"."""
    found: dict[str, None] = {}
    for _, values in _texts(dataset):
        found |= dict.fromkeys(text for text, _ in _suspects(values))
    return list(found)


def nobody(identities: pl.Series) -> dict[str, int]:
    """How many rows have each text of a column of identities that names none."""
    counts = as_strings(identities).drop_nulls().str.strip_chars().value_counts(sort=True)
    return {text: n for text, n in counts.iter_rows() if text.casefold() in NOBODY}


def missing_of(dataset: Dataset) -> list[str]:
    """The texts that are missing values in it already."""
    return [t for f in dataset.fields if f.reading is not None for t in f.reading.missing]


def _texts(dataset: Dataset) -> Iterator[tuple[str, pl.Series]]:
    """The columns of text, with their names."""
    if dataset.frame is not None:
        for field in dataset.fields:
            if field.kind in ("text", "category"):
                yield field.name, dataset.frame[field.name].str.strip_chars()


def _suspects(values: pl.Series) -> list[tuple[str, int]]:
    """The texts of a column that look like placeholders, the commonest first."""
    present = values.drop_nulls()
    is_words = 2 * int(present.str.contains(r"\d").sum()) < len(present)
    least = max(AT_LEAST, COMMON * len(present)) if is_words else 1
    suspects = [
        (text, n)
        for text, n in present.value_counts(sort=True).iter_rows()
        if (text.casefold() in WORDS and (n >= least or text.casefold() not in NAMES))
        or _NO_DAY.match(text)
    ]
    return suspects[:MOST_SHOWN]


def _nearly(values: pl.Series) -> Iterator[str]:
    """What a column of text looks like, with a value that does not."""
    if not len(values):
        return
    currencies = amounts.named(values)
    named = currencies.total() / len(values)
    share = named + int(values.str.contains(_DIGITS).sum()) / len(values)
    if named > SOME and share > NEARLY:
        what = "" if named == share else f"numbers, {named:.1%} "
        seen = f"{share:.1%} of the values look like {what}amounts in {', '.join(currencies)}"
        others = values.filter(numbers.parse(values, *numbers.written_of(values)).is_null())
        if amounts.currency_of(values) and len(others):
            yield f"{seen}; kept as text, as {str(others[0])[:40]!r} is none that is read"
            return
        yield (
            f"{seen}; kept as text, and read as numbers where all are in one currency, or it has a "
            "column of its own"
        )
        return
    for pattern, name in _LIKE:
        alike = int(values.str.contains(pattern).sum()) / len(values)
        if alike > NEARLY:
            yield f"{alike:.1%} of the values look like {name}, which are not read; kept as text"
            return
    if dates.looks_like_dates(values):
        others = values.filter(~dates.written_like_dates(values))
        if len(others):
            share, example = 1 - len(others) / len(values), str(others[0])[:40]
            yield f"{share:.1%} of the values look like dates; kept as text, as {example!r} is none"
