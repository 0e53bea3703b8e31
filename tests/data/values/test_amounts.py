"""Amounts in one currency are numbers, wherever they come in; in several they are none."""

import json
from pathlib import Path

import polars as pl
import pytest

from gemel.data import records, schema
from gemel.data.schema import Field, Reading
from gemel.data.sources.columns import Columns
from gemel.data.sources.linked import Other
from gemel.data.values import amounts
from gemel.encode.row.prepare import RowPrepare


def read(texts: list[str]) -> tuple[Field, list[object]]:
    values = pl.Series("price", texts)
    ((field,), _) = schema.infer(values.to_frame())
    return field, field.column(values).to_list()


@pytest.mark.parametrize(
    ("texts", "numbers", "expected"),
    [
        (
            ["1.234,50 EUR", "-3,20 EUR", "7 EUR"],
            [1234.5, -3.2, 7.0],
            " with a decimal comma in EUR",
        ),
        (["$1,234.50", "-$3.20", "($7)"], [1234.5, -3.2, -7.0], " in $"),
        (["€ 12", "€12", "12 EUR"], [12.0, 12.0, 12.0], " in EUR"),
        (["12,50 zł", "1\u00a0234,50 zł", "- 8 zł"], [12.5, 1234.5, -8.0], None),
        (["CHF 1'234.50", "CHF 3.20"], [1234.5, 3.2], " in CHF"),
        (["(1,200.00)", "1.50", "30", "7"], [-1200.0, 1.5, 30.0, 7.0], " with a minus in brackets"),
        (["1,50 €"] * 20 + ["0"], [1.5] * 20 + [0.0], None),
        (["1.200 €", "950 €", "2.400.000 €"], [1200.0, 950.0, 2.4e6], None),
        (["1.200 €", "950,50 €"], [1200.0, 950.5], " with a decimal comma in EUR"),
        (["$1,200", "$950", "$2,400,000.50"], [1200.0, 950.0, 2400000.5], " in $"),
        (["1.200,- €", "950,– €"], [1200.0, 950.0], None),
        (["CHF 1'200.-", "CHF 950.50"], [1200.0, 950.5], " in CHF"),
        (["0.125 €", "1.250 €", "2.50 €"], [0.125, 1.25, 2.5], " in EUR"),
        (["(1,200)", "1.125", "30", "7"], [-1200.0, 1.125, 30.0, 7.0], None),
    ],
)
def test_a_column_of_amounts_in_one_currency_is_one_of_numbers(
    texts: list[str], numbers: list[float], expected: str | None
) -> None:
    field, found = read(texts)
    assert (field.kind, found) == ("number", numbers)
    assert expected is None or field.expected == f"number{expected}"
    assert [field.value(text) for text in texts] == numbers


@pytest.mark.parametrize(
    "texts", [["1 €", "$2", "3 €"], ["1 €", "2", "3"], ["6 ft", "5 ft"], ["(1)", "(2)"], ["2 €?"]]
)
def test_what_is_in_several_currencies_or_hardly_any_stays_text(texts: list[str]) -> None:
    assert read(texts)[0].kind == "text"


def test_a_gap_of_any_length_is_looked_through_at_once() -> None:
    for text in (f"1{' ' * 20_000}x", f"1{' 1' * 20_000} x", f"({' ' * 20_000}x"):
        assert amounts.named_in(text) is None and amounts.bare(text, "EUR") == text
    assert amounts.bare(f"1 {' ' * 20_000}€", "EUR") == "1"


def test_another_currency_than_that_of_the_column_is_no_number() -> None:
    texts = [f"{i},00 €" for i in range(150)]
    field, found = read([*texts, "12,00 $"])
    assert (field.kind, found[-1], field.value("12,00 $")) == ("number", None, "12,00 $")
    assert field.value(12.5) == 12.5 and field.value("1e3") == "1e3"
    rows = [{"name": f"n{i}", "price": f"{i},00 €"} for i in range(30)]
    data = records.from_rows(rows)
    assert "column price: read as number with a decimal comma in EUR" in data.notes


def test_of_two_files_in_two_currencies_it_is_said(tmp_path: Path) -> None:
    for name, sign in (("a", "€"), ("b", "£")):
        rows = "".join(f"n{i};{i},50 {sign}\n" for i in range(30))
        (tmp_path / f"{name}.csv").write_text(f"name;price\n{rows}", encoding="utf-8")
    one, two = tmp_path / "a.csv", tmp_path / "b.csv"
    left, right = records.read_two(one, Columns(), Other(two))
    assert right.payloads([3]) == [{"name": "n3", "price": 3.5}]
    assert any("amounts in EUR are compared with amounts in GBP" in note for note in left.notes)


def test_a_release_reads_amounts_as_its_records_were(tmp_path: Path) -> None:
    data = records.from_rows([{"name": f"n{i}", "price": f"{i},50 €"} for i in range(30)])
    spec = json.loads(json.dumps(RowPrepare.fit(data.payloads(), data.fields).spec()))
    kept = RowPrepare.from_spec(spec)
    assert kept.fields == data.fields and kept.fields[1].value("EUR 3,50") == 3.5


def test_a_reading_is_kept_with_its_currency_and_as_before_without() -> None:
    assert "currency" not in Reading().spec()
    assert json.loads(json.dumps(Reading(currency="").spec()))["currency"] == ""
