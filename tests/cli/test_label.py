"""`gemel label`: keys from a pipe, a file of answers, going on, and what comes out."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Gemel = Callable[..., Any]
LABELS = Path(".gemel/labels")


def test_keys_are_answers_and_it_goes_on_where_it_was(
    project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\ny\nb\nx\nyyyyyyyyyuq"))
    said = gemel("label", "--by", "ann")
    assert said.code == 0, said.err
    assert "same? y / n / u unsure, b back, q stop" in said.err
    assert "\N{NOT EQUAL TO}" in said.err  # what differs is marked
    assert "10 answers" in said.err and "are right" in said.err
    lines = [json.loads(line) for line in (LABELS / "answers.jsonl").read_text().splitlines()]
    assert [x["said"] for x in lines].count("same") == 11
    assert [x["said"] for x in lines][1:3] == ["same", "withdrawn"]
    assert {x["by"] for x in lines} == {"ann"}
    rows = list(csv.DictReader((LABELS / "pairs.csv").read_text().splitlines()))
    assert len(rows) == 10 and set(rows[0]) == {"left", "right", "same"}
    monkeypatch.setattr("sys.stdin", io.StringIO("y"))
    again = gemel("label", "--by", "ann", "--json")
    assert json.loads(again.out)["n_answers"] == 11 and json.loads(again.out)["n_unsure"] == 1
    assert len((LABELS / "answers.jsonl").read_text().splitlines()) == len(lines) + 1


def test_a_file_answers_until_the_goal_is_proven(project: Path, gemel: Gemel) -> None:
    people = list(csv.DictReader((project / "people.csv").read_text().splitlines()))
    with (project / "told.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["left", "right", "same"])
        for i, one in enumerate(people):
            for two in people[:i]:
                writer.writerow([one["id"], two["id"], int(one["person"] == two["person"])])
    said = gemel("label", "--answers", "told.csv", "--precision", "0.9", "--json")
    assert said.code == 0, said.err
    known = json.loads(said.out)
    assert known["proven"] and known["precision"]["value"] > 0.9
    assert 40 <= known["n_answers"] <= 150
    words = gemel("label", "--answers", "told.csv", "--precision", "0.9").out
    assert "at least 90 is proven" in words
    (project / "told.csv").write_text("left,right,same\n")
    empty = gemel("label", "--answers", "told.csv")
    assert empty.code == 1 and "the file has no records" in empty.err
