"""Customers without labels of whom many share a household: doubt, and answers that settle it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import LETTERS, Gemel, Said, misspelt

from gemel.cli.label import opened
from gemel.cli.project import Project

N_HOUSEHOLDS = 150


def word(rng: np.random.Generator, n: int) -> str:
    return "".join(LETTERS[int(i)] for i in rng.integers(26, size=n))


def write_households(path: Path) -> dict[str, int]:
    """A file of people, alone or in twos, most of whom are there twice; who each record is."""
    rng, rows, who = np.random.default_rng(0), [], {}
    for home in range(N_HOUSEHOLDS):
        shared = [word(rng, 9), f"{word(rng, 10)} {rng.integers(1, 99)}", word(rng, 8)]
        for member in range(1 + home % 2):
            person = [word(rng, 7), f"{rng.integers(10**7, 10**8)}X"]
            for _ in range(1 + int(rng.random() < 0.8)):
                name = misspelt(person[0], rng) if rng.random() < 0.3 else person[0]
                rows.append([f"r{len(rows)}", name, *shared, person[1]])
                who[rows[-1][0]] = 2 * home + member
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "first", "last", "street", "town", "tax_no"], *rows])
    return who


def right(pairs: Path, who: dict[str, int]) -> tuple[float, float]:
    """Precision and recall of the matches."""
    found = [(r["left"], r["right"]) for r in csv.DictReader(pairs.read_text().splitlines())]
    n = sum(k * (k - 1) // 2 for k in np.bincount([*who.values()]))
    hit = sum(who[a] == who[b] for a, b in found)
    return hit / len(found), hit / n


def told(said: Said) -> str:
    return " ".join((said.err + said.out).split())


def test_thirty_answers_tell_people_of_one_household_apart(
    gemel: Gemel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    who = write_households(tmp_path / "people.csv")
    assert gemel("init", "people.csv").code == 0
    said = told(gemel("train"))
    assert "no better than strangers in: first, tax_no; taken for the same" in said
    assert "matches may be of one household" in said and "if those are not the same" in said
    out = ("-o", "clusters.csv", "--pairs", "pairs.csv", "--json")
    before = json.loads(gemel("duplicates", *out).out)
    assert "may be of one household" in before["false_links"]["basis"]
    assert right(tmp_path / "pairs.csv", who)[0] < 0.5

    project = Project.open()
    session, _ = opened(project, project.release(), teach=True)
    for _ in range(30):
        question = session.next()
        assert question is not None
        same = who[question.left] == who[question.right]
        session.say(question, "same" if same else "different")
    learned = told(gemel("train"))
    assert "are the contrary of what they were taken for" in learned
    assert "may be of one household" not in learned and "taken for the same" not in learned
    assert gemel("report").code == 0
    pages = [page.read_text() for page in Path().glob("report-*.html")]
    assert pages and not any("taken for the same" in page for page in pages)
    after = json.loads(gemel("duplicates", *out).out)
    assert "and 30 answers about pairs" in after["false_links"]["basis"]
    precision, recall = right(tmp_path / "pairs.csv", who)
    assert precision > 0.9 and recall > 0.9
