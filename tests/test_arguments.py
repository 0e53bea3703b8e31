"""What a call of the Python functions gets wrong is said in words, and a text is a path."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gemel
from gemel.errors import ConfigError

ROWS = [{"name": f"name {i // 2} {'ab'[i % 2]}", "town": f"town {i // 2 % 9}"} for i in range(80)]
DATA = gemel.from_rows(ROWS, identities=[f"p{i // 2}" for i in range(80)])
SPLITS = gemel.by_identity(DATA)
SETTINGS = gemel.TrainSettings(size="tiny", max_epochs=1)

WRONG: dict[str, dict[str, Any]] = {
    "read": {
        "max_bad_ratio": "x", "columns": ["name"], "ignore": 5, "missing": 3, "fields": "name",
        "groups": 4, "depth": "x", "pair_columns": "left", "separator": 5, "sheet": 5,
        "encoding": 5, "kind": 5, "pairs": 5, "path": 5,
    },
    "from_rows": {"ids": 5, "fields": "x", "categories": "x", "identities": 5, "rows": 5},
    "by_identity": {
        "dev": "x", "eval": "x", "dev_identities": "p1", "eval_identities": 5, "dataset": "x",
    },
    "without_labels": {"dev": "x", "seed": "x", "dataset": "x"},
    "train_encoder": {
        "dataset": "x", "splits": (1, 2), "settings": {"max_epochs": 1}, "folder": None, "base": 5,
    },
    "Store": {"path": 5},
    "create_app": {"service": "x"},
    "remove_releases": {"store": "x"},
    "promote": {"store": "x"},
}  # fmt: skip
GIVEN: dict[str, dict[str, Any]] = {
    "from_rows": {"rows": ROWS},
    "by_identity": {"dataset": DATA},
    "without_labels": {"dataset": DATA},
    "train_encoder": {"dataset": DATA, "splits": SPLITS, "settings": SETTINGS, "folder": "run"},
    "remove_releases": {"references": ["stable"], "actor": "a"},
    "promote": {"release_id": "stable", "actor": "a", "reason": "b"},
}
CASES = [(name, argument) for name, wrong in WRONG.items() for argument in wrong]


@pytest.mark.parametrize(("name", "argument"), CASES)
def test_an_argument_of_another_type_is_a_mistake_in_words(
    name: str, argument: str, tmp_path: Path
) -> None:
    if name == "read":
        (tmp_path / "x.csv").write_text("name,town\na,b\nc,d\n")
    given = GIVEN.get(name, {"path": str(tmp_path / "x.csv")} if name == "read" else {})
    with pytest.raises(ConfigError, match="expected"):
        getattr(gemel, name)(**{**given, argument: WRONG[name][argument]})


@pytest.mark.parametrize(
    "opened", [gemel.Release.open, gemel.Encoder.open, gemel.Ledger.open, gemel.Config.load]
)
def test_what_is_opened_says_that_it_takes_a_path(opened: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="expected the path of"):
        opened(5)


def test_settings_made_in_python_are_checked_as_those_of_a_file(tmp_path: Path) -> None:
    for settings, said in (
        (gemel.TrainSettings(size="huge"), "train.size = 'huge'"),
        (gemel.TrainSettings(max_epochs="x"), "train.max_epochs = 'x'"),
    ):
        with pytest.raises(ConfigError, match=said):
            gemel.train_encoder(DATA, SPLITS, settings, tmp_path)


def test_a_text_is_a_path_wherever_one_is_taken(tmp_path: Path) -> None:
    run = gemel.train_encoder(DATA, SPLITS, SETTINGS, str(tmp_path / "run"), base=str(tmp_path))
    assert gemel.Encoder.open(str(run.encoder)).dim
    (tmp_path / "gemel.toml").write_text("[split]\ndev = 0.3\n")
    assert gemel.Config.load(str(tmp_path / "gemel.toml")).split.dev == 0.3
    for name in gemel.__all__:
        taken = getattr(gemel, name)
        if inspect.isfunction(taken):
            parameters = inspect.signature(taken).parameters.values()
            only = [p.name for p in parameters if p.annotation in ("Path", "Path | None")]
            assert not only, f"{name} takes no text as {only}"
