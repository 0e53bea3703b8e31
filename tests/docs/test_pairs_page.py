"""The page on pairs runs as it stands, on the real pairs that it fetches."""

import re
import shlex
from pathlib import Path

import pytest
from tests.programs import fetching

from gemel.cli.main import run

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "pairs.md"


def test_the_commands_of_the_page_decide_on_the_pairs_it_fetches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PAGE.read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    (commands,) = re.findall(r"```sh\n(.*?)```", text, flags=re.S)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMEL__TRAIN__MAX_EPOCHS", "2")
    with fetching():
        exec(compile(code, PAGE.name, "exec"), {})
    said = {}
    for line in commands.splitlines():
        if "--prior" in line:
            assert run(["calibrate"]) == 1, "the share in the file is not that in use"
            assert "how they were chosen" in capsys.readouterr().err
        made = [p.name for p in Path(".gemel/releases").glob("*")]
        words = shlex.split(line.replace(" ID", " " + next(iter(made), "")))
        assert run(words[1:]) == 0, (line, capsys.readouterr().err)
        said[words[1]] = capsys.readouterr()
    assert "pairs: columns 'line1' and 'line2'; 'same_person' says" in said["init"].err
    for command in ("train", "calibrate"):
        assert "TF-IDF without any learning" in said[command].err.splitlines()[-1]
    assert "if 1 of 100 compared are genuine" in " ".join(said["calibrate"].out.split())
    assert said["verify"].out.startswith("match"), said["verify"].out
