"""Objects of JSON: a key that stands twice is no value."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemel.data.sources.formats.objects import read

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
