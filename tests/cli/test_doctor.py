"""`gemel doctor` finds what was spoilt on purpose."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.cli.conftest import Gemel


def test_swapped_labels_are_found_with_their_records(people: Path, gemel: Gemel) -> None:
    """Three people have a record of somebody else put under their name."""
    with people.open(newline="") as file:
        rows = list(csv.DictReader(file))
    seconds = [i for i, row in enumerate(rows) if row["id"].endswith(".1")][:40]
    swapped = [(seconds[k], seconds[k + 20]) for k in (0, 7, 13)]
    for one, two in swapped:
        rows[one]["person"], rows[two]["person"] = rows[two]["person"], rows[one]["person"]
    twice = [{**rows[i], "id": f"again{i}", "person": f"again{i}"} for i in range(0, 60, 2)]
    with people.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows([*rows, *twice])
    gemel("init", "people.csv", "--set", "split.crossed=false", "--set", "split.eval=0.05")
    assert gemel("train").code == 0
    found = json.loads(gemel("doctor", "--json", "-n", "12").out)
    wrong = {rows[i]["id"] for pair in swapped for i in pair}
    named = [s["record"].split()[0] for s in found["suspects"]]
    near = [s["near"].split()[0] for s in found["suspects"]]
    assert len(wrong & {*named, *near}) >= 4, (wrong, found["suspects"])
    first = found["suspects"][0]
    assert first["labelled"] != first["near_labelled"] and first["score"] > first["own"]
    signs = {s["name"]: s for s in found["signs"]}
    assert signs.keys() >= {"collapse", "effective rank", "spread"}
    leaks = signs["leakage"]
    assert not leaks["fine"] and "the same as one of an earlier side" in leaks["says"]
    assert "give all of it one identity" in leaks["says"] and not leaks["settings"]


def test_signs_are_told_with_a_line_for_the_settings(project: Path, gemel: Gemel) -> None:
    said = gemel("doctor", "-n", "3")
    assert said.code == 0
    assert said.out.splitlines()[0].split() == ["looked", "at", "found", "which", "means"]
    for sign in json.loads(gemel("doctor", "--json").out)["signs"]:
        assert sign["fine"] or sign["settings"] or sign["name"] == "dominated batches"


def test_without_a_run_it_says_to_train(people: Path, gemel: Gemel) -> None:
    gemel("init", "people.csv")
    said = gemel("doctor")
    assert said.code == 1
    assert "gemel train" in said.err
