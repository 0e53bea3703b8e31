"""`gemel train --sweep` on a few texts: what is tried, what is kept, what is said."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WORDS = [f"{a}{b}" for a in ("ka", "lo", "mi", "nu", "re", "so") for b in ("ta", "ve", "xi")]


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = np.random.default_rng(0)
    with (tmp_path / "texts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["topic", "text"])
        for topic in range(40):
            own = rng.choice(WORDS, 4)
            for _ in range(3):
                writer.writerow([topic, " ".join(rng.permutation([*own, *rng.choice(WORDS, 3)]))])
    (tmp_path / "gemel.toml").write_text(
        '[data]\npath = "texts.csv"\nkind = "text"\nidentity = "topic"\n[train]\nmax_epochs = 2\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_best_settings_are_lines_whose_run_is_finished_already(
    texts: Path, gemel: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GEMEL__TRAIN__MAX_EPOCHS", raising=False)
    words = ("train", "--sweep", "learning_rate=0.003,0.00001", "--json")
    said = gemel(*words)
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert [t["epochs"] for t in found["trials"]] == [0, 0]
    assert found["best"] == found["trials"][0]["values"]
    runs = {p: p.stat().st_mtime_ns for p in (texts / ".gemel/runs").glob("*/train.json")}
    again = gemel("train", "--sweep", "learning_rate=0.003,0.00001")
    assert re.search(r"\[train\]\nlearning_rate = [\d.e-]+\n", again.out), again.out
    best = f"train.learning_rate={found['best']['learning_rate']}"
    assert gemel("train", "--set", best).code == 0
    assert {p: p.stat().st_mtime_ns for p in runs} == runs
    assert len(list((texts / ".gemel/runs").glob("*/train.json"))) == len(runs) == 2


@pytest.mark.parametrize("word", ["learning_rate", "seed=1,2", "colour=1,2", "learning_rate=x,1"])
@pytest.mark.usefixtures("texts")
def test_what_is_no_dial_is_refused(word: str, gemel: Callable[..., Any]) -> None:
    said = gemel("train", "--sweep", word)
    assert said.code == 1 and "error:" in said.err and "Traceback" not in said.err
