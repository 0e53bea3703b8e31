"""Pairs, grades and triplets from a file to a service; docstrings of one class are alike."""

from __future__ import annotations

import csv
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from tests.flows.lives import lives

from gemel.cli.main import run

TRAIN = ("--set", "train.max_epochs=2", "--set", "train.identities_per_batch=32")


@pytest.fixture(scope="module")
def drawn(docstrings: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """A text with one of its class and one of another class, of its module where there is one."""
    rng = np.random.default_rng(0)
    classes = {
        of: [text for _, text in texts]
        for of, texts in itertools.groupby(docstrings, key=lambda pair: pair[0])
    }
    out = []
    for of, texts in classes.items():
        near = [c for c in classes if c != of and c.split(".")[0] == of.split(".")[0]]
        for one, two in itertools.combinations(texts, 2):
            others = classes[rng.choice(near or [c for c in classes if c != of])]
            out.append((one, two, str(rng.choice(others))))
    return out


def test_graded_texts_train_by_grade_and_are_decided_by_the_cut(
    drawn: list[tuple[str, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = drawn[::3]
    rows = [(a, b, 5) for a, b, _ in drawn] + [(a, n, 2.5) for a, _, n in drawn[::2]]
    rows += [(a, drawn[-i - 1][1], 0) for i, (a, *_) in enumerate(drawn[1::2])]
    with Path("graded.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text1", "text2", "grade"), *rows])
    assert run(["init", "graded.csv"]) == 0
    proposed = capsys.readouterr().err
    assert "'grade' holds grades: from 4 on" in proposed
    told = re.search(r"(\d+) given pairs: \d+ records of \d+ identities", proposed)
    assert told is not None and 0.9 * len(rows) < int(told[1]) <= len(rows), proposed
    assert run(["train", *TRAIN]) == 0
    said = capsys.readouterr()
    assert "rank correlation with the given grades" in said.err.splitlines()[-1]
    (report,) = Path(".gemel/runs").glob("*/train.json")
    training = json.loads(report.read_bytes())
    assert training["settings"]["loss"] == "cosent"
    _, first, second = (e["loss"] for e in training["history"])
    assert second < first, "grades teach"
    assert run(["calibrate", "--recall", "0.5", *TRAIN]) == 0, capsys.readouterr().err
    lives(capsys, *drawn[0][:2])


def test_answers_about_pairs_teach_and_are_what_is_proven(
    drawn: list[tuple[str, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = drawn[::4]
    rows = [row for a, b, n in drawn for row in ((a, b, "yes"), (a, n, "no"))]
    with Path("pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("one", "other", "same"), *rows])
    assert run(["init", "pairs.csv"]) == 0
    few = ("--set", "train.max_epochs=1")
    assert run(["train", *few]) == 0
    assert "next: gemel calibrate --prior P, of all that will" in capsys.readouterr().err
    assert run(["calibrate", *few, "--set", "calibrate.prior=0.5"]) == 0, capsys.readouterr().err
    assert "TF-IDF" in lives(capsys, *drawn[0][:2])


def test_triplets_are_recognised_and_train(
    drawn: list[tuple[str, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("triplets.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("anchor", "positive", "negative"), *drawn[:200]])
    assert run(["init", "triplets.csv"]) == 0
    assert "not to 'negative'" in capsys.readouterr().err
    loss = ("--set", "train.loss=triplet", "--set", "train.max_epochs=1")
    assert run(["train", *loss]) == 0, capsys.readouterr().err
    assert "average precision of the given pairs" in capsys.readouterr().err.splitlines()[-1]
    assert run(["calibrate", *loss, "--set", "calibrate.prior=0.5"]) == 0, capsys.readouterr().err
    lives(capsys, *drawn[0][:2])


def test_texts_with_several_labels_are_the_more_alike_the_more_they_share(
    docstrings: list[tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("texts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["about", "text"])
        writer.writerows([f"{of.split('.')[0]}; {of}", text] for of, text in docstrings[::2])
    words = ("texts.csv", "--kind", "text", "--identity", "about", "--set", "data.separator=;")
    assert run(["init", *words, "--set", "split.crossed=false"]) == 0
    assert run(["train", "--set", "train.max_epochs=1"]) == 0, capsys.readouterr().err
    assert "rank correlation with the given grades" in capsys.readouterr().err.splitlines()[-1]
    few = ("--set", "train.max_epochs=1", "--set", "calibrate.prior=0.2")
    assert run(["calibrate", *few]) == 0, capsys.readouterr().err
    lives(capsys, docstrings[0][1], docstrings[2][1])
