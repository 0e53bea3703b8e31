"""`gemel compare`: pointers and ids, JSON as Python gives it, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import gemel as package
from gemel.cli.project import Project
from gemel.release.compare.compare import Comparison
from gemel.release.store import Store

Gemel = Callable[..., Any]


@pytest.fixture
def child(project: Path, gemel: Gemel) -> str:
    """A release of the same run with another goal, beside the live one."""
    assert gemel("calibrate", "--fmr", "0.2", "--confidence", "0.9").code == 0
    store = Store(".gemel")
    return next(m.id for m in store.list() if m.id != store.pointer("stable"))


def test_json_is_what_python_gives(child: str, gemel: Gemel) -> None:
    said = gemel("compare", "stable", child[:8], "--json")
    assert said.code == 0, said.err
    found = msgspec.json.decode(said.out.encode(), type=Comparison)
    project = Project.open()
    store, dataset = project.store(), project.dataset()
    again = package.compare(store.get("stable"), store.get(child), dataset, project.splits(dataset))
    assert found == again
    assert found.confidence == 0.9


def test_the_table_names_measures_and_flips(child: str, gemel: Gemel) -> None:
    said = gemel("compare", "stable", child)
    assert said.code == 0
    assert re.match(
        r"Worse: F1 \S+\s% instead of 100\s%, a difference of .* points with 90 % confidence; "
        "worse also in",
        said.out,
    )
    assert "[" not in said.out and "e-0" not in said.out
    for word in ("FNMR", "cost", "difference", "no_match -> match", "impostor"):
        assert word in said.out, word
    assert "only their thresholds differ" in said.err


def test_both_stand_side_by_side_in_a_file(child: str, gemel: Gemel) -> None:
    said = gemel("compare", "stable", child, "-o", "both.html", "--json")
    assert said.code == 0, said.err
    assert "wrote both.html" in said.err
    page = Path("both.html").read_text()
    assert page.lstrip().startswith("<!doctype html>")
    assert msgspec.json.decode(said.out.encode(), type=Comparison).verdict.capitalize() in page
    assert gemel("compare", "stable", child, "-o", "both.txt").code == 1


def test_the_split_of_a_run_is_found_when_settings_have_changed(child: str, gemel: Gemel) -> None:
    plain = gemel("compare", "stable", child, "--json")
    moved = gemel("compare", "stable", child, "--json", "--set", "split.seed=9")
    assert moved.code == 0, moved.err
    assert moved.out == plain.out


def test_what_cannot_be_compared_is_said(child: str, gemel: Gemel, project: Path) -> None:
    for words, expected in (
        (("stable", "stable"), "compared with itself"),
        (("stable", "ffff"), "ffff"),
    ):
        said = gemel("compare", *words)
        assert said.code == 1
        assert expected in said.err
        assert said.out == ""
    with (project / "people.csv").open("a") as file:
        file.write("new,p9999,anna,weber,town,1950-01-01\n")
    said = gemel("compare", "stable", child)
    assert said.code == 1
    assert "not those that release" in said.err
    assert "hint: name them in [data]" in said.err
