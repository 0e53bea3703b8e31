"""The page on two files runs as it stands, on the real files that it fetches."""

import json
import re
import shlex
from pathlib import Path

import polars as pl
import pytest
from tests.programs import fetching

from gemel.cli.main import run
from gemel.config import Config

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "two-files.md"


def test_the_commands_of_the_page_link_the_files_it_fetches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PAGE.read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    (commands,) = re.findall(r"```sh\n(.*?)```", text, flags=re.S)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMEL__TRAIN__MAX_EPOCHS", "2")
    with fetching():
        exec(compile(code, PAGE.name, "exec"), {})
    lines = commands.splitlines()
    assert len(lines) <= 6, "from two files to links in six commands"
    for line in lines:
        made = [p.name for p in Path(".gemel/releases").glob("*")]
        words = shlex.split(line.replace(" ID", " " + next(iter(made), "")))
        assert run(words[1:]) == 0, (line, capsys.readouterr().err)
    written = Path("gemel.toml").read_text().splitlines()
    shown = re.findall(r'^ +("\w+" = "\w+" +#.*)$', text, flags=re.M)
    assert len(shown) == 2 and set(shown) <= set(written)
    assert len(Config.load(Path("gemel.toml")).other.names) == 6
    capsys.readouterr()
    assert run(["link", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)["known"]
    assert known["there"] == 600 and known["precision"] > 0.99 and known["recall"] > 0.99
    links = pl.read_csv("links.csv", infer_schema=False)
    assert {"crm.street", "shop.strasse"} <= set(links.columns)


def test_known_links_are_not_called_as_the_result_is() -> None:
    text = PAGE.read_text()
    known = set(re.findall(r"--pairs (\S+?)`", text))
    assert known and not known & {"links.csv", "clusters.csv"}
