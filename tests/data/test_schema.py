from __future__ import annotations

import polars as pl
import pytest

from gemel.data import dates, schema
from gemel.data.schema import Field
from gemel.errors import DataError


def kind(values: list[str | None]) -> str:
    return schema.infer(pl.DataFrame({"x": values}))[0][0].kind


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "2.5", "-3e2", " 4 ", None], "number"),
        (["1,5", "2,25", "3"], "number"),
        (["1,500", "2,250"], "text"),
        (["01234", "99999"], "text"),
        ([str(2_635_962 + i) for i in range(60)], "text"),
        ([str(1950 + i) for i in range(60)], "number"),
        (["nan", "inf"], "text"),
        (["1_000", "2_000"], "text"),
        (["red", "blue"] * 30, "category"),
        (["red", "blue"], "text"),
        (["1967-09-27", "1980-1-2"], "date"),
        (["19670927", "19800102"], "date"),
        (["19679927", "19809902"], "number"),
        (["27.09.1967", "2.1.1980"], "date"),
        (["13/04/1980", "03/04/1980"], "date"),
        (["03/04/1980", "05/04/1980"], "text"),
        (["3 March 1980", "Mar 4, 1981"], "date"),
        (["2020-01-01T10:00:00Z", "2020-01-02 11:30"], "date"),
        ([None, None], "text"),
    ],
)
def test_kinds_are_inferred_from_the_whole_column(values: list[str | None], expected: str) -> None:
    assert kind(values) == expected


def test_one_value_in_a_hundred_may_be_wrong_but_not_two() -> None:
    numbers = [str(i) for i in range(99)]
    assert kind([*numbers, "x"]) == "number"
    assert kind([*numbers, "x", "y"]) == "text"
    notes = schema.infer(pl.DataFrame({"x": [*numbers, "x", "y"]}))[1]
    assert "column x: 98.0% of the values are numbers; kept as text" in notes


def test_the_order_of_day_and_month_is_the_columns_or_the_users() -> None:
    assert dates.parse(pl.Series(["13/04/1980", "03/04/1980"])).to_list() == [
        "1980-04-13",
        "1980-04-03",
    ]
    assert dates.parse(pl.Series(["04-13-1980", "03-04-1980"])).to_list() == [
        "1980-04-13",
        "1980-03-04",
    ]
    open_ = pl.Series("born", ["03/04/1980"])
    with pytest.raises(DataError, match="do not say whether the day or the month") as e:
        schema.parse(open_, Field("born", "date"), where="t.csv")
    assert e.value.where == "t.csv, column born"
    assert "date:dmy" in e.value.hint
    for override, expected in (("date:dmy", "1980-04-03"), ("date:mdy", "1980-03-04")):
        values = schema.parse(open_, Field("born", "date"), override=override)
        assert values.to_list() == [expected]


def test_dates_that_do_not_exist_are_none() -> None:
    values = pl.Series(["1967-02-30", "19671301", "32.01.1980", "30 Foo 1980", "1.1.80", ""])
    assert dates.parse(values).null_count() == 6
    leap = pl.Series(["29.02.2000", "29.02.1900"])
    assert dates.parse(leap).to_list() == ["2000-02-29", None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1961-01-02", "1961-01-02"),
        (" 1961/1/2 ", "1961-01-02"),
        ("02.01.1961", "1961-01-02"),
        ("2.1.1961 10:30", "1961-01-02"),
        ("19610102", "1961-01-02"),
        ("2 January 1961", "1961-01-02"),
        ("Jan 2, 1961", "1961-01-02"),
        ("02/01/1961", None),
        ("13/01/1961", None),
        ("31.02.1961", None),
        ("2 Foo 1961", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_one_date_is_read_as_a_column_of_them(text: str, expected: str | None) -> None:
    assert dates.iso(text) == expected
    if "/01/" not in text:
        assert dates.parse(pl.Series([text])).to_list() == [expected]
