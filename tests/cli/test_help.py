"""What a person reads with --help is what was written: nothing is taken for markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from gemel.cli.main import app, run


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*words, name))
    if words and not hasattr(command, "commands"):
        yield " ".join(words), command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_a_help_text_would_vanish_as_markup(name: str) -> None:
    command = COMMANDS[name]
    texts = [command.help or "", *(getattr(p, "help", None) or "" for p in command.params)]
    assert texts[0]
    for text in texts:
        assert not re.search(r"\[/?[a-z_]+\]", text), text


@pytest.mark.parametrize("columns", ["50", "71", "72", "80"])
def test_help_names_every_option_whole_however_narrow_the_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for name in ("init", "calibrate", "duplicates", "release promote", "gallery enroll"):
        assert run([*name.split(), "--help"]) == 0
        shown = capsys.readouterr().out
        for option in COMMANDS[name].params:
            for word in option.opts if option.param_type_name == "option" else ():
                assert re.search(rf"(?<!\S){word}(?![\w-])", shown), (name, word)
        assert max(map(len, shown.splitlines())) <= int(columns)
