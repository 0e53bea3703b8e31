"""Phone numbers, however they are written, as the digits within their country."""

import json

import polars as pl
import pytest

from gemel.data import records
from gemel.data.proposals import correspondence
from gemel.data.schema import Field, Reading, infer
from gemel.data.values import phones
from gemel.encode.row.prepare import RowPrepare

SAME = [
    [
        "030/347 41 55",
        "+49 (0)30 3474155",
        "0049 30-3474155",
        "0303474155",
        "(030) 347-4155 ext. 7",
    ],
    ["(212) 555-0100", "+1 212 555 0100", "1-212-555-0100", "212.555.0100 x3"],
    ["01 234 5678", "+353 1 234 5678"],
    ["0151 23456789", "+49 151 23456789", "0049 (0)151/23456789"],
    ["138 1234 5678", "+86 138-1234-5678"],
]
NONE = ["none", "12 34", "DE-303474155", "3474155 evenings"]
ODD = ["000000000", "+1 000000", "+0 13/1632"]


def test_one_number_is_one_text_in_a_column_and_alone() -> None:
    for written in SAME:
        assert len({phones.one(v) for v in written}) == 1
    every = [v for written in SAME for v in written] + NONE + ODD
    assert phones.parse(pl.Series(every)).to_list() == [phones.one(v) for v in every]
    assert [phones.one(v) for v in NONE] == NONE
    assert len({phones.one(written[0]) for written in SAME}) == len(SAME)
    assert all(phones.one(phones.one(v)) == phones.one(v) for v in every), "a payload is one"


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("Telefon", ["030/3474155", "+49 30 3474155", None], True),
        ("phone_number", ["2125550100", "2125550101"], True),
        ("contact", ["+49 30 3474155", "+44 20 7946 0958"], True),
        ("customer", ["100001", "100002"], False),
        ("ssn", ["123-45-6789", "123-45-6780"], False),
        ("hotel", ["123456", "123457"], False),
        ("Tél.", ["0441464870", "0338450584"], True),
        ("N° de Téléphone", ["0441464870", "0338450584"], True),
        ("Mobilnummer", ["123456", "123457"], True),
        ("Immobilienpreis", ["350000", "275000"], False),
        ("automobile_built", ["2012-03-04", "2013-05-06"], False),
        ("Tel.", ["ask Anna", "none", "030/3474155"], False),
    ],
)
def test_a_column_of_phones_is_known_by_its_name_or_its_plus(
    name: str, values: list[str | None], expected: bool
) -> None:
    assert phones.are_phones(name, pl.Series(values)) == expected


def test_numbers_of_a_spreadsheet_are_phones_too_and_a_user_may_say_otherwise() -> None:
    frame = pl.DataFrame({"phone": [303474155, 2125550100]})
    (field,), notes = infer(frame)
    assert field.kind == "text" and field.reading is not None and field.reading.phone
    assert any("phone numbers" in note for note in notes)
    (plain,), notes = infer(frame, {"phone": "text"})
    assert plain.reading == Reading() and not notes


def test_a_phone_is_read_alike_from_a_file_and_in_a_request() -> None:
    frame = pl.DataFrame({"who": ["a"] * 6, "tel": [*SAME[0], "040 1112223"]})
    dataset = records.read(frame, columns={"tel": "phone"})
    seen = {row["tel"] for row in dataset.payloads(range(len(SAME[0])))}
    assert seen == {"303474155"}
    field = next(f for f in dataset.fields if f.name == "tel")
    assert field.value("+49 30 3474155") == "303474155"
    prepare = RowPrepare.fit(dataset.payloads(range(6)), dataset.fields)
    again = RowPrepare.from_spec(json.loads(json.dumps(prepare.spec())))
    assert again.fields == prepare.fields


def test_how_other_fields_are_written_is_said_as_before() -> None:
    assert "phone" not in Reading(("N/A",), "dmy").spec()
    assert Field("tel", "text", Reading(phone=True)).expected.startswith("phone numbers")


@pytest.mark.parametrize("name", ["phone", "how"])
def test_columns_of_one_phone_correspond_however_they_are_written(name: str) -> None:
    left = pl.DataFrame({name: [f"030/55{i:04}" for i in range(50)]})
    right = pl.DataFrame({"reach": [f"+49 30 55{i:04}" for i in range(50)]})
    (match,) = correspondence.propose(left, right)
    assert (match.left, match.right) == (name, "reach") and match.shared == 1
