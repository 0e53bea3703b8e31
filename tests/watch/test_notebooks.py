"""What a notebook shows: a short table for each thing that a person holds, without surprises."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from tests.calibrate.conftest import make_world
from tests.watch.test_report import Page, words

from gemel.data.dataset import Dataset
from gemel.improve.duplicates import duplicates
from gemel.release.compare.compare import compare
from gemel.release.release import Release
from gemel.release.run import Run
from gemel.release.words.sentence import sentence

LONGEST = 3000


@pytest.fixture(scope="module")
def held(release: Release, stricter: Release, people: Dataset, run_folder: Path) -> dict[str, Any]:
    import numpy as np

    run = Run.open(run_folder, people)
    return {
        "Dataset": people,
        "Run": run,
        "Release": release,
        "Policy": release.policy,
        "Evidence": release.evidence,
        "Scores": make_world(np.random.default_rng(0), 20, 3),
        "Comparison": compare(release, stricter, people, run.splits),
        "Duplicates": duplicates(release, people.take(run.splits.eval)),
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Dataset", "first (text)"),
        ("Run", "the best was"),
        ("Release", "threshold"),
        ("Policy", "share of genuine pairs"),
        ("Evidence", "fnmr"),
        ("Scores", "genuine"),
        ("Comparison", "FNMR"),
        ("Duplicates", "matches"),
    ],
)
def test_a_notebook_shows_a_short_table(held: dict[str, Any], name: str, shown: str) -> None:
    value = held[name]
    html = value._repr_html_()
    page = Page(html)
    assert [tag for tag, _ in page.tags][:2] == ["table", "caption"]
    assert shown in page.text
    assert len(html) < LONGEST and len(repr(value)) < LONGEST
    assert "array(" not in repr(value) and not re.search(r"object at 0x", repr(value))


def test_a_release_and_a_run_say_what_they_are_in_a_few_words(held: dict[str, Any]) -> None:
    text = words(Page(held["Release"]._repr_html_()).text)
    assert "best F1" in text and words(sentence(held["Release"].evidence)) in text
    assert len(repr(held["Run"])) < 300, "all row numbers were in it"


def test_what_comes_from_data_is_escaped(people: Dataset) -> None:
    from dataclasses import replace

    evil = replace(people, source="<script>alert(1)</script>")
    assert "<script" not in evil._repr_html_()
    assert "<script>" in unescape(evil._repr_html_())
