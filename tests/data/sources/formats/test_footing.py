"""A sum in the last row of a table is no record, whatever column says that it is one."""

from pathlib import Path

import pytest
from tests.data.sources.formats.test_heading import NAMES, ROWS, TITLE
from tests.data.sources.formats.test_sheets import document, workbook

from gemel.data.sources import tables
from gemel.data.sources.formats.footing import is_sum

GAP: list[object] = [None] * 5
WITH_SUM: list[list[object]] = [NAMES, *ROWS, GAP, ["Summe", None, None, None, 435]]  # type: ignore[list-item]


@pytest.mark.parametrize("kind", ["csv", "xlsx", "ods"])
def test_a_sum_in_the_last_row_is_left_out_and_said(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    if kind == "csv":
        lines = [";".join("" if cell is None else str(cell) for cell in row) for row in WITH_SUM]
        path.write_text("\n".join(lines) + "\n")
    else:
        (workbook if kind == "xlsx" else document)(path, one=WITH_SUM)
    table = tables.read(path)
    assert table.frame.height == table.n_read == 30
    assert table.frame["No"].to_list() == [row[0] for row in ROWS]
    assert table.notes == ("row 33 left out, as it is a sum: 'Summe'",)
    assert table.blank == (32, 33)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_remarks_below_a_table_are_left_out_and_said(tmp_path: Path, kind: str) -> None:
    last: list[object] = ["Razem", None, None, None, "435,00 zł"]
    remarks: list[list[object]] = [["Made on: 30.11.2026", *GAP[1:]], [None, "by Ann", *GAP[2:]]]
    for foot, n in (([last, GAP, *remarks], 3), ([GAP, last], 1), ([remarks[0]], 0)):
        path = tmp_path / f"x.{kind}"
        table = [NAMES, *ROWS, *foot]
        if kind == "csv":
            lines = [";".join("" if cell is None else str(cell) for cell in row) for row in table]
            path.write_text("\n".join(lines) + "\n")
        else:
            workbook(path, one=table)  # type: ignore[arg-type]
        read = tables.read(path)
        assert (read.n_read, len(read.notes)) == (30 + len([r for r in foot if r != GAP]) - n, n)
    (tmp_path / "x.csv").write_text("a,b,c\n1,2,3\n4,5,6\n,,\n7,,\n")
    assert tables.read(tmp_path / "x.csv").n_read == 3


def test_a_document_with_a_title_is_read_as_a_workbook_is(tmp_path: Path) -> None:
    """Rows and cells that are the same are counted there, and blank ones up to the last."""
    rows: list[list[object]] = [[TITLE, *GAP[1:]], GAP, NAMES, *ROWS[:9], GAP, *ROWS[9:]]  # type: ignore[list-item]
    of = [
        tables.read(made)
        for made in (
            document(tmp_path / "x.ods", one=rows, two=[["a"]]),
            workbook(tmp_path / "x.xlsx", one=rows, two=[["a"]]),
        )
    ]
    assert of[0].frame.equals(of[1].frame) and of[0].notes == of[1].notes
    assert of[0].rows.tolist() == of[1].rows.tolist() and of[0].blank == of[1].blank == (13,)
    assert of[0].frame.columns == [name.strip() for name in NAMES]
    assert "the header is row 3" in of[0].notes[0]


@pytest.mark.parametrize(
    ("last", "is_one"),
    [
        (["Total:", "", "1.234,50 €"], True),
        (["", "Grand  Total", "42"], True),
        (["", "", "42"], False),
        (["Total", "", ""], False),
        (["Total", "petrol station", "42"], False),
        (["Total", "41", "42"], False),
        (["Totalenergies", "", "42"], False),
    ],
)
def test_what_may_be_a_sum_is_one(last: list[str], is_one: bool) -> None:
    assert is_sum(last, [["1", "Ann", "12"], ["2", "Bob", "30"], ["3", "", "4"]]) is is_one
    assert not is_sum(last[::2], [["1", "12"], ["2", "30"]])
