"""Numbers far outside of all that was learned from: told of one item and of many records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.serve import small

from gemel.release.store import Store

Gemel = Callable[..., Any]
SAID = "born 9999: the records learned from have 1950 to 1954"
UNSEEN = "scores do not tell how far off that is"


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gemel: Gemel) -> Path:
    """A folder with a release of rows with a number, and a file of which most are far off."""
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / ".gemel")
    release = store.put(small.release(tmp_path / "new").folder)
    store.point("stable", release.id, actor="me", reason="a test")
    lines = [f"{i},{row['first']},{row['last']},9999" for i, row in enumerate(small.ROWS)]
    text = "\n".join(["class,first,last,born", *lines, "9,otto,ott,1951"])
    (tmp_path / "far.csv").write_text(text + "\n")
    assert gemel("gallery", "enroll", "far.csv", "--label", "class").code == 0
    return tmp_path


def test_of_one_item_it_is_said_beside_the_decision(there: Path, gemel: Gemel) -> None:
    far, near = (json.dumps({"first": "anna", "born": born}) for born in (9999, 1955))
    said = gemel("verify", near, far, "--json")
    assert json.loads(said.out)["outside"] == [f"right {SAID}"]
    assert f"warning: right {SAID}; {UNSEEN}\n" in said.err
    for verb in ("search", "identify", "classify"):
        said = gemel("gallery", verb, far)
        assert said.code == 0 and f"warning: {SAID}; {UNSEEN}\n" in said.err
        assert "outside" not in said.out
        assert UNSEEN not in gemel("gallery", verb, near).err


@pytest.mark.parametrize("words", [("gallery", "classify"), ("duplicates",)])
def test_of_many_the_first_are_named(there: Path, gemel: Gemel, words: tuple[str, ...]) -> None:
    said = gemel(*words, "far.csv")
    assert said.code == 0, said.err
    assert said.err.count(f"{SAID}; {UNSEEN}\n") == 3
    assert f"warning: record 1: {SAID}" in said.err
    assert "2 more records have numbers far outside of those that the release" in said.err
