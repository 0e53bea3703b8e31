"""The page on starting without labels runs as it stands, on the real file that it fetches."""

import re
import shlex
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.programs import fetching

import gemel
from gemel.cli.main import run

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "without-labels.md"


def test_the_commands_of_the_page_find_the_duplicates_of_the_file_it_fetches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PAGE.read_text()
    code, in_python = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    (commands,) = re.findall(r"```sh\n(.*?)```", text, flags=re.S)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMEL__TRAIN__MAX_EPOCHS", "2")
    with fetching():
        exec(compile(code, PAGE.name, "exec"), names := dict[str, Any]())
    said = ""
    for line in commands.splitlines():
        assert run(shlex.split(line)[1:]) == 0, (line, capsys.readouterr().err)
        said += " ".join(capsys.readouterr().out.split())
    shown = " ".join(re.findall(r"^ +> (.*)$", text, flags=re.M))
    numbers = re.compile(r"about \d+")
    assert numbers.sub("N", shown) in numbers.sub("N", said)

    person = dict(pl.read_csv("truth.csv").iter_rows())
    pairs = pl.read_csv("pairs.csv").filter(pl.col("outcome") == "match")
    right = sum(person[a] == person[b] for a, b in pairs["left", "right"].iter_rows())
    sizes = pl.Series(list(person.values())).value_counts()["count"]
    there = int((sizes * (sizes - 1) // 2).sum())
    assert 2 * right / (len(pairs) + there) > 0.9, (right, len(pairs), there)

    quick = gemel.TrainSettings(max_epochs=2)
    monkeypatch.setattr(gemel, "TrainSettings", lambda: quick)
    exec(compile(in_python, PAGE.name, "exec"), names)
    frame, joined = names["frame"], names["deduplicated"]
    assert len(joined) == len(frame) and 0 < joined["cluster"].n_unique() < len(frame)
