"""A column is the id by its name, or because it counts the rows; never a number that is a fact."""

import polars as pl
import pytest

from gemel.data.proposals.labels import id_of, identity_of

NAMES = [f"n{i % 7}" for i in range(40)]


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("id", [f"x{i}" for i in range(40)], "id"),
        ("record", list(range(1, 41)), "record"),
        ("Nr", [str(i) for i in reversed(range(40))], "Nr"),
        ("record", [i % 39 for i in range(40)], None),
        ("phone", [i * 7919 + 30_000 for i in range(40)], None),
        ("customer_no", [f"C{10_000 + i}" for i in range(40)], "customer_no"),
        ("plate", [f"{'AB'[i % 2]}{i}" for i in range(40)], None),
        ("score", [i / 2 for i in range(40)], None),
        ("record", [None, *range(39)], "record"),
        ("record", [None, None, None, *range(37)], None),
        ("No", [*(f"L{i}" for i in range(38)), "Sum", None], "No"),
        ("No", [*(f"L{i}" for i in range(37)), "Sum", "Tax", None], None),
        ("uid", [*(f"x{i * 77}" for i in range(39)), None], "uid"),
    ],
)
def test_the_id_is_called_so_or_counts_the_rows(
    column: str, values: list[object], expected: str | None
) -> None:
    frame = pl.DataFrame({"name": NAMES, column: values})
    assert id_of(frame, {None}, 0.1)[0] == expected
    assert id_of(frame, {None, column}, 0.1)[0] is None


def test_rows_that_an_id_does_not_count_are_said() -> None:
    frame = pl.DataFrame({"name": NAMES, "No": [*(f"L{i}" for i in range(38)), "Sum", None]})
    assert id_of(frame, set(), 0.1)[1] == (
        "id is column 'No', which counts the rows, but for 'Sum', a row without one; "
        "--id names another"
    )


def test_a_column_that_is_called_an_id_comes_before_one_that_counts() -> None:
    frame = pl.DataFrame({"row": range(40), "uid": [f"x{i}" for i in range(40)]})
    assert id_of(frame, set(), 0.1)[0] == "uid"


def customers(column: str) -> pl.DataFrame:
    """Two rows each of half of some people, alike but for an error, and a number of theirs."""
    rows = [
        {column: 7000 + i, "name": f"{i * 7919 % 997:03}ab{'xy'[k]}", "born": f"19{i % 89 + 10}"}
        for i in range(120)
        for k in range(1 + i % 2)
    ]
    return pl.DataFrame(rows).sample(fraction=1, shuffle=True, seed=1)


@pytest.mark.parametrize(
    "column", ["customer", "Kunde", "Kundennr.", "master_id", "dup_group", "DuplicateID", "golden"]
)
def test_codes_of_rows_that_are_alike_are_the_identity_if_they_are_called_so(column: str) -> None:
    frame = customers(column)
    assert identity_of(frame) == column
    assert identity_of(frame.rename({column: "ticket"})) is None
    apart = frame.with_columns(pl.col(column).shuffle(seed=2))
    assert identity_of(apart) is None, "rows of one are not alike: orders of a customer"
    assert identity_of(frame.with_columns(pl.col(column) % 8)) is None, "a category"
    assert identity_of(frame.with_columns(pl.int_range(pl.len()).alias(column))) is None, "an id"


def test_a_group_that_only_duplicates_have_is_the_identity_and_a_name_is_none() -> None:
    frame = customers("dup_group").with_columns(
        dup_group=pl.when(pl.col("dup_group").is_duplicated()).then("dup_group")
    )
    assert frame["dup_group"].null_count() == 60 and identity_of(frame) == "dup_group"
    names = frame.select("born", customer=pl.col("name").str.replace_all(r"\d", "z"))
    assert identity_of(names) is None
