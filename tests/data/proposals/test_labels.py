"""A column is the id by its name, or because it counts the rows; never a number that is a fact."""

import polars as pl
import pytest

from gemel.data.proposals.labels import id_of

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
