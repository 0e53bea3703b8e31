from __future__ import annotations

import polars as pl
import pytest

from gemel.data import schema
from gemel.data.schema import Field, Reading
from gemel.data.values import dates
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


def column(values: list[str | None], field: Field, override: str = "") -> list[object]:
    raw = pl.Series(field.name, values)
    return field.settled(raw, override=override, where="t.csv").column(raw).to_list()


def test_the_order_of_day_and_month_is_the_columns_or_the_users() -> None:
    born = Field("born", "date")
    assert column(["13/04/1980", "03/04/1980"], born) == ["1980-04-13", "1980-04-03"]
    assert column(["04-13-1980", "03-04-1980"], born) == ["1980-04-13", "1980-03-04"]
    with pytest.raises(DataError, match="do not say whether the day or the month") as e:
        column(["03/04/1980"], born)
    assert e.value.where == "t.csv, column born"
    assert "date:dmy" in e.value.hint
    for override, expected in (("date:dmy", "1980-04-03"), ("date:mdy", "1980-03-04")):
        assert column(["03/04/1980"], born, override) == [expected]


def test_an_order_that_is_settled_is_not_changed_by_other_rows() -> None:
    values = ["03/04/1980", "04/25/1991", "04/26/1991", "5/5/1955"]
    day_first = Field("born", "date", Reading(order="dmy"))
    assert column(values, day_first) == ["1980-04-03", None, None, "1955-05-05"]
    nobody_knows = Field("born", "date", Reading())
    assert column(values, nobody_knows) == [None, None, None, "1955-05-05"]


WRITTEN = ["1.5", "1,5", "3.400,00", "3,400.00", "1,500", "1.500", "-2e3", "+7", "nan", "1_0", "x"]


@pytest.mark.parametrize(
    "field",
    [
        Field("n", "number", Reading(("x",))),
        Field("n", "number", Reading(("x",), decimal=",")),
        Field("n", "date", Reading(("x",), "dmy")),
        Field("n", "date", Reading(("x",), "mdy")),
        Field("n", "date", Reading(("x",))),
        Field("n", "text", Reading(("x", "1.5"))),
    ],
)
def test_one_value_is_read_as_a_column_of_them(field: Field) -> None:
    values = [*WRITTEN, "03/04/1980", "25/04/1980", "5/5/1955", "1.2.1980", "2 Jan 1961", " ", None]
    raw = schema.without_gaps(
        pl.Series("n", values), field.reading.missing if field.reading else ()
    )
    for value, gap, read in zip(values, raw, field.column(raw), strict=True):
        assert field.value(value) == (value if read is None and gap is not None else read)


def test_of_numbers_with_a_comma_only_what_is_wrong_is_none() -> None:
    price = Field("price", "number")
    assert column(["88,10", "3.400,00", "5,75", "12.5"], price) == [88.1, 3400.0, 5.75, None]
    assert column(["88.10", "3,400.00", "5.75", "12,5"], price) == [88.1, 3400.0, 5.75, None]


def test_a_typed_value_can_mean_that_there_is_none() -> None:
    typed = pl.Series([1, -999, None])
    assert schema.without_gaps(typed, ["-999"]).to_list() == [1, None, None]
    assert Field("n", "number", Reading(("-999",))).value(-999) is None


def test_a_day_of_a_time_zone_is_the_day_there() -> None:
    written = pl.Series(["1980-05-01 00:00", "1980-12-24 23:30"]).str.to_datetime()
    for zone in (None, "Europe/Berlin", "America/New_York"):
        read = Field("born", "date").column(written.dt.replace_time_zone(zone))
        assert read.to_list() == ["1980-05-01", "1980-12-24"]


def test_dates_that_do_not_exist_are_none() -> None:
    values = pl.Series(["1967-02-30", "19671301", "32.01.1980", "30 Foo 1980", "1.1.80", ""])
    assert dates.parse(values).null_count() == 6
    leap = pl.Series(["29.02.2000", "29.02.1900"])
    assert dates.parse(leap).to_list() == ["2000-02-29", None]


def test_years_of_two_digits_are_the_last_hundred_of_the_other_dates() -> None:
    column = [f"{d}.5.{y}" for y in range(1935, 2004) for d in (3, 14)] + ["1.1.2999"]
    short = ["15.06.80", "1.2.03", "1.2.04", "31.02.80", "1.2.80 x"]
    (field,), notes = schema.infer(pl.DataFrame({"born": [*column, *short]}))
    assert field.kind == "date" and field.reading is not None and field.reading.newest == 2013
    assert "column born: years of two digits are read as 1914 to 2013" in notes
    read = field.column(pl.Series(short)).to_list()
    assert read == ["1980-06-15", "2003-02-01", "2004-02-01", None, None]
    assert field.value("15.06.80") == "1980-06-15" and field.value("31.02.80") == "31.02.80"
    slashes = [f"{d}/5/{y}" for y in range(1935, 2004) for d in (3, 14)]
    (field,), _ = schema.infer(pl.DataFrame({"born": [*slashes, "05/06/80"]}))
    assert field.value("05/06/80") == "1980-06-05"
    assert field.reading is not None and field.reading.spec()["newest"] == 2003
    assert "newest" not in Reading().spec()
    assert kind(["1.2.80", "3.4.81"]) == "text", "no century is said"
    assert dates.parse(pl.Series(["1.2.80", "1.2.٨٠"]), None, 2003).to_list() == [
        "1980-02-01",
        None,
    ]


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
        ("01.01.0000", None),
        ("1961-01-0٢", None),
        ("2 Foo 1961", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_one_date_is_read_as_a_column_of_them(text: str, expected: str | None) -> None:
    assert dates.iso(text) == expected
    if "/01/" not in text:
        assert dates.parse(pl.Series([text])).to_list() == [expected]


def test_codes_are_texts_however_the_file_holds_them() -> None:
    numbers = {
        "PLZ": [2227, 810, 3019, 4000] * 30,
        "cust_id": [*range(100, 220)],
        "phone": [3012345678 + 10**i for i in range(10)] * 12,
        "Customer Number": [10023 + 7 * i for i in range(120)],
        "number_of_visits": [1000 + 7 * i for i in range(120)],
        "long": [10**7 + 7 * i for i in range(120)],
        "year": [*range(1900, 2020)],
        "age": [*range(20, 140)],
        "price": [*range(1000, 1120)],
        "umsatz": [*range(100_000, 100_120)],
        "street_number": [*range(1, 121)],
    }
    typed = pl.DataFrame(numbers)
    halves = typed.with_columns(pl.when(pl.col("PLZ") != 810).then(pl.col("PLZ").cast(pl.Float64)))
    for frame in (typed, halves, typed.cast(pl.String)):
        fields, notes = schema.infer(frame)
        codes = ["PLZ", "cust_id", "phone", "Customer Number", "long"]
        assert [f.name for f in fields if f.kind == "text"] == codes
        assert any("PLZ: its numbers are taken as codes" in note for note in notes)
    assert fields[0].column(halves["PLZ"])[:3].to_list() == ["2227", None, "3019"]
