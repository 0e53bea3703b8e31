"""Spreadsheets: the first sheet with cells, values as a CSV file would have them."""

import zipfile
from itertools import groupby
from pathlib import Path

import pytest

from gemel.data import records
from gemel.data.sources import tables
from gemel.errors import DataError

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs>'
    "</styleSheet>"
)


def cell(value: object) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, tuple):  # a day, by its number since 1899-12-30
        return f'<c s="1"><v>{value[0]}</v></c>'
    if isinstance(value, int | float):
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def workbook(path: Path, **sheets: list[list[object]]) -> Path:
    """An .xlsx file, as small as Excel still opens it."""
    with zipfile.ZipFile(path, "w") as out:
        names = list(sheets)
        listed = "".join(
            f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(names, 1)
        )
        targets = "".join(
            f'<Relationship Id="r{i}" Type="{OFFICE}/worksheet" Target="worksheets/s{i}.xml"/>'
            for i in range(1, len(names) + 1)
        )
        styles = f'<Relationship Id="st" Type="{OFFICE}/styles" Target="styles.xml"/>'
        rels = f'<Relationships xmlns="{PACKAGE}/relationships">'
        out.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" '
            'ContentType="application/xml"/></Types>',
        )
        out.writestr(
            "_rels/.rels",
            f'{rels}<Relationship Id="r" Type="{OFFICE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        out.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>',
        )
        out.writestr("xl/_rels/workbook.xml.rels", f"{rels}{targets}{styles}</Relationships>")
        out.writestr("xl/styles.xml", STYLES)
        for i, name in enumerate(names, 1):
            rows = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in sheets[name])
            body = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
            out.writestr(f"xl/worksheets/s{i}.xml", body)
    return path


def document(path: Path, **sheets: list[list[object]]) -> Path:
    """An .ods file as LibreOffice writes one: equal neighbours counted, blank up to the margin."""
    office = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = " ".join(f'xmlns:{n}="{office}:{n}:1.0"' for n in ("office", "table", "text"))
    margin = '<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
    margin += 'table:number-columns-repeated="1024"/></table:table-row>'

    def of(value: object, times: int) -> str:
        many = f' table:number-columns-repeated="{times}"' if times > 1 else ""
        if value is None:
            return f"<table:table-cell{many}/>"
        if isinstance(value, int | float):
            said = f'office:value-type="float" office:value="{value}"'
        else:
            said = 'office:value-type="string"'
        return f"<table:table-cell{many} {said}><text:p>{value}</text:p></table:table-cell>"

    def row(cells: list[object], times: int) -> str:
        many = f' table:number-rows-repeated="{times}"' if times > 1 else ""
        inside = "".join(
            of(value, len(list(same))) for value, same in groupby([*cells, None, None])
        )
        return f"<table:table-row{many}>{inside}</table:table-row>"

    body = "".join(
        f'<table:table table:name="{name}">'
        + "".join(row(cells, len(list(same))) for cells, same in groupby(rows))
        + f"{margin}</table:table>"
        for name, rows in sheets.items()
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("mimetype", kind)
        out.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{office}:manifest:1.0"><manifest:file-entry '
            f'manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>',
        )
        out.writestr(
            "content.xml",
            f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} '
            f'office:version="1.3"><office:body><office:spreadsheet>{body}'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return path


def test_a_sheet_is_read_as_its_csv_would_be(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "x.xlsx",
        empty=[],
        people=[
            ["id", "name", "born", "size", None],
            [1, "anna", (29214,), 1.5, None],
            [None] * 5,
            [2, "007", (29215,), 2, None],
            [3, None, None, 3, None],
            [None] * 5,
        ],
        more=[["x"], [1]],
    )
    table = tables.read(path)
    assert table.frame.columns == ["id", "name", "born", "size"]
    assert table.frame["id"].to_list() == ["1", "2", "3"]
    assert table.frame["name"].to_list() == ["anna", "007", None]
    assert table.frame["born"].to_list() == ["1979-12-25", "1979-12-26", None]
    assert table.rows.tolist() == [2, 4, 5]
    assert (table.bad, table.blank, table.n_read) == ((), (3,), 3)
    assert table.ordinals.tolist() == [1, 3, 4]
    assert table.notes == ("sheet 'people' is read; not read: empty, more",)
    data = records.read(path, id="id", max_bad_ratio=0.5)
    assert {f.name: f.kind for f in data.fields}["born"] == "date"


@pytest.mark.parametrize("content", [b"PK\x03\x04 no zip", b"\xd0\xcf\x11\xe0 locked"])
def test_what_is_no_spreadsheet_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.xlsx").write_bytes(content)
    with pytest.raises(DataError, match="cannot read the spreadsheet") as e:
        tables.read(tmp_path / "x.xlsx")
    assert "CSV UTF-8" in e.value.hint


def test_a_spreadsheet_without_cells_is_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the file is empty"):
        tables.read(workbook(tmp_path / "x.xlsx", one=[]))
    (tmp_path / "none.xlsx").touch()
    with pytest.raises(DataError, match="the file is empty") as e:
        tables.read(tmp_path / "none.xlsx")
    assert "put records into it" in e.value.hint
    with pytest.raises(DataError, match="the file has no records"):
        tables.read(workbook(tmp_path / "y.xlsx", one=[["a", "b"]]))


def test_a_cover_is_no_table_and_other_tables_are_named(tmp_path: Path) -> None:
    cover = [["Customers, May"], [None, "made by", None], ["see the next sheet"]]
    people = [["id", "name"], [1, "anna"], [2, "bert"]]
    table = tables.read(workbook(tmp_path / "x.xlsx", cover=cover, people=people))
    assert table.frame["name"].to_list() == ["anna", "bert"]
    assert table.notes == ("sheet 'people' is read; not read: cover",)
    path = workbook(tmp_path / "y.xlsx", cover=cover, people=people, more=[["a", "b"], [1, 2]])
    assert "a table as well: 'more', which data.sheet would name" in tables.read(path).notes[0]
    assert tables.read(path, "more").frame.columns == ["a", "b"]
    assert records.read(path, sheet="more").n_read == 1
    with pytest.raises(DataError, match="no sheet 'mare'") as e:
        tables.read(path, "mare")
    assert "'more'" in e.value.hint
    (tmp_path / "z.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no spreadsheet"):
        tables.read(tmp_path / "z.csv", "more")
