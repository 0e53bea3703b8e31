"""Columns that the header does not tell apart are told by their groups, or numbered."""

from pathlib import Path

import pytest
from tests.data.sources.formats.test_sheets import workbook

from gemel.data.sources import tables
from gemel.data.sources.formats.table import Table
from gemel.errors import DataError

TITLE: list[object] = ["Customers, as of 30.11.2026", None, None, None, None, None]
GROUPS: list[object] = [None, "Customer", None, "Contact", None, None]
HEADER: list[object] = ["No", "Name", "Town", "Phone", "Phone", "Phone"]
ROWS: list[list[object]] = [
    [i, f"Ann {i}", "Bath", f"01225 {i:06}", None, "-" if i % 3 else f"0770 {i:06}"]
    for i in range(1, 30)
]


def both(folder: Path, rows: list[list[object]]) -> list[Table]:
    """The table of these rows as a sheet, and as CSV."""
    path = folder / "x.csv"
    path.write_text("".join(";".join(str(c or "") for c in row) + "\n" for row in rows))
    return [tables.read(workbook(folder / "x.xlsx", one=rows)), tables.read(path)]


@pytest.mark.parametrize(
    "above", [[], [GROUPS], [TITLE], [TITLE, [None] * 6], [TITLE, [None] * 6, GROUPS]]
)
def test_repeated_names_below_a_title_and_a_row_of_groups(
    tmp_path: Path, above: list[list[object]]
) -> None:
    for table in both(tmp_path, [*above, HEADER, *ROWS]):
        assert table.frame.columns == ["No", "Name", "Town", "Phone", "Phone 2", "Phone 3"]
        assert table.n_read == len(ROWS)
        assert table.rows[0] == len(above) + 2
        left = f"the header is row {len(above) + 1}; {len(above)} line"
        assert [note[: len(left)] for note in table.notes[:-1]] == ([left] if above else [])
        assert table.notes[-1] == (
            "3 columns are called 'Phone' in the header; numbered: 'Phone', 'Phone 2', 'Phone 3'"
        )


def test_groups_tell_columns_of_one_name_apart(tmp_path: Path) -> None:
    groups: list[object] = ["No", "Billing", None, "Shipping", None, None]
    header: list[object] = [None, "Street", "Town", "Street", "Town", "Phone"]
    for table in both(tmp_path, [groups, header, *ROWS]):
        assert table.frame.columns == [
            *("No", "Billing Street", "Billing Town", "Shipping Street", "Shipping Town", "Phone")
        ]
        assert table.notes[1] == (
            "2 columns are called 'Street' in the header; told apart by the row above: "
            "'Billing Street', 'Shipping Street'"
        )


def test_a_header_short_of_names_stays_above_records_of_texts(tmp_path: Path) -> None:
    header: list[object] = ["No", None, "Town", "Phone", None, None]
    first: list[object] = [1, "Eve", "Bath", "none", "none", "none"]
    for table in both(tmp_path, [header, first, *ROWS[1:]]):
        assert table.n_read == len(ROWS)
        assert table.frame.columns[:3] == ["No", "column_2", "Town"]


def test_a_number_is_no_name_of_two_columns(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,0,0\nb,1,2\n")
    with pytest.raises(DataError, match="the header names '0' twice"):
        tables.read(tmp_path / "x.csv")
