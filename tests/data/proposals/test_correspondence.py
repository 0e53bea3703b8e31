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


def test_numbers_that_one_file_writes_with_spaces_are_the_same_values() -> None:
    codes = [f"{n:09}" for n in np.random.default_rng(2).integers(10**8, 10**9, 60)]
    spaced = [f"{c[:3]} {c[3:6]} {c[6:]}" if i % 4 == 0 else c for i, c in enumerate(codes)]
    (match,) = propose(pl.DataFrame({"SIREN": spaced}), pl.DataFrame({"siren": codes[:40]}))
    assert match.shared == 1.0 and match.remark == "100% of the values stand in both"


def test_names_with_accents_and_in_the_plural_are_known_words() -> None:
    left = pl.DataFrame({"Prénom": ["Zoé", "Léa"], "Tél.": ["0441464870", "0338450584"]})
    right = pl.DataFrame({"telephones": ["+33 6 64 48 74 38", "0521936504"], "first": ["x", "y"]})
    assert found(left, right) == {"Prénom": "first", "Tél.": "telephones"}


def test_lists_have_no_counterpart() -> None:
    lists = pl.DataFrame({"telephone": [["0441464870"]], "tags": [["a"]]})
    for right in (lists, lists.clear(1).cast(pl.String)):
        assert found(pl.DataFrame({"tel": ["0441464870"], "tags": [["a"]]}), right) == {}


def test_the_order_of_dates_is_pinned_where_the_column_shows_it() -> None:
    assert order_of(people(50, 0)["day"]) == "date:dmy"
    assert order_of(pl.Series(["1980-01-02"] * 30)) is None
