"""How a pair is shown to a person, and what they press: two records side by side, one key."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import tty
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gemel.improve.labels.answers import Said
from gemel.improve.labels.beside import Line

Key = Literal["y", "n", "u", "b", "q"]
SAID: dict[Key, Said] = {"y": "same", "n": "different", "u": "unsure"}
KEYS: tuple[Key, ...] = (*SAID, "b", "q")
ASK = "same? y / n / u unsure, b back, q stop"
MARK = "\N{NOT EQUAL TO}"
NOT_COMPARED = "not compared:"
END = ("\x03", "\x04")
MORE_THAN_ONE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|)")
AT_ONCE = 1024
WAIT_S = 0.2


def drawn(console: Console, lines: Sequence[Line], head: str) -> None:
    """Write two records beside each other, fields that differ marked, and what differs in bold.

    Below stands what the release does not compare.
    """
    table = Table(box=None, pad_edge=False, title=head, title_justify="left", show_header=False)
    for _ in range(4):
        table.add_column(overflow="fold")
    all_compared = True
    for line in lines:
        if all_compared and not line.is_compared:
            table.add_row(Text(NOT_COMPARED, "dim italic"))
            all_compared = False
        mark = MARK if line.differs else "-" if line.lacks else ""
        sides = [
            Text.assemble(*((text, "bold reverse" if other else "") for text, other in side))
            for side in (line.left, line.right)
        ]
        table.add_row(Text(line.name, "dim"), *sides, mark)
    console.print(table)


@contextmanager
def keys() -> Iterator[Iterator[Key]]:
    """What is pressed from here on, key by key; from a pipe, letter by letter, until it ends.

    A terminal hands out each key at once until the end, also those that are pressed ahead while
    nobody reads. What was typed before, and what is left at the end, is thrown away.
    """
    # polars has the system go on reading after a signal, so that Python never hears of it.
    signal.siginterrupt(signal.SIGINT, True)
    if not sys.stdin.isatty():
        yield _known(iter(lambda: sys.stdin.read(1), ""))
        return
    terminal = sys.stdin.fileno()
    as_it_was = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield _known(_pressed(terminal))
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, as_it_was)


def _known(letters: Iterable[str]) -> Iterator[Key]:
    """The keys that mean something, up to the end or a Ctrl-C."""
    with suppress(KeyboardInterrupt):
        for letter in letters:
            if letter in END:
                return
            yield from (key for key in KEYS if letter.lower() == key)


def _pressed(terminal: int) -> Iterator[str]:
    """Letters from a terminal, without arrows and other keys that send more than one.

    Python hears of a signal that came just before it began to wait once that wait is over.
    """
    decoder = getincrementaldecoder("utf-8")(errors="replace")
    while True:
        if not select.select([terminal], [], [], WAIT_S)[0]:
            continue
        if not (some := os.read(terminal, AT_ONCE)):
            return
        yield from MORE_THAN_ONE.sub("", decoder.decode(some))
