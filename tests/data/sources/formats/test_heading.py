"""A title above the header is no header; a header that is short of names stays one."""

from pathlib import Path

import pytest
from tests.data.sources.formats.test_sheets import workbook

from gemel.data.sources import tables
from gemel.data.sources.formats.delimited import UNQUOTED
from gemel.data.sources.formats.heading import header_at

NAMES = ["No", "Company ", "Town", "Since", "Sales"]
ROWS = [[f"L{i}", f"Firm {i}, Ltd", "Bath", f"20{i:02}-01-02", i] for i in range(30)]
TITLE = "Suppliers, as of 14.11.2026"


def as_csv(path: Path, delimiter: str, *, padded: bool) -> Path:
    blank = delimiter * (len(NAMES) - 1) if padded else ""
    quoted = [[f'"{cell}"' if "," in str(cell) else str(cell) for cell in row] for row in ROWS]
    body = [delimiter.join(row) for row in quoted]
    title = TITLE if delimiter != "," else f'"{TITLE}"'
    lines = [title + blank, blank, delimiter.join(NAMES), *body[:9], blank, *body[9:]]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_a_title_above_the_header_is_left_out_and_said(
    tmp_path: Path, delimiter: str, padded: bool
) -> None:
    table = tables.read(as_csv(tmp_path / "x.csv", delimiter, padded=padded))
    empty: list[object] = [None] * 5
    sheet = workbook(
        tmp_path / "x.xlsx",
        one=[[TITLE, *empty[1:]], empty, NAMES, *ROWS[:9], empty, *ROWS[9:]],  # type: ignore[list-item]
    )
    of_sheet = tables.read(sheet)
    assert table.frame.to_dicts() == of_sheet.frame.to_dicts()
    assert table.frame.columns == [name.strip() for name in NAMES]
    for one in (table, of_sheet):
        assert one.notes == (f"the header is row 3; 2 lines above it left out: {TITLE!r}",)
        assert (one.n_read, one.bad, one.blank) == (30, (), (13,))
        assert one.rows.tolist()[:2] == [4, 5]


def test_tabs_without_quoting_and_without_names_are_read_and_said(tmp_path: Path) -> None:
    rows = [
        [("news", "wiki")[i % 2], f"{i % 6}.5", f'"one" of {i}', f'is "{i}"'] for i in range(40)
    ]
    path = tmp_path / "x.csv"
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    table = tables.read(path)
    assert (table.n_read, table.bad) == (39, ())
    assert table.frame.row(0) == ("wiki", "1.5", '"one" of 1', 'is "1"')
    assert table.notes[0] == UNQUOTED
    assert "row 1 names the columns, and looks like a record ('news', '0.5'" in table.notes[1]
    path.write_text("kind\tn\ttext\twhat\n" + path.read_text())
    assert tables.read(path).notes == (UNQUOTED,)
    quoted = "".join("\t".join(f'"{c}"' for c in ("a\tb", "1", 'x "" y')) + "\n" for _ in rows)
    path.write_text("one\ttwo\tthree\n" + quoted)
    table = tables.read(path)
    assert (table.frame.row(0), table.notes) == (("a\tb", "1", 'x " y'), ())


@pytest.mark.parametrize(
    ("rows", "at"),
    [
        ([["id", "name", "town"], ["1", "Ann", "Bath"]], 0),
        ([["", "", "name"], ["1", "2", "Ann"], ["3", "4", "Eva"]], 0),
        ([["text", ""], ["one", "two"], ["three", "four"]], 0),
        ([[], ["a", "b"], ["1", "2"]], 1),
        ([["x", "", ""], ["a", "a", "b"], ["1", "2", "3"]], 1),
        ([["x", "", ""], ["a", "a", "b"], ["c", "d", "d"]], 0),
        ([["x", "", ""], ["a", "1", "a"], ["c", "2", "d"]], 0),
        ([["Report"], ["by", ""], ["no", "name", "town", ""], ["1", "Ann", "Bath", "x"]], 0),
        ([["text"]] * 9, 0),
        ([["", "first", "", "zip"], ["a", "Ann", "x", "n/a"], ["a", "Eva", "x", "10115"]], 0),
    ],
)
def test_what_may_be_a_header_is_one(rows: list[list[str]], at: int) -> None:
    assert header_at(rows) == at
