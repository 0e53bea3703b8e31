"""How a pair is shown to a person, and what they press: two records side by side, one key."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gemel.improve.labels.beside import Line

Key = Literal["y", "n", "u", "b", "q"]
KEYS: tuple[Key, ...] = ("y", "n", "u", "b", "q")
ASK = "same? y / n / u unsure, b back, q stop"
MARK = "\N{NOT EQUAL TO}"
END = ("\x03", "\x04", "")


def drawn(console: Console, lines: Sequence[Line], head: str) -> None:
    """Write two records beside each other, fields that differ marked, and what differs in bold."""
    table = Table(box=None, pad_edge=False, title=head, title_justify="left", show_header=False)
    for _ in range(4):
        table.add_column(overflow="fold")
    for line in lines:
        mark = MARK if line.differs else "-" if line.lacks else ""
        sides = [
            Text.assemble(*((text, "bold reverse" if other else "") for text, other in side))
            for side in (line.left, line.right)
        ]
        table.add_row(Text(line.name, "dim"), *sides, mark)
    console.print(table)


def keys() -> Iterator[Key]:
    """What is pressed, key by key; from a pipe, letter by letter, until it ends."""
    # polars has the system go on reading after a signal, so that Python never hears of it.
    signal.siginterrupt(signal.SIGINT, True)
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
