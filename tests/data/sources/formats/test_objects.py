"""Objects of JSON: a key that stands twice is no value; what is nested is not lost."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from gemel.data import records
from gemel.data.sources.columns import Columns
from gemel.data.sources.formats.objects import read
from gemel.data.sources.linked import Other
from gemel.improve.result import as_file, values_of

GOOD = '{"id": "1", "say": "a \\": b"}'
TWICE = '{"id": "2", "say": "x", "id": "3"}'


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.jsonl", f"{GOOD}\n{TWICE}\n{GOOD}\n"), ("a.json", f"[{GOOD}, {TWICE},\n{GOOD}]")],
    ids=["lines", "array"],
)
def test_a_key_that_stands_twice(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    table = read(tmp_path / name)
    assert table.frame["id"].to_list() == ["1", "1"]
    assert table.frame["say"].to_list() == ['a ": b'] * 2
    (bad,) = table.bad
    assert (bad.row, bad.reason) == (2, "the key 'id' stands twice")


def test_what_is_nested_stands_in_results_as_it_stands_in_the_file(tmp_path: Path) -> None:
    rows = [
        {"name": f"n{i}", "at": {"town": "Zürich", "no": i}, "tel": [] if i else "1"}
        for i in range(3)
    ]
    pl.DataFrame({"name": ["n0", "n1"]}).write_csv(tmp_path / "a.csv")
    (tmp_path / "b.json").write_text(json.dumps(rows))
    pl.DataFrame([rows[1], rows[2]]).write_parquet(tmp_path / "b.parquet")
    said = Columns()
    _, right = records.read_two(tmp_path / "a.csv", said, Other(tmp_path / "b.json"))
    assert right.notes[0] == (
        "lists or objects, which are not compared and kept as JSON text: at (3), tel (2)"
    )
    lines = as_file(values_of(right, "b"), Path("x.csv")).decode().splitlines()
    assert lines[1:3] == [
        '1,b,n0,"{""town"": ""Zürich"", ""no"": 0}",1',
        '2,b,n1,"{""town"": ""Zürich"", ""no"": 1}",[]',
    ]
    _, typed = records.read_two(tmp_path / "a.csv", said, Other(tmp_path / "b.parquet"))
    again = as_file(values_of(typed, "b"), Path("x.csv")).decode().splitlines()
    assert again[1].partition(",")[2] == lines[2].partition(",")[2]
