"""The Python of README and how-to runs as it stands, on a file like the one it names."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest

import gemel

ROOT = Path(__file__).parents[2]
LETTERS = list("abcdefghijklmnopqrstuvwxyz")


def write_people(path: Path) -> None:
    rng = np.random.default_rng(3)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "person", "name", "town"])
        for person in range(90):
            name, town = "".join(rng.choice(LETTERS, 12)), "".join(rng.choice(LETTERS, 6))
            writer.writerow([f"{person}a", person, name, town])
            at = int(rng.integers(12))
            writer.writerow([f"{person}b", person, name[:at] + "x" + name[at + 1 :], town])


def test_the_python_of_the_estimator_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ROOT / "docs" / "how-to" / "from-an-estimator.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.S)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, page.name, "exec"), {})
    assert "VerifyReply(outcome='" in capsys.readouterr().out


def test_the_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    write_people(tmp_path / "people.csv")
    monkeypatch.chdir(tmp_path)
    quick = gemel.TrainSettings(max_epochs=2)
    monkeypatch.setattr(gemel, "TrainSettings", lambda: quick)
    for _ in range(2):
        exec(compile(code, "README.md", "exec"), {})
    out = capsys.readouterr().out
    assert "VerifyReply(outcome='match'" in out and "SearchReply(hits=[" in out
    assert len(code.splitlines()) <= 22
