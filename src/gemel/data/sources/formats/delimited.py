"""CSV, TSV and their like, read by Python's own `csv`: a fault is known to the line.

A row that cannot be taken apart (too many fields, broken quotes, not UTF-8) is reported with its
line and left out.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from gemel.data.dataset import BadRecord
from gemel.data.sources.formats import footing, heading, pages
from gemel.data.sources.formats.naming import column_names
from gemel.data.sources.formats.table import Table, frame_of, int64
from gemel.data.sources.formats.text import (
    NOT_UTF_8,
    SURROGATES,
    ending,
    physical_lines,
    spoilt,
    table_text,
)
from gemel.errors import DataError
from gemel.figures import number_of

SUFFIXES = (".csv", ".tsv", ".txt")
UNQUOTED = "no field is quoted: quotes are part of the values"
_DELIMITERS = "\t|;,"
"""Of as good ones the first: a comma stands in numbers and texts, too."""
_STATED = re.compile(r'"?sep=(.)"?\s*')
"""First line of a file that is made for Excel."""
_GIVE_UP = 10_000
LONGEST = 10_000_000
"""Characters of a field; beyond, a quote is taken as one that nothing closes."""
_ALIKE = 0.99
"""Share of the lines of a file without quoting that have as many fields as the first."""
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def read(path: Path, encoding: str | None = None) -> Table:
    """The table in a delimited file, refused rows told.

    Args:
        path: of the file.
        encoding: of one that is not UTF-8; None: see `text.table_text`.
    Raises:
        ConfigError: no such encoding.
        DataError: unreadable, without a header, or hardly a row can be read.
    """
    # Of the process, as csv has it: never lowered, so that no other reader finds it changed midway.
    csv.field_size_limit(max(LONGEST, csv.field_size_limit()))
    text, note = table_text(path, encoding)
    lines = physical_lines(text)
    stated = _STATED.fullmatch(lines[0]) if lines else None
    if stated is not None:
        delimiter = stated[1]
    else:
        delimiter = "\t" if ending(path) == ".tsv" else _sniff(lines[:50])
    start = 0 if stated is None else 1
    is_plain = _is_plain(lines[start:], delimiter)
    parsed = _Rows(str(path), lines, delimiter, start=start, is_plain=is_plain)
    head = list(islice(parsed.numbered, heading.LOOKED_AT))
    at = heading.header_at([row for _, row in head])
    named, header = head[at] if head else (1, list[str]())
    broken = any(b.row is not None and b.row <= named for b in parsed.bad)
    above = [row for _, row in head[:at]]
    groups = heading.row_above(above)
    names, notes = column_names([] if broken else header, str(path), named, groups)
    rows: list[list[str]] = []
    numbers: list[int] = []
    blank: list[int] = []
    clean = SURROGATES.search(text) is None and "\0" not in text
    for number, row in chain(head[at + 1 :], parsed.numbered):
        if not any(map(str.strip, row)):
            blank.append(number)
            continue
        if not (clean and len(row) == len(names)):
            fault = _fault(row, names)
            if fault is not None:
                parsed.refuse(number, *fault)
                continue
        rows.append(row)
        numbers.append(number)
    again, paged = pages.repeated(header, rows, numbers)
    blank += [numbers[i] for i in again]
    for i in reversed(again):
        del rows[i], numbers[i]
    n_below, below = footing.left_out(rows, numbers, {*blank})
    blank += numbers[len(rows) - n_below :]
    del rows[len(rows) - n_below :], numbers[len(numbers) - n_below :]
    frame = frame_of(names, list(zip(*rows, strict=True)) or [()] * len(names))
    n_read = len(rows) + len(parsed.bad)
    first = heading.if_a_record(header, rows[: heading.LOOKED_AT], named)
    plain = (UNQUOTED,) if is_plain else ()
    notes = (
        *((note,) if note else ()),
        *plain,
        *heading.skipped(above, named),
        *first,
        *notes,
        *paged,
        *below,
    )
    bad = tuple(parsed.bad)
    return Table(str(path), frame, int64(numbers), bad, n_read, notes, blank=tuple(blank))


def _fault(row: Sequence[str], names: Sequence[str]) -> tuple[str | None, str] | None:
    """Column and reason why a parsed row is none, or None."""
    if len(row) != len(names):
        return None, f"{number_of(len(row), 'field')}, the header has {len(names)}"
    at = spoilt(row)
    return None if at is None else (names[at], NOT_UTF_8)


class _Rows:
    """Parsed rows, `numbered` by the line each starts on; one that cannot be parsed is refused."""

    def __init__(
        self, file: str, lines: list[str], delimiter: str, *, start: int, is_plain: bool
    ) -> None:
        self.bad: list[BadRecord] = []
        self._file = file
        self._lines = lines
        self._delimiter = delimiter
        self._start = start
        self._quoting: Literal[0, 3] = csv.QUOTE_NONE if is_plain else csv.QUOTE_MINIMAL
        self.numbered = self._parse()

    def refuse(self, row: int, column: str | None, reason: str) -> None:
        """Report a row."""
        self.bad.append(BadRecord(self._file, row, column, reason))
        if len(self.bad) > max(_GIVE_UP, len(self._lines) // 2):
            raise DataError(
                f"more than {_GIVE_UP:,} rows cannot be read; the first: {self.bad[0].reason}",
                where=f"{self._file}, row {self.bad[0].row}",
                hint=f"taken as fields split by {self._delimiter!r}; is it another format?",
            )

    def _parse(self) -> Iterator[tuple[int, list[str]]]:
        first = self._start
        while first < len(self._lines):
            rest = (self._lines[i] for i in range(first, len(self._lines)))
            reader = csv.reader(rest, delimiter=self._delimiter, quoting=self._quoting, strict=True)
            done = 0
            try:
                for row in reader:
                    yield first + done + 1, row
                    done = reader.line_num
                return
            except csv.Error as e:
                self.refuse(first + done + 1, None, _unparsed(e))
                first += done + 1


def _unparsed(error: csv.Error) -> str:
    """Why a row cannot be taken apart."""
    if "field limit" in str(error):
        longest = f"{csv.field_size_limit():,}"
        return f"a field of more than {longest} characters, or a quote that nothing closes"
    return f"broken quotes ({error})"


def _is_plain(lines: list[str], delimiter: str) -> bool:
    """Whether quotes are signs as any other: tabs alone part fields, and most quotes end none."""
    if delimiter != "\t" or not any('\t"' in line or line.startswith('"') for line in lines):
        return False
    rows = [line.rstrip("\n").split(delimiter) for line in lines if line.strip()]
    opened = [cell for row in rows for cell in row if cell.startswith('"')]
    n_quoted = sum(_QUOTED.fullmatch(cell) is not None for cell in opened)
    if 2 * n_quoted >= len(opened):
        return False
    return sum(len(row) == len(rows[0]) for row in rows) >= _ALIKE * len(rows)


def _is_sound(line: str, delimiter: str) -> bool:
    """Whether no quote of a line ends within a field; most do where the delimiter is another.

    One that the line leaves open is closed on another.
    """
    try:
        return bool(next(csv.reader([line, '"'], delimiter=delimiter, strict=True)))
    except csv.Error:
        return False


def _sniff(lines: list[str]) -> str:
    """The delimiter that splits the header into most fields and most lines alike.

    Lines above the header count as well: where another sign splits all but the first one alike, as
    the decimal commas of `a;b` and `1,5;2,5` do, that line is the header and no title.
    """

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            rows = [r for r in csv.reader(lines, delimiter=delimiter) if r]
        except csv.Error:
            rows = [line.split(delimiter) for line in lines]
        width = len(rows[heading.header_at(rows)]) if rows else 0
        if width < 2:
            return 0.0, 0
        whole = rows[:-1] if len(rows) > 2 else rows  # the last line may be the first of several
        alike = sum(len(row) == width for row in whole) / len(whole)
        return alike * (1 + sum(_is_sound(line, delimiter) for line in lines)), width

    best = max(_DELIMITERS, key=fit)
    return best if fit(best)[0] > 0 else ","
