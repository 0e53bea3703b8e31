"""Columns of numbers that say what happened to a record, not what it is of: sales, counts.

They are compared like any other, and two records of one person then look the less alike the more
that person bought. Where identities are known a test of their values tells it, of each by itself,
else their names do. It is said and not acted upon: the price of a product is a fact about it, and
what tells nothing by itself may beside another column.
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
"""Records beside another of their identity, with a number each, below which values show nothing."""
MOST = 20_000
"""Records that are looked at."""
SHUFFLED = 200
CHANCE = 0.05
"""Share of shuffled identities that differ as much, up to which a column tells of identities."""


def notes(dataset: Dataset) -> list[str]:
    """What a user should know about such columns, one sentence for all by name or by values."""
    frame = dataset.frame
    if frame is None:
        return []
    numbers = [f.name for f in dataset.fields if f.kind == "number"]
    some = _some(dataset)
    told = {name: _chance(frame[name], dataset.identities, some) for name in numbers}
    apart = [name for name, chance in told.items() if chance is not None and chance > CHANCE]
    named = [name for name, chance in told.items() if chance is None and is_called_so(name)]
    found = []
    if apart:
        found.append(
            f"{_columns(apart)} compared, and the numbers of one identity are, column by column, "
            "no more alike than those of any: beside others they may still tell something; where "
            f"they say what a record went through, {_leave_out(dataset, apart)}"
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


def _some(dataset: Dataset) -> Int64:
    """(n,) records of identities with several, all of each identity, some of the identities."""
    codes = dataset.identities
    known = np.flatnonzero(codes != UNKNOWN)
    _, at, n = np.unique(codes[known], return_inverse=True, return_counts=True)
    drawn = np.random.default_rng(0).permutation(len(n))
    kept = drawn[np.cumsum(np.where(n > 1, n, 0)[drawn]) <= MOST]
    return known[(np.isin(at, kept)) & (n[at] > 1)]


def _chance(values: pl.Series, identities: Int64, some: Int64) -> float | None:
    """How often identities differ as much in their ranks if records are dealt out to them.

    None where too few records have a number. A permutation test of the Kruskal-Wallis statistic.

    Source: Kruskal and Wallis 1952, Use of ranks in one-criterion variance analysis.
    """
    rank = values.gather(some).rank("average").to_numpy().astype(np.float64)
    there = np.isfinite(rank)
    _, at, n = np.unique(identities[some][there], return_inverse=True, return_counts=True)
    if there.sum() - len(n) < LEAST_PAIRS:
        return None
    rng, rank = np.random.default_rng(0), rank[there] - rank[there].mean()

    def between(rank: Float64) -> float:
        return float((np.bincount(at, rank) ** 2 / n).sum())

    seen = between(rank) * (1 - 1e-9)  # equal but for the order of adding up
    as_much = sum(between(rng.permutation(rank)) >= seen for _ in range(SHUFFLED))
    return (1 + as_much) / (1 + SHUFFLED)


def _columns(names: list[str]) -> str:
    return f"column {names[0]} is" if len(names) == 1 else f"columns {', '.join(names)} are"


def _leave_out(dataset: Dataset, names: list[str]) -> str:
    """The setting that leaves columns out; of two files those in the map are compared."""
    if dataset.pairing.files is not None:
        return f"take {', '.join(names)} out of other.names"
    return f"add to data.ignore: {json.dumps(names, ensure_ascii=False)}"
