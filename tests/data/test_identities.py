"""An identity in two spellings is one, wherever identities are compared, and that is said."""

from pathlib import Path

import pytest

from gemel.data import leakage, records, splits
from gemel.data.sources.columns import Columns
from gemel.data.sources.linked import Other
from gemel.improve.records import Compared

NOTE = (
    "30 identities are written in several ways and read as one each, such as 'K-0' and 'k-0': "
    "capitals and blanks tell none apart"
)


def test_spellings_of_a_table_do_not_leak_and_are_said(tmp_path: Path) -> None:
    rows = [(f"K-{i}", f"n{i}", "x") for i in range(300) for _ in range(2)]
    rows += [(f" k-{i}", f"n{i}", "y") for i in range(30)]
    text = "".join(f"{','.join(row)}\n" for row in [("no", "name", "of"), *rows])
    (tmp_path / "x.csv").write_text(text)
    data = records.read(tmp_path / "x.csv", identity="no")
    assert data.notes[-1] == NOTE.replace("'k-0'", "' k-0'")
    assert data.identity_names == tuple(f"K-{i}" for i in range(300))
    leakage.find(data, splits.by_identity(data)).check(("same_record", "near_record"))
    named = splits.by_identity(data, eval_identities=["k - 7", "K-8"])
    assert {data.identity_of(i) for i in named.eval.tolist()} == {"K-7", "K-8"}


def test_rows_in_memory_are_read_alike() -> None:
    who = [*(f"K-{i}" for i in range(30)), *(f"k-{i}" for i in range(30))]
    data = records.from_rows([{"a": "x"}] * 60, identities=who)
    assert data.notes[-1] == NOTE
    assert data.identities.tolist() == [*range(30), *range(30)]


def test_two_files_may_write_an_identity_differently(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("who,name\n580 118 613,anna\n580 118 614,eve\n")
    (tmp_path / "b.csv").write_text("who,name\n580118614,eva\n580118613,ana\n580.118.613,bo\n")
    other = Other(tmp_path / "b.csv", identity="who")
    left, right = records.read_two(tmp_path / "a.csv", Columns("who"), other)
    both = records.to_link(left, right)
    assert both.identities.tolist() == [0, 1, 1, 0, 2]
    assert Compared(left, right).identities().tolist() == [0, 1, 1, 0, 2]
    assert "2 identities are written in several ways" in both.notes[-1]


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("580 118 613", "580118613", True),
        ("580 118 613 00012", "58011861300012", True),
        ("4111 1111 1111 1111", "4111111111111111", True),
        ("DE 12 345 678", "de12345678", True),
        ("1 12", "11 2", False),
        ("12 3 4", "1 23 4", False),
        ("anna maria", "ann amaria", False),
    ],
)
def test_blanks_between_groups_of_digits_tell_nothing_and_others_do(
    one: str, two: str, same: bool
) -> None:
    found = records.from_rows([{"a": "x"}, {"a": "y"}], identities=[one, two])
    assert len(found.identity_names) == (1 if same else 2)
