"""Columns of two files are matched by what they hold, and by their names where that is little."""

import numpy as np
import polars as pl

from gemel.data.proposals.correspondence import order_of, propose

FIRST = ("anna", "berta", "carla", "doris", "emma", "frida", "greta", "hanna", "ida", "karl")
LAST = ("mueller", "schmidt", "schneider", "fischer", "weber", "wagner", "becker", "koch")


def people(n: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "first": rng.choice(FIRST, n),
            "last": rng.choice(LAST, n),
            "day": [f"{rng.integers(13, 28)}/{rng.integers(1, 13):02}/19{rng.integers(30, 99)}"
                    for _ in range(n)],
            "amount": rng.gamma(2, 100, n).round(2).astype(str),
            "size": rng.integers(30, 50, n).astype(str),
        }
    )  # fmt: skip


def found(left: pl.DataFrame, right: pl.DataFrame) -> dict[str, str]:
    return {m.left: m.right for m in propose(left, right)}


def test_columns_are_found_under_names_that_say_nothing() -> None:
    left, right = people(300, 0), people(300, 1)
    renamed = right.select(c3="day", c1="last", c5="size", c2="first", c4="amount")
    renamed = renamed.with_columns(
        pl.col("c3").str.to_date("%d/%m/%Y").cast(pl.String), pl.col("c1").str.to_uppercase()
    )
    assert found(left, renamed) == {
        "first": "c2", "last": "c1", "day": "c3", "amount": "c4", "size": "c5"
    }  # fmt: skip


def test_names_of_one_meaning_settle_what_values_leave_open() -> None:
    left = pl.DataFrame({"home_phone": ["1234567", "2345678"], "zip": ["11111", "22222"]})
    right = pl.DataFrame({"plz": ["33333", "44444"], "telefon": ["8765432", "7654321"]})
    assert found(left, right) == {"home_phone": "telefon", "zip": "plz"}


def test_what_has_no_counterpart_is_left_alone() -> None:
    left = people(200, 0).select("first", "amount")
    right = people(200, 1).select("first").with_columns(newsletter=pl.lit("yes"))
    assert found(left, right) == {"first": "first"}


def test_the_order_of_dates_is_pinned_where_the_column_shows_it() -> None:
    assert order_of(people(50, 0)["day"]) == "date:dmy"
    assert order_of(pl.Series(["1980-01-02"] * 30)) is None
