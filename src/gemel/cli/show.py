"""What a person sees: data on stdout, talk and progress bars on stderr, errors as two lines.

Nothing here knows a stage. Whether a stream is a terminal is asked at the moment of writing, so
that output can be redirected, captured and piped.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec

from gemel.errors import (
    ConfigError,
    DataError,
    GalleryError,
    GemelError,
    LedgerError,
    ReleaseError,
    RequestError,
)

HINTS: tuple[tuple[type[GemelError], str], ...] = (
    (ConfigError, "gemel config show prints every setting and where it comes from"),
    (DataError, "look at the file that is named; gemel data check lists what is read and refused"),
    (ReleaseError, "gemel release list shows what there is"),
    (GalleryError, "gemel gallery stats shows what there is"),
    (LedgerError, "gemel ledger verify shows how far it can be relied on"),
    (RequestError, "gemel release show prints the fields of a release"),
    (GemelError, "gemel --help"),
)
"""Where to look when an error itself knows no better."""

SHOWN = 20
"""Lines of a list that may be long."""

PLAIN = {
    "│": "|",
    "█": "#",
    "▒": "-",
    "…": "...",
    "–": "-",
    "\N{NO-BREAK SPACE}": " ",
    "\N{NOT EQUAL TO}": "!=",
    "\N{MINUS SIGN}": "-",
}
"""What is written for the signs of gemel where a terminal or a pipe has no place for them."""

Write = Callable[[str], None]
"""Takes a line."""


class Tick(Protocol):
    """Tells how far something is."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Say that `done` of `total` is done (0: not known), with a few words to it."""


def in_any_encoding() -> None:
    """Let stdout and stderr write every text, whatever encoding the system gives them."""
    codecs.register_error("gemel", _within)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="gemel")


def out(text: str) -> None:
    """Write a line of data to stdout."""
    sys.stdout.write(text + "\n")


def say(text: str) -> None:
    """Write a line of talk to stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def as_json(value: Any) -> None:
    """Write a value to stdout as indented JSON."""
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2).decode()
    is_utf8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    out(text if is_utf8 else re.sub(r"[^\x00-\x7f]", lambda found: _escaped(found[0]), text))


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], write: Write | None = None) -> None:
    """Write rows (to stdout if not told otherwise) in aligned columns, numbers to the right."""
    cells = [["" if v is None else number(v) for v in row] for row in rows]
    width = [max(len(r[i]) for r in [list(head), *cells]) for i in range(len(head))]
    right = [bool(rows) and all(_is_number(r[i]) for r in rows) for i in range(len(head))]
    for line in [list(head), *cells]:
        padded = [
            c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, width, right, strict=True)
        ]
        (write or out)("  ".join(padded).rstrip())


def filled_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write rows to stdout as `table` does, without the columns that no row fills."""
    kept = [i for i in range(len(head)) if any(row[i] is not None for row in rows)]
    table([head[i] for i in kept], [[row[i] for i in kept] for row in rows])


def pairs(rows: Sequence[tuple[str, Any]], write: Write | None = None) -> None:
    """Write `name  value` lines, to stdout if not told otherwise."""
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        (write or out)(f"{name.ljust(width)}  {number(value)}")


def number(value: Any) -> str:
    """A value as text; floats with four digits and no exponent, none as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        from gemel.figures import plain

        return plain(value, 4)
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def refused(
    bad: Sequence[object], gaps: Sequence[object] = (), *, most: int = SHOWN, all_in: str = ""
) -> None:
    """Write what was refused to stderr, one line each, and how many more there are.

    Args:
        bad: refused rows or files, which say what and why.
        gaps: values that are read as missing, likewise.
        most: lines.
        all_in: what lists all of them, in words.
    """
    for one in bad[:most]:
        say(f"refused: {one}")
    if len(bad) > most:
        say(f"refused: {len(bad) - most:,} more" + (f"; {all_in}" if all_in else ""))
    for gap in gaps:
        say(f"note: {gap}")


def error(e: GemelError) -> None:
    """Write an error as one line, and a hint as another."""
    say(f"error: {_one_line(str(e))}")
    say(f"hint: {_one_line(e.hint or next(h for kind, h in HINTS if isinstance(e, kind)))}")


def on_terminal() -> bool:
    """Whether talk goes to a terminal."""
    return sys.stderr.isatty()


class Stopped(Exception):
    """By Ctrl-C, which has been said."""


@contextmanager
def resumable(goes_on: str) -> Iterator[None]:
    """Say how to go on if Ctrl-C stops the work inside.

    Args:
        goes_on: a sentence without a full stop.
    Raises:
        Stopped: Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt as e:
        say(f"stopped; {goes_on} when run again")
        raise Stopped from e


@contextmanager
def progress(title: str, unit: str = "") -> Iterator[Tick]:
    """A progress bar on a terminal; elsewhere one line at the start.

    Args:
        title: what is going on.
        unit: what is counted, shown behind the count.
    """
    if not on_terminal():
        say(title)
        yield lambda done, total, note="": None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<16}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        TextColumn("left"),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None, note="")

        def tick(done: int, total: int, note: str = "") -> None:
            bar.update(task, completed=done, total=total or None, note=note)

        yield tick
        if bar.tasks[0].total is None:
            bar.update(task, completed=1, total=1)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _within(e: UnicodeError) -> tuple[str, int]:
    """What is written for the letters that an encoding lacks, and where to go on."""
    if not isinstance(e, UnicodeEncodeError):
        raise e
    lacking = e.object[e.start : e.end]
    return "".join(PLAIN.get(letter) or _escaped(letter) for letter in lacking), e.end


def _escaped(letter: str) -> str:
    return json.dumps(letter)[1:-1]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _plain(value: Any) -> Any:
    """JSON values of what msgspec does not know: numpy scalars and arrays, paths."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


def verdict(doubt: str, compared: str) -> None:
    """Tell, as the last line, whether training was worth it."""
    say(f"warning: {doubt}: {compared}" if doubt else compared)
