from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gemel.data import records, schema
from gemel.data.proposals import labels
from gemel.data.schema import Field, Reading
from gemel.data.sources import tables
from gemel.errors import DataError


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def people(n: int = 200) -> str:
    lines = [
        f"{i},p{i // 2},Name{i % 37},{1950 + i % 50},{i % 28 + 1:02}.03.1980" for i in range(n)
    ]
    return "\n".join(["id,person,name,year,born", *lines]) + "\n"


def test_a_table_becomes_typed_records(tmp_path: Path) -> None:
    data = records.read(write(tmp_path / "p.csv", people()), identity="person", id="id")
    assert [(f.name, f.kind) for f in data.fields] == [
        ("name", "text"),
        ("year", "number"),
        ("born", "date"),
    ]
    assert data.payloads([1]) == [{"name": "Name1", "year": 1951.0, "born": "1980-03-02"}]
    assert len(data) == data.n_read == 200
    assert data.ids[:2].tolist() == ["0", "1"]
    assert data.identities[:4].tolist() == [0, 0, 1, 1]
    assert data.identity_of(3) == "p1"


def test_each_faulty_row_is_reported_with_line_column_and_reason(tmp_path: Path) -> None:
    lines = people().splitlines()
    lines[10] = "9,p4,Name9,19x5,10.03.1980"
    lines[20] = "19,p9,too,many,fields,here"
    lines[30] = "29,p14"
    lines[40] = "39,,Name2,1989,12.03.1980"
    lines[50] = "48,p24,Name3,1989,12.03.1980"
    lines[60] = "59,p29,Name3,1989,31.02.1980"
    lines[70] = "69,p34,,,"
    lines[80] = ""
    lines[90] = '89,p44,"Name,1989,12.03.1980'
    path = write(tmp_path / "p.csv", "\n".join(lines))
    data = records.read(path, identity="person", id="id", max_bad_ratio=0.1)
    assert [(b.row, b.column, b.reason) for b in data.bad] == [
        (21, None, "6 fields, the header has 5"),
        (31, None, "2 fields, the header has 5"),
        (51, "id", "duplicate id: '48'"),
        (71, None, "empty record"),
        (91, None, "broken quotes (unexpected end of data)"),
    ]
    assert all(b.file == str(path) for b in data.bad)
    assert len(data) + data.n_bad == data.n_read == 199


def test_a_field_beyond_all_length_is_called_that(tmp_path: Path) -> None:
    lines = people().splitlines()
    lines[10] = f"9,p4,{'n' * 10_000_001},1989,10.03.1980"
    path = write(tmp_path / "p.csv", "\n".join(lines))
    (bad,) = records.read(path, identity="person", id="id").bad
    assert (bad.row, bad.reason[:35]) == (11, "a field of more than 10,000,000 cha")


def test_a_value_that_does_not_fit_is_missing_and_its_record_stays(tmp_path: Path) -> None:
    lines = people().splitlines()
    lines[10] = "9,p4,Name9,19x5,10.03.1980"
    lines[60] = "59,p29,Name3,1989,31.02.1980"
    lines[61] = "60,p30,Name4,1989,30.02.1980"
    lines[62] = "61,p30,,,30.02.1980"
    data = records.read(write(tmp_path / "p.csv", "\n".join(lines)), identity="person", id="id")
    assert [str(b).partition(", ")[2] for b in data.bad] == [
        "row 63, column born: not a date: '30.02.1980'"
    ]
    place = {name: i for i, name in enumerate(data.ids.tolist())}
    assert data.payloads([place["9"], place["59"]]) == [
        {"name": "Name9", "year": None, "born": "1980-03-10"},
        {"name": "Name3", "year": 1989.0, "born": None},
    ]
    assert [str(b).partition(", ")[2] for b in data.gaps] == [
        "row 11, column year: read as missing; not a number: '19x5'",
        "row 61, column born: read as missing, as 2 of 199 values; not a date: '31.02.1980'",
    ]


def test_a_column_of_something_else_than_is_said_stops_the_reading(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", people())
    with pytest.raises(DataError, match="200 of 200 values of column name do not fit") as e:
        records.read(path, identity="person", columns={"name": "number"})
    assert 'data.columns.name = "text"' in e.value.hint


def test_too_many_faulty_rows_stop_the_reading_and_the_first_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", people() + "1\n2\n3\n")
    with pytest.raises(DataError, match=r"3 of 203 records.*row 202: 1 field,") as e:
        records.read(path, identity="person")
    assert "max_bad_ratio" in e.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "a;b\n1,5;x\n2,5;y\n",
        "a\tb\n1.5\tx\n2.5\ty\n",
        "a|b\r\n1.5|x\r\n2.5|y\r\n",
        "\ufeffa,b\n1.5,x\n2.5,y\n\n\n",
        'a,b\n"1.5",x\n"2.5","y"',
    ],
    ids=["semicolon", "tab", "windows", "mark", "quotes"],
)
def test_spellings_of_one_table_give_the_same_dataset(tmp_path: Path, text: str) -> None:
    plain = records.read(write(tmp_path / "plain.csv", "a,b\n1.5,x\n2.5,y\n"))
    data = records.read(write(tmp_path / "t.csv", text))
    assert data.payloads() == [{"a": 1.5, "b": "x"}, {"a": 2.5, "b": "y"}]
    assert data.digest == plain.digest


def test_formats_of_one_table_give_the_same_dataset(tmp_path: Path) -> None:
    csv_path = write(tmp_path / "p.csv", people())
    frame = pl.read_csv(csv_path)
    frame.write_parquet(tmp_path / "p.parquet")
    frame.write_ndjson(tmp_path / "p.jsonl")
    frame.write_csv(tmp_path / "p.tsv", separator="\t")
    read = [
        records.read(tmp_path / f"p.{s}", identity="person", id="id")
        for s in ("csv", "parquet", "jsonl", "tsv")
    ]
    assert len({d.digest for d in read}) == 1
    assert records.read(frame, identity="person", id="id").digest == read[0].digest


def test_a_value_changes_the_digest_and_its_file_does_not(tmp_path: Path) -> None:
    a = records.read(write(tmp_path / "a.csv", people()), identity="person")
    b = records.read(write(tmp_path / "b.csv", people()), identity="person")
    c = records.read(write(tmp_path / "c.csv", people().replace("Name7", "Nama7", 1)))
    assert a.digest == b.digest != c.digest
    assert a.take([0, 1]).digest != a.take([1, 0]).digest


def test_a_taken_part_keeps_its_codes(tmp_path: Path) -> None:
    data = records.read(write(tmp_path / "p.csv", people()), identity="person")
    part = data.take(np.array([150, 3]))
    assert [part.identity_of(0), part.identity_of(1)] == ["p75", "p1"]
    assert part.payloads() == data.payloads([150, 3])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.csv", "", "the file is empty"),
        ("e.csv", "\n \n", "the file is empty"),
        ("h.csv", "a,b\n", "the file has no records"),
        ("d.csv", "a,0,0\n1,2,3\n", "names '0' twice"),
        ("z.csv", b"PK\x03\x04zip", "not a text file"),
        ("q.csv", '"a,b\n1,2\n', "header cannot be read"),
        ("l.csv", b"gr\xff\x81e,b\n1,2\n", "header is not UTF-8"),
        ("b.csv", bytes(range(256)) * 20, "not a text file"),
        ("p.parquet", b"PAR1nonsense", "cannot read the Parquet file"),
        ("x.xlsx", b"PK", "cannot read the spreadsheet"),
        ("j.jsonl", "[1]\n2\n", "no line is a JSON object"),
        ("j.jsonl", "{'a': 1}\n", "bad JSON"),
    ],
)
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message) as e:
        records.read(write(tmp_path / name, content))
    assert name in str(e.value)


def test_wrong_places_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", people())
    with pytest.raises(DataError, match="no such file"):
        records.read(tmp_path / "none.csv")
    with pytest.raises(DataError, match="expected a file of rows"):
        records.read(tmp_path, kind="rows")
    with pytest.raises(DataError, match="expected a folder of images"):
        records.read(path, kind="images")
    with pytest.raises(DataError, match="no column 'persn'") as e:
        records.read(path, identity="persn")
    assert e.value.hint == "did you mean 'person'?"
    with pytest.raises(DataError, match="no column 'yaer'"):
        records.read(path, columns={"yaer": "number"})
    with pytest.raises(DataError, match="unknown kind 'int'"):
        records.read(path, columns={"year": "int"})


def test_text_in_cp1252_is_read_so_and_said(tmp_path: Path) -> None:
    text = "Straße,Umsatz €\n" + "".join(f"Müller “{i}”,{i}\n" for i in range(30))
    found = [
        records.read(write(tmp_path / f"{name}.csv", text.encode(name)))
        for name in ("cp1252", "utf-8")
    ]
    assert found[0].digest == found[1].digest
    assert [f.name for f in found[0].fields] == ["Straße", "Umsatz €"]
    said = "read as cp1252 (Western European, of Windows): it is not UTF-8"
    assert [any(said in note for note in data.notes) for data in found] == [True, False]
    text = "Jméno,Obec\n" + "Oťa,Plzeň\nJiří,Úštěk\n" * 9
    for header in ("Příjmeníť", "Jmeno"):
        path = write(tmp_path / "cz.csv", text.replace("Jméno", header).encode("cp1250"))
        with pytest.raises(DataError) as refused:
            records.read(path)
        assert "data.encoding=cp1250" in str(refused.value.hint), refused.value


def test_broken_utf_8_is_reported_by_row(tmp_path: Path) -> None:
    lines = [b"name,year", *["Müller,1980".encode()] * 200, "Müller,1980".encode("latin-1")]
    data = records.read(write(tmp_path / "l.csv", b"\n".join(lines)))
    assert [(b.row, b.column, b.reason) for b in data.bad] == [(202, "name", "not UTF-8 text")]
    few = write(tmp_path / "few.csv", b"\n".join([*lines[:3], lines[-1]]))
    with pytest.raises(DataError) as refused:
        records.read(few)
    assert "save the file as UTF-8" in refused.value.hint


def test_utf_16_with_its_mark_is_read(tmp_path: Path) -> None:
    data = records.read(write(tmp_path / "u.csv", "a,b\nä,x\n".encode("utf-16")))
    assert data.payloads() == [{"a": "ä", "b": "x"}]


def test_json_lines_report_what_is_no_record(tmp_path: Path) -> None:
    good = [json.dumps({"a": i, "b": "x", "ok": i % 2 == 0}) for i in range(50)]
    text = "\n".join([*good, "{bad", "[1]", '{"a": [1]}', "", '{"a": NaN}', '{"late": "z"}'])
    data = records.read(write(tmp_path / "j.jsonl", text), max_bad_ratio=0.2)
    assert [(b.row, b.column) for b in data.bad] == [
        (51, None),
        (52, None),
        (53, "a"),
        (55, None),
    ]
    assert data.payloads([0]) == [{"a": 0.0, "b": "x", "ok": "true", "late": None}]
    assert data.payloads([50]) == [{"a": None, "b": None, "ok": None, "late": "z"}]


def test_parquet_types_are_kept(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "n": [1.5, float("nan")],
            "day": [date(1980, 3, 4), None],
            "flag": [True, False],
            "who": [7.0, 8.0],
            "deep": [[1], [2]],
        }
    )
    frame.write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column deep: lists, objects or bytes") as deep:
        records.read(tmp_path / "t.parquet")
    assert "pandas.json_normalize" in str(deep.value.hint)
    data = records.read(tmp_path / "t.parquet", identity="who", ignore=["deep"])
    assert data.payloads() == [
        {"n": 1.5, "day": "1980-03-04", "flag": "true"},
        {"n": None, "day": None, "flag": "false"},
    ]
    assert data.identity_names == ("7", "8")


def test_ids_are_row_numbers_that_a_refused_row_does_not_shift(tmp_path: Path) -> None:
    text = "a,b\n1,x\nbroken\n3,y\n"
    data = records.read(write(tmp_path / "t.csv", text), max_bad_ratio=0.5)
    assert data.ids.tolist() == ["1", "3"]


def test_overrides_and_missing_words_win(tmp_path: Path) -> None:
    text = "code,name\n" + "\n".join(f"{i},{'NA' if i % 2 else 'x'}" for i in range(10))
    path = write(tmp_path / "t.csv", text)
    data = records.read(path, columns={"code": "text"}, missing=["NA"])
    assert data.fields[0] == Field("code", "text", Reading(("NA",)))
    assert data.payloads([0, 1]) == [{"code": "0", "name": "x"}, {"code": "1", "name": None}]


def test_fields_of_a_release_are_kept_and_demanded(tmp_path: Path) -> None:
    fields = [Field("year", "text"), Field("name", "text")]
    path = write(tmp_path / "p.csv", people())
    data = records.read(path, fields=fields)
    assert [(f.name, f.kind) for f in data.fields] == [("year", "text"), ("name", "text")]
    assert data.payloads([0]) == [{"year": "1950", "name": "Name0"}]
    assert any("not used: id, person, born" in n for n in data.notes)
    labelled = records.read(path, fields=fields, identity="name")
    assert [f.name for f in labelled.fields] == ["year", "name"] and labelled.identity_of(
        0
    ) == "Name0"
    with pytest.raises(DataError, match="no column 'phone'"):
        records.read(path, fields=[Field("phone", "text")])


def test_unhelpful_columns_are_noted_and_kept(tmp_path: Path) -> None:
    data = records.read(write(tmp_path / "p.csv", "always," + people().replace("\n", "\nx,")[:-2]))
    assert any("column id: is different in every row" in n for n in data.notes)
    assert any("column always: is always 'x'" in n for n in data.notes)
    assert {"id", "always"} <= {f.name for f in data.fields}


def test_a_column_without_a_name_gets_one(tmp_path: Path) -> None:
    data = records.read(write(tmp_path / "t.csv", ",a\n1,x\n2,y\n"))
    assert [f.name for f in data.fields] == ["column_1", "a"]
    assert "column 1 has no name in the header; called column_1" in data.notes


def test_rows_in_memory() -> None:
    rows = [{"name": "Ann", "age": 3}, {"name": "Bob"}]
    data = records.from_rows(rows, identities=["x", None], ids=[10, 11])
    assert data.payloads() == [{"name": "Ann", "age": 3.0}, {"name": "Bob", "age": None}]
    assert data.identities.tolist() == [0, -1]
    assert data.ids.tolist() == ["10", "11"]
    with pytest.raises(DataError, match="no rows"):
        records.from_rows([])
    with pytest.raises(DataError, match="1 identities for 2 rows"):
        records.from_rows(rows, identities=["x"])
    with pytest.raises(DataError, match="not unique"):
        records.from_rows(rows, ids=["1", "1"])
    with pytest.raises(DataError, match="not a number"):
        records.from_rows([{"a": "x"}], fields=[Field("a", "number")])


def test_an_identity_column_is_proposed_by_name_only_when_its_values_come_back() -> None:
    frame = pl.DataFrame({"label": [1, 2, 3], "entity_id": ["a", "a", "b"]})
    assert labels.identity_of(frame) == "entity_id"
    assert labels.identity_of(frame.drop("entity_id")) is None


VALUES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"), max_size=12
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8), st.sampled_from(",;\t|"))
def test_any_text_survives_a_csv_file(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("first", "second"), *rows])
    path = write(tmp_path / "t.csv", out.getvalue())
    fields = [Field("first", "text"), Field("second", "text")]
    kept = [r for r in rows if r[0].strip() or r[1].strip()]
    if not kept:
        return
    data = records.read(path, fields=fields, max_bad_ratio=1.0)
    assert len(data) + data.n_bad == data.n_read
    expected = [
        {"first": a if a.strip() else None, "second": b if b.strip() else None} for a, b in kept
    ]
    assert data.payloads() == expected


def test_line_breaks_inside_quotes_keep_the_count_of_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", 'a,b\n"x\ny",1\n"z\n\nw",2\nbad\nv,3\n')
    data = records.read(path, max_bad_ratio=0.5)
    assert [b.row for b in data.bad] == [7]
    assert data.payloads([0, 1, 2]) == [
        {"a": "x\ny", "b": 1.0},
        {"a": "z\n\nw", "b": 2.0},
        {"a": "v", "b": 3.0},
    ]


def test_an_open_quote_costs_one_row_not_the_file(tmp_path: Path) -> None:
    rows = [f"n{i},{i}" for i in range(3000)]
    rows[7] = '"n7,7'
    data = records.read(write(tmp_path / "t.csv", "\n".join(["a,b", *rows])))
    assert [b.row for b in data.bad] == [9]
    assert len(data) == 2999
    assert schema.infer(tables.read(tmp_path / "t.csv").frame)[0][1].kind == "number"


def test_a_damaged_file_is_read_or_refused_but_never_crashes(tmp_path: Path) -> None:
    records.read(write(tmp_path / "p.csv", people(60)))
    pl.read_csv(tmp_path / "p.csv").write_parquet(tmp_path / "p.parquet")
    pl.read_csv(tmp_path / "p.csv").write_ndjson(tmp_path / "p.jsonl")
    rng = np.random.default_rng(0)
    for name in ("p.csv", "p.parquet", "p.jsonl"):
        whole = (tmp_path / name).read_bytes()
        for _ in range(60):
            damaged = bytearray(whole)
            for at in rng.integers(0, len(whole), 3):
                damaged[at] = rng.integers(0, 256)
            path = write(tmp_path / f"damaged_{name}", bytes(damaged))
            try:
                data = records.read(path, max_bad_ratio=1.0)
            except DataError:
                continue
            assert len(data) + data.n_bad == data.n_read


def test_texts_of_a_table_that_are_missing_are_refused_rows(tmp_path: Path) -> None:
    lines = [f"r{i},{'' if i % 2 else f'some text {i}'},p{i // 4},{i}.5" for i in range(40)]
    path = write(tmp_path / "t.csv", "\n".join(["id,text,who,n", *lines]) + "\n")
    with pytest.raises(DataError, match="20 of 40 records cannot be used"):
        records.read(path, kind="text", identity="who", id="id")
    found = records.read(path, kind="text", identity="who", id="id", max_bad_ratio=0.5)
    assert (len(found), found.n_bad, found.n_read) == (20, 20, 40)
    assert str(found.bad[0]) == f"{path}, row 3, column text: no text"


def test_captions_have_ids_of_their_own_and_no_identity_where_none_is_said(tmp_path: Path) -> None:
    lines = ["file,text,who,id"]
    for i, who in enumerate(["a", "a", "", "", "n/a", "n/a"]):
        image = Image.fromarray(np.full((8, 8, 3), 40 * i, np.uint8))
        image.save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,thing {i},{who},x{min(i, 4)}")
    (tmp_path / "captions.csv").write_text("\n".join(lines) + "\n")
    said = {"kind": "image_text", "identity": "who", "id": "id", "missing": ["n/a"]}
    found = records.read(tmp_path, max_bad_ratio=0.5, **said)
    assert [str(b).partition(", ")[2] for b in found.bad] == [
        "row 7, column id: duplicate id: 'x4'"
    ]
    assert len(set(found.ids.tolist())) == len(found) == 10
    assert found.identity_names == ("a",) and np.count_nonzero(found.identities == 0) == 4


@pytest.mark.parametrize("kind", ["rows", "text"])
def test_records_in_another_order_are_another_dataset(tmp_path: Path, kind: str) -> None:
    lines = [f"r{i},some text {i} of {i // 2},p{i // 2}" for i in range(40)]
    written = ["\n".join(["id,text,who", *some]) + "\n" for some in (lines, lines[::-1])]
    one, two = (
        records.read(write(tmp_path / f"{i}.csv", text), kind=kind, identity="who", id="id")
        for i, text in enumerate(written)
    )
    assert one.digest != two.digest, "splits of a run are positions in its records"
