"""Columns of numbers that say what happened to a record, not what it is of: sales, counts.

They are compared like any other, and two records of one person then look the less alike the more
that person bought. Where identities are known their values tell it, else their names do. It is said
and not acted upon: the price of a product is a fact about it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from gemel.data.dataset import UNKNOWN, Dataset
from gemel.data.values.numbers import words

if TYPE_CHECKING:
    import polars as pl

    from gemel.arrays import Float64, Int64

NAMES = frozenset(
    (
        *("amount", "amounts", "revenue", "turnover", "sales", "total", "sum", "price", "cost"),
        *("costs", "balance", "credit", "debit", "payment", "payments", "paid", "spent", "spend"),
        *("discount", "count", "counter", "quantity", "qty", "orders", "purchases", "visits"),
        *("clicks", "logins", "points", "preis", "kosten", "saldo", "guthaben", "rabatt", "menge"),
        *("bestellungen", "besuche", "punkte", "montant", "chiffre", "prix", "importe", "precio"),
        *("prezzo", "fatturato", "obrot", "cena", "kwota", "omzet", "bedrag", "prijs"),
    )
)
ENDS = ("umsatz", "betrag", "summe", "anzahl", "preis", "preise", "saldo", "kosten", "zaehler")
"""Of words that are made of several."""
LEAST_PAIRS = 50
"""Pairs of one identity with a number each, below which their values show nothing."""
NEARER = 0.85
"""Distance in rank within an identity, as a share of that between any two, from which on the values
of a column say nothing of who a record is of."""


def notes(dataset: Dataset) -> list[str]:
    """What a user should know about such columns, one sentence for all by name or by values."""
    frame = dataset.frame
    if frame is None:
        return []
    numbers = [f.name for f in dataset.fields if f.kind == "number"]
    pairs = _pairs(dataset)
    told = {name: _told(frame[name], pairs) for name in numbers}
    apart = [name for name, share in told.items() if share is not None and share >= NEARER]
    named = [name for name, share in told.items() if share is None and is_called_so(name)]
    found = []
    if apart:
        found.append(
            f"{_columns(apart)} compared, and the numbers are no nearer in records of one identity "
            f"than in any two: to leave out what tells nothing, {_leave_out(dataset, apart)}"
        )
    if named:
        found.append(
            f"{_columns(named)} compared, and called after what a record went through, such as "
            f"what a person bought: if that is not what it is of, {_leave_out(dataset, named)}"
        )
    return found


def is_called_so(name: str) -> bool:
    """Whether a column is called like one of amounts or counts.

    Example:
        >>> [is_called_so(n) for n in ("Umsatz (EUR)", "totalSpent", "Obrót", "age", "house_no")]
        [True, True, True, False, False]
    """
    return any(word in NAMES or word.endswith(ENDS) for word in words(name))


def _pairs(dataset: Dataset) -> Int64:
    """(p, 2) records of one identity, each beside the next of it."""
    order = np.argsort(dataset.identities, kind="stable")
    code = dataset.identities[order]
    at = np.flatnonzero((code[1:] == code[:-1]) & (code[1:] != UNKNOWN))
    return np.stack([order[at], order[at + 1]], axis=1)


def _told(values: pl.Series, pairs: Int64) -> float | None:
    """How far apart numbers are in pairs of an identity, as a share of chance; None if too few."""
    rank = values.rank("average").to_numpy().astype(np.float64) / max(len(values), 1)
    left, right = rank[pairs[:, 0]], rank[pairs[:, 1]]
    both = np.isfinite(left) & np.isfinite(right)
    left, right = left[both], right[both]
    if len(left) < LEAST_PAIRS:
        return None
    chance = _distance(left, np.random.default_rng(0).permutation(right))
    return _distance(left, right) / chance if chance else None


def _distance(left: Float64, right: Float64) -> float:
    return float(np.abs(left - right).mean())


def _columns(names: list[str]) -> str:
    return f"column {names[0]} is" if len(names) == 1 else f"columns {', '.join(names)} are"


def _leave_out(dataset: Dataset, names: list[str]) -> str:
    """The setting that leaves columns out; of two files those in the map are compared."""
    if dataset.pairing.files is not None:
        return f"take {', '.join(names)} out of other.names"
    return f"add to data.ignore: {json.dumps(names, ensure_ascii=False)}"
