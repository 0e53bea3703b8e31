"""The header of each page of a printed list is no record."""

from pathlib import Path

import pytest
from tests.data.sources.formats.test_naming import both

from gemel.data.sources import tables

HEADER: list[object] = ["No", "Name", "2025"]
ROWS: list[list[object]] = [[i, f"Ann {i}", i * 7] for i in range(1, 31)]


def paged(*above: list[object]) -> list[list[object]]:
    """The rows on pages of ten."""
    pages = [[*(above if i else ()), HEADER, *ROWS[i : i + 10]] for i in range(0, 30, 10)]
    return [row for page in pages for row in page]


def test_the_header_of_each_page_is_left_out_and_said(tmp_path: Path) -> None:
    for table in both(tmp_path, paged()):
        assert table.frame["No"].to_list() == [str(i) for i in range(1, 31)]
        assert (table.n_read, table.blank) == (30, (12, 23))
        assert table.ordinals[[0, 10]].tolist() == [1, 12]
        assert table.notes == ("the header comes again 2 times, from row 12 on: left out",)


def test_what_stands_above_it_on_each_page_is_left_out_as_well(tmp_path: Path) -> None:
    above: list[list[object]] = [[None, None, "carried over: 70"], [None] * 3, ["Page", None, None]]
    for table in both(tmp_path, paged(*above)):
        assert table.frame["Name"].to_list() == [f"Ann {i}" for i in range(1, 31)]
        assert table.notes == (
            "the header comes again 2 times, from row 12 on, and 4 lines of one cell above: "
            "left out",
        )


@pytest.mark.parametrize("header", [["a", "b"], ["Bath", "x", "7"]])
def test_a_row_that_may_be_a_record_stays(tmp_path: Path, header: list[str]) -> None:
    path = tmp_path / "x.csv"
    rows = [header, header, *(["Bath", "z", str(i)][-len(header) :] for i in range(9))]
    path.write_text("".join(",".join(row) + "\n" for row in rows))
    assert tables.read(path).n_read == 10
