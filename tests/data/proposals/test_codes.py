"""Codes that come back in rows that are alike elsewhere; never dates, facts, or what all have."""

from __future__ import annotations

import random

import polars as pl
import pytest

from gemel.data.proposals.codes import shared_by_alike

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def word(rng: random.Random, n: int = 8) -> str:
    return "".join(rng.choices(LETTERS, k=n))


def people(n: int = 300) -> pl.DataFrame:
    """Two rows each of half of some people, one with an error, in no order."""
    rng, rows = random.Random(0), []
    for i in range(n):
        first, last, born = word(rng), word(rng, 11), f"19{rng.randint(10, 99)}-01-1{i % 9}"
        for k in range(1 + i % 2):
            last = last[:4] + "xy"[:k] + last[4:]
            zip_code = f"{10_000 + rng.randrange(100)}"
            rows.append({"no": f"C{i:04}", "first": first, "last": last, "born": born,
                         "zip": zip_code, "row": len(rows)})  # fmt: skip
    rng.shuffle(rows)
    return pl.DataFrame(rows)


def test_a_code_is_named_whatever_it_is_called() -> None:
    frame = people()
    assert shared_by_alike(frame, {"row"}) == ["no"]
    for name in ("ticket", "sku", "Kundennummer", "7"):
        assert shared_by_alike(frame.rename({"no": name}), {"row", None}) == [name]
    numbers = frame.with_columns(no=pl.col("no").str.slice(1).cast(pl.Int64))
    assert shared_by_alike(numbers, {"row"}) == ["no"]
    assert shared_by_alike(frame, {"row", "no"}) == []


def test_gaps_placeholders_and_facts_beside_it_hide_no_code() -> None:
    """As in a table that people keep: every other column is a fact of the row or differs."""
    frame, row = people(), pl.col("row")
    gaps = pl.when(row % 20 == 0).then(pl.lit("brak")).when(row % 30 == 1).then(pl.lit(" "))
    facts = [pl.format("{}.{}", row * 7 % 97, row % 89).alias(name) for name in ("paid", "due")]
    kept = frame.with_columns(gaps.otherwise(pl.col("no")).alias("no"), *facts).with_columns(
        pl.when(row % 9 == 0).then(pl.lit("call back")).alias("remark")
    )
    assert shared_by_alike(kept, {"row"}) == ["no"]


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("words", pl.col("no").str.replace_many(list("0123456789"), list(LETTERS[:10]))),
        ("many are missing", pl.when(pl.col("row") % 5 == 0).then(None).otherwise(pl.col("no"))),
        ("each its own", pl.format("C{}", "row")),
        ("few", pl.col("no").str.slice(4)),
        ("rows that have nothing in common", pl.format("C{}", pl.col("row") // 2)),
        ("dates", pl.format("2024-01-{}", pl.col("no").str.slice(1))),
        ("prices", pl.format("{}.5", pl.col("no").str.slice(1))),
    ],
)
def test_what_shows_nothing_is_not_named(what: str, change: pl.Expr) -> None:
    frame = people().sort("row").with_columns(no=change)
    if "nothing" in what:
        frame = frame.with_columns(pl.col("no").shuffle(seed=1))
    assert shared_by_alike(frame, {"row"}) == [], what


def test_lists_and_tables_of_nothing_are_passed_over() -> None:
    frame = people().with_columns(tags=pl.concat_list("zip"))
    assert shared_by_alike(frame, {"row"}) == ["no"]
    assert shared_by_alike(frame.head(0)) == shared_by_alike(pl.DataFrame()) == []
    assert shared_by_alike(frame.select("no")) == []
