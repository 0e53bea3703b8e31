"""Files as programs write them: a first line for Excel, gzip, JSON arrays, spreadsheets."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from gemel.data import records
from gemel.data.sources import tables
from gemel.errors import ConfigError, DataError


def test_a_first_line_for_excel_names_the_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("sep=;\nid;name,first\n1;anna, eva\n2\n3;bo\n")
    table = tables.read(path)
    assert table.frame.columns == ["id", "name,first"]
    assert table.rows.tolist() == [3, 5]
    assert [(b.row, b.reason) for b in table.bad] == [(4, "1 field, the header has 2")]


def test_gzip_and_arrays_of_json_hold_the_same_records(tmp_path: Path) -> None:
    plain = tmp_path / "t.csv"
    plain.write_text("a,b\nx,1.5\ny,2.5\n")
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    array = tmp_path / "t.json"
    array.write_text('[{"a": "x", "b": 1.5}, {"a": "y", "b": 2.5}]')
    digests = {records.read(path).digest for path in (plain, packed, array)}
    assert len(digests) == 1


def test_an_encoding_that_is_said_is_that_of_what_is_not_utf_8(tmp_path: Path) -> None:
    rows = ["id,jméno,obec", *(f"{i},Jiří Novák,Plzeň" for i in range(20))]
    lines = [f'{{"id": "{i}", "name": "Oťa"}}' for i in range(9)]
    pairs = "left,right,same\n0,1,1\n"
    for name, text in (("r.csv", "\n".join(rows)), ("r.jsonl", "\n".join(lines)), ("p.csv", pairs)):
        (tmp_path / name).write_bytes(text.encode("cp1250"))
        (tmp_path / f"utf8-{name}").write_text(text, "utf-8")
    for name in ("r.csv", "r.jsonl"):
        path, pairs = tmp_path / name, tmp_path / "p.csv"
        found = records.read(path, id="id", pairs=pairs, encoding="cp1250")
        same = records.read(tmp_path / f"utf8-{name}", id="id", pairs=pairs, encoding="cp1250")
        assert found.digest == same.digest and not any("cp1252" in note for note in found.notes)
    table = tmp_path / "r.csv"
    with pytest.raises(ConfigError, match="unknown encoding 'cp125'") as unknown:
        records.read(tmp_path / "utf8-r.csv", encoding="cp125")
    assert "did you mean 'cp125" in unknown.value.hint
    with pytest.raises(DataError, match="line 1: neither UTF-8 nor ascii"):
        records.read(table, encoding="ascii")


@pytest.mark.parametrize(
    ("name", "content", "what", "hint"),
    [
        ("t.csv.gz", b"a,b\n1,2\n", "cannot unpack the file", ""),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9], "cannot unpack the file", ""),
        ("t.parquet.gz", gzip.compress(b"x", mtime=0), "unknown file type", "known:"),
        ("t.xlsx", b"PK", "cannot read the spreadsheet", "save it anew or as CSV UTF-8"),
        ("t.json", b"[1, 2", "bad JSON", ""),
        ("t.json", b"[1, 2]", "no element is a JSON object", ""),
    ],
)
def test_what_cannot_be_read_says_so(
    tmp_path: Path, name: str, content: bytes, what: str, hint: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=what) as caught:
        tables.read(path)
    assert hint in caught.value.hint


def test_where_values_have_several_lines_the_line_and_the_record_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    lines = ['1,"a\nb",7', "2,ok,8", "3,x,y,9", '4,"c\n\nd",9', "2,again,1", '5,"q" z,1', "6,e,old"]
    path.write_text("\n".join(["id,note,n", *lines, *(f"{i},f,3" for i in range(7, 40))]))
    said = {"id": "id", "max_bad_ratio": 0.2, "columns": {"n": "number"}}
    data = records.read(path, **said)
    places = ["line 5 (record 3)", "line 9 (record 5)", "line 10 (record 6)"]
    assert [b.place for b in data.bad] == places
    assert str(data.gaps[0]).startswith(f"{path}, line 11 (record 7), column n: read as missing")
    path.write_text(path.read_text().replace("a\nb", "ab").replace("c\n\nd", "cd"))
    data = records.read(path, **said)
    assert [b.place for b in data.bad] == ["row 4", "row 6", "row 7"]


def test_a_sign_in_quoted_values_is_no_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('"first","second"\n"","0|"\n"0|",""\n')
    assert tables.read(path).frame.columns == ["first", "second"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("a;b;c;d", "{i};{i},5;{i},25;7,5"),
        ("id;name;price", "{i};Miller, Ann {i};3,{i}"),
        ("name;price", "Miller, Ann {i};3,{i}"),
        ("name;note", '{i};"a, b, ""c"", {i}"'),
        ("name;note;n", '{i};"a, x, y\nb, q, {i}";{i}'),
    ],
)
def test_commas_in_numbers_and_texts_are_no_delimiter(
    tmp_path: Path, columns: str, row: str, delimiter: str
) -> None:
    path, rows = tmp_path / "t.csv", [row.format(i=i) for i in range(10, 70)]
    path.write_text("\n".join([columns, *rows]).replace(";", delimiter))
    table = tables.read(path)
    assert (table.frame.columns, len(table.frame)) == (columns.split(";"), 60)


def test_a_long_field_is_read(tmp_path: Path) -> None:
    path, long = tmp_path / "t.csv", "x" * 300_000
    path.write_text(f'id,note\n1,"{long}"\n2,{long}\n3,short\n')
    data = records.read(path, id="id")
    assert [len(row["note"]) for row in data.payloads()] == [300_000, 300_000, 5]


def test_rows_without_identity_are_of_unknown_identity(tmp_path: Path) -> None:
    rows = [f"p{i // 2},name {i}" for i in range(20)] + [f",name {i}" for i in range(20, 30)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["person,name", *rows]))
    data = records.read(path, identity="person")
    assert (len(data), data.n_bad, int((data.identities == -1).sum())) == (30, 0, 10)
    assert any("10 records without person: of unknown identity" in note for note in data.notes)


def test_values_are_kept_as_they_were_written(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    lines = [f"{i},1{i}.50,{i % 28 + 1}/4/1980" for i in range(30)] + ["30,12.50,31/13/1980"]
    table.write_text("\n".join(["key,price,day", *lines, "31,12.50,broken,1/4/1980"]) + "\n")
    found = records.read(table, id="key", columns={"day": "date:dmy"}, max_bad_ratio=0.5)
    assert [f.kind for f in found.fields] == ["number", "date"] and len(found.bad) == 1
    assert found.payloads([30])[0]["day"] is None  # what is read as missing is kept as well
    assert found.written is not None
    assert [",".join(row) for row in found.written.rows()] == lines
    assert found.take(np.array([3])).written["day"].to_list() == ["4/4/1980"]  # type: ignore[index]
