"""Texts that may mean "no value" are said, with how many and where, and never acted upon."""

from gemel.data.proposals.placeholders import notes
from gemel.data.records import from_rows
from gemel.data.schema import Field


def test_placeholders_are_named_with_share_example_and_what_to_do() -> None:
    rows = [{"city": f"town {i}", "born": f"19{i:02}-01-02"} for i in range(60)]
    rows += [{"city": f"village {i}", "born": "unknown"} for i in range(7)]
    rows += [{"city": "N/A", "born": "unknown"}, {"city": "N/A", "born": "0000-00-00"}]
    found = notes(from_rows(rows))
    assert "column city: 'N/A' in 2 of 69 values (2.9%) counts as agreement; record 68 has it" in (
        found
    )
    assert found[-1] == (
        'if these texts mean "no value": data.missing = ["N/A", "unknown", "0000-00-00"]'
    )
    assert any("look like dates; kept as text, as 'unknown' is none" in note for note in found)


def test_names_and_values_that_only_look_alike_are_left_alone() -> None:
    rows = [{"name": f"Anna {i}", "code": f"00{i}"} for i in range(30)]
    assert notes(from_rows(rows)) == []
    towns = [{"town": f"Town {i}", "zip": str(9000 + 90 * (i % 2))} for i in range(30)]
    assert notes(from_rows(towns, fields=[Field("town", "text"), Field("zip", "text")])) == []


def test_columns_that_are_nearly_of_another_kind_are_said() -> None:
    rows = [
        {
            "price": f"1'{i:03}.50",
            "cost": f"{'€' if i % 3 else '$'} {i},20",
            "seen": f"0{i % 9 + 1}.03.7{i % 10}",
        }
        for i in range(30)
    ]
    for i, row in enumerate(rows):
        row["due"] = f"1{i % 9}.03.198{i % 9}" + " r." * (i % 3 == 0)
        row["paid"] = f"1\u00a0{100 + i},5" + " zł" * (i % 2)
        row["house"] = f"{i} b" if i % 2 else f"{i}"
        row["worth"] = f"₹1,{i + 10},000"
    found = notes(from_rows(rows))
    assert (
        "column due: 66.7% of the values look like dates; kept as text, as '10.03.1980 r.' is none"
    ) in found
    assert (
        "column paid: 100.0% of the values look like numbers, 50.0% amounts in PLN; kept as text, "
        "and read as numbers where all are in one currency, or it has a column of its own"
    ) in found
    assert (
        "column worth: 100.0% of the values look like amounts in INR; kept as text, as "
        "'₹1,10,000' is none that is read"
    ) in found
    assert not any("house" in note for note in found)
    assert any("price" in note and "marks between thousands" in note for note in found)
    assert any("cost" in note and "amounts in $, EUR; kept as text" in note for note in found)
    assert any("seen" in note and "two digits" in note for note in found)


def test_a_name_that_is_a_word_for_nothing_has_to_be_common() -> None:
    rows = [{"last": f"{'abcdefghij'[i % 10]}{'xyz'[i % 3]}", "born": "2001"} for i in range(300)]
    rows += [{"last": "Blank", "born": "2001"}] * 4
    assert notes(from_rows(rows, fields=[Field("last", "text"), Field("born", "text")])) == []
    for text, n in (("Blank", 9), ("brak", 9), ("n/d", 2), ("No tiene", 1)):
        more = [*rows, *[{"last": text, "born": "2001"}] * n]
        assert notes(from_rows(more))[-1].endswith(f'data.missing = ["{text}"]')
