"""How a pair is shown to a person, and what they press: two records side by side, one key."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

Key = Literal["y", "n", "u", "b", "q"]
KEYS: tuple[Key, ...] = ("y", "n", "u", "b", "q")
ASK = "same? y / n / u unsure, b back, q stop"
MARK = "\N{NOT EQUAL TO}"
END = ("\x03", "\x04", "")


def drawn(console: Console, left: Mapping[str, Any], right: Mapping[str, Any], head: str) -> None:
    """Write two records beside each other, fields that differ marked, and what differs in bold."""
    table = Table(box=None, pad_edge=False, title=head, title_justify="left", show_header=False)
    for _ in range(4):
        table.add_column(overflow="fold")
    for name in dict.fromkeys([*left, *right]):
        one, two = (_text(side.get(name)) for side in (left, right))
        same = one.casefold() == two.casefold()
        mark = "" if same else MARK if one and two else "-"
        table.add_row(Text(name, "dim"), *_marked(one, two), mark)
    console.print(table)


def keys() -> Iterator[Key]:
    """What is pressed, key by key; from a pipe, letter by letter, until it ends."""
    if sys.stdin.isatty():
        import click

        read: Callable[[], str] = click.getchar
    else:
        read = _letters().__next__
    while True:
        try:
            pressed = read().lower()
        except (StopIteration, EOFError, KeyboardInterrupt):
            return
        if pressed in END:
            return
        for key in KEYS:
            if pressed == key:
                yield key


def _letters() -> Iterator[str]:
    for line in sys.stdin:
        yield from line.strip()


def _text(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _marked(one: str, two: str) -> tuple[Text, Text]:
    """Both texts, with what the other has otherwise in bold."""
    left, right = Text(one), Text(two)
    if one and two and one != two:
        for kind, a, b, c, d in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
            if kind != "equal":
                left.stylize("bold reverse", a, b)
                right.stylize("bold reverse", c, d)
    return left, right
