"""What the words of a command line ask about, and what is said where nothing answers."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gemel.cli import reading
from gemel.cli.query import why_nothing
from gemel.errors import InvalidInput


def test_numbers_are_named_as_they_were_typed() -> None:
    groups = SimpleNamespace(values=[13.0, 2.5])
    gallery: Any = SimpleNamespace(count=lambda: 2, groups=lambda name: groups)
    said = why_nothing(gallery, {"size": 14.0})
    assert said == "nothing found: no record has size=14; size is 13 or 2.5"


@pytest.mark.parametrize("word", ["name=" + "a" * 300, "/".join("b" * 3000), "c\0"])
def test_a_word_that_no_path_can_be_is_not_many_records(word: str) -> None:
    reading.refuse_many(word, "query", takes_words=False)


def test_a_folder_is_many_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    reading.refuse_many("photos", "query", takes_words=True)
    with pytest.raises(InvalidInput, match="'photos' is a folder of records"):
        reading.refuse_many("photos", "query", takes_words=False)
