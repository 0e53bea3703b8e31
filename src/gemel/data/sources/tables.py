"""Tables as they stand in files: named raw columns, the row each value came from, refused rows.

A row that cannot be taken apart (too many fields, broken quotes, not UTF-8, not JSON) is reported
with its line and left out; what the values mean is `schema`'s business. Delimited text is read by
Python's own `csv`, since the place of a fault must be known to the line.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from gemel.arrays import Bool, Int64
from gemel.data.dataset import BadRecord
from gemel.data.schema import as_text
from gemel.data.sources import sheets
from gemel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

DELIMITED = (".csv", ".tsv", ".txt")
JSON_LINES = (".jsonl", ".ndjson")
JSON = (".json",)
PARQUET = (".parquet", ".pq")
SUFFIXES = (*DELIMITED, *JSON_LINES, *JSON, *PARQUET, *sheets.SUFFIXES)
GZIP = ".gz"
"""May stand behind the ending of a text file."""

NOT_UTF_8 = "not UTF-8 text"

_DELIMITERS = ",;\t|"
_SURROGATES = re.compile("[\udc80-\udcff]")
_STATED = re.compile(r'"?sep=(.)"?\s*')
"""First line of a file that is made for Excel."""
_GIVE_UP = 10_000


@dataclass(frozen=True)
class Table:
    """Raw columns of one file.

    Attributes:
        file: path, for messages.
        frame: (n rows) columns as String, or as typed by a Parquet file.
        rows: (n,) int64, line or row number of each row in the file, from 1.
        bad: refused rows.
        n_read: all rows, refused ones included.
        notes: what a user should know about the file.
        nested: per column that has any, (n,) which values are lists or objects; null in `frame`.
        whole: the columns under their own names, where `frame` has only some or has them renamed.
    """

    file: str
    frame: pl.DataFrame
    rows: Int64
    bad: tuple[BadRecord, ...]
    n_read: int
    notes: tuple[str, ...] = ()
    nested: Mapping[str, Bool] = field(default_factory=dict)
    whole: pl.DataFrame | None = None

    @property
    def written(self) -> pl.DataFrame:
        """(n rows) all columns as they stand in the file."""
        return self.frame if self.whole is None else self.whole

    @property
    def ordinals(self) -> Int64:
        """(n,) int64 place of each row among all rows, refused ones included, from 1."""
        every = np.union1d(self.rows, [b.row for b in self.bad if b.row is not None])
        return np.searchsorted(every, self.rows).astype(np.int64) + 1


def read(path: Path) -> Table:
    """The table in a CSV, TSV, JSON (an array), JSONL, Parquet or Excel file; text may be in gzip.

    Raises:
        DataError: no such file, unknown type, unreadable, or without a header or a record.
    """
    readers: dict[str, Callable[[Path], Table]] = {
        **dict.fromkeys(DELIMITED, _read_delimited),
        **dict.fromkeys((*JSON_LINES, *JSON), _read_json),
        **dict.fromkeys(PARQUET, _read_parquet),
        **dict.fromkeys(sheets.SUFFIXES, _read_sheet),
    }
    reader = readers.get(_ending(path))
    is_packed = path.suffix.lower() == GZIP
    if reader is None or (is_packed and reader in (_read_parquet, _read_sheet)):
        hint = f"known: {' '.join(SUFFIXES)}, text in {GZIP} as well, or a folder of images"
        raise DataError(f"unknown file type {path.suffix or path.name}", where=str(path), hint=hint)
    table = reader(path)
    if table.n_read == 0:
        raise DataError("the file has no records", where=str(path))
    return table


def _ending(path: Path) -> str:
    """The suffix of a file, in small letters; that of what is inside for gzip."""
    inner = path.with_suffix("") if path.suffix.lower() == GZIP else path
    return inner.suffix.lower()


def text_of(path: Path) -> str:
    """The text of a UTF-8 file; bytes that are not UTF-8 come back as lone surrogates.

    A byte order mark is dropped; with one, UTF-16 is read too.

    Raises:
        DataError: unreadable, empty, or a table in another form than its name says.
    """
    try:
        data = path.read_bytes()
    except OSError as e:
        raise DataError(f"cannot read the file: {e.strerror}", where=str(path)) from e
    if path.suffix.lower() == GZIP:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as e:
            raise DataError(f"cannot unpack the file: {e}", where=str(path)) from e
    if not data.strip():
        raise DataError("the file is empty", where=str(path))
    if data[:4] in (b"PK\x03\x04", b"PAR1") or data[:2] == b"\x1f\x8b":
        hint = "unpack it, or give it the ending of what it is (such as .parquet)"
        raise DataError("this is not a text file", where=str(path), hint=hint)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="surrogateescape")


def _read_delimited(path: Path) -> Table:
    text = text_of(path)
    lines = _physical_lines(text)
    stated = _STATED.fullmatch(lines[0]) if lines else None
    if stated is not None:
        delimiter = stated[1]
    else:
        delimiter = "\t" if _ending(path) == ".tsv" else _sniff(lines[:50])
    parsed = _Rows(str(path), lines, delimiter, start=0 if stated is None else 1)
    header = next(parsed.numbered, (0, list[str]()))[1]
    names, notes = _names([] if parsed.bad else header, str(path))
    rows: list[list[str]] = []
    numbers: list[int] = []
    clean = _SURROGATES.search(text) is None and "\0" not in text
    for number, row in parsed.numbered:
        if not (clean and len(row) == len(names)):
            fault = _fault(row, names)
            if fault is not None:
                parsed.refuse(number, *fault)
                continue
        rows.append(row)
        numbers.append(number)
    frame = _frame(names, list(zip(*rows, strict=True)) or [()] * len(names))
    n_read = len(rows) + len(parsed.bad)
    return Table(str(path), frame, _int64(numbers), tuple(parsed.bad), n_read, notes)


def _fault(row: Sequence[str], names: Sequence[str]) -> tuple[str | None, str] | None:
    """Column and reason why a parsed row is none, or None."""
    if not any(v.strip() for v in row):
        return None, "empty record"
    if len(row) != len(names):
        return None, f"{len(row)} fields, the header has {len(names)}"
    spoilt = _spoilt(row)
    return None if spoilt is None else (names[spoilt], NOT_UTF_8)


class _Rows:
    """Parsed rows, `numbered` by the line each starts on; one that cannot be parsed is refused."""

    def __init__(self, file: str, lines: list[str], delimiter: str, start: int = 0) -> None:
        self.bad: list[BadRecord] = []
        self._file = file
        self._lines = lines
        self._delimiter = delimiter
        self._start = start
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
            reader = csv.reader(rest, delimiter=self._delimiter, strict=True)
            done = 0
            try:
                for row in reader:
                    yield first + done + 1, row
                    done = reader.line_num
                return
            except csv.Error as e:
                self.refuse(first + done + 1, None, f"broken quotes ({e})")
                first += done + 1


def _physical_lines(text: str) -> list[str]:
    """Lines with their ends, as csv wants them, without blank lines at the end of the file."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return [line + "\n" for line in lines]


def _sniff(lines: list[str]) -> str:
    """The delimiter that splits the header into most fields and most lines alike."""

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            widths = [len(r) for r in csv.reader(lines, delimiter=delimiter) if r]
        except csv.Error:
            widths = [len(line.split(delimiter)) for line in lines]
        if not widths or widths[0] < 2:
            return 0.0, 0
        return sum(w == widths[0] for w in widths) / len(widths), widths[0]

    best = max(_DELIMITERS, key=fit)
    return best if fit(best)[0] > 0 else ","


def _names(header: Sequence[str], where: str) -> tuple[list[str], tuple[str, ...]]:
    if not header:
        raise DataError("the header cannot be read", where=f"{where}, row 1")
    names = [h.strip() or f"column_{i}" for i, h in enumerate(header, 1)]
    if _spoilt(names) is not None:
        raise DataError(
            "the header is not UTF-8 text", where=f"{where}, row 1", hint="save it as UTF-8"
        )
    twice = [n for n, count in Counter(names).items() if count > 1]
    if twice:
        hint = "each column needs its own name"
        raise DataError(f"the header names {twice[0]!r} twice", where=f"{where}, row 1", hint=hint)
    unnamed = [i for i, h in enumerate(header, 1) if not h.strip()]
    return names, tuple(f"column {i} has no name in the header; called column_{i}" for i in unnamed)


def _spoilt(row: Sequence[str]) -> int | None:
    """Position of the first value with bytes that are not text, or None."""
    return next((i for i, v in enumerate(row) if "\0" in v or _SURROGATES.search(v)), None)


def _read_json(path: Path) -> Table:
    bad: list[BadRecord] = []
    numbers: list[int] = []
    columns: dict[str, list[Any]] = {}
    nested: dict[str, set[int]] = {}
    for number, record in enumerate(_json_records(path), 1):
        if isinstance(record, str):
            bad.append(BadRecord(str(path), number, None, record))
            continue
        for name, value in record.items():
            columns.setdefault(name, [None] * len(numbers))
            if isinstance(value, list | dict):
                nested.setdefault(name, set()).add(number)
                record[name] = None
        for name, values in columns.items():
            values.append(record.get(name))
        numbers.append(number)
    if bad and not numbers:
        each = "element" if _ending(path) in JSON else "line"
        raise DataError(f"no {each} is a JSON object; the first: {bad[0].reason}", where=str(path))
    frame = of_values(columns, str(path)).frame
    masks = {name: np.isin(numbers, sorted(lines)) for name, lines in nested.items()}
    n_read = len(numbers) + len(bad)
    return Table(str(path), frame, _int64(numbers), tuple(bad), n_read, nested=masks)


def _json_records(path: Path) -> Iterator[dict[str, Any] | str]:
    """Each object of an array or on a line, or why there is none."""
    text = text_of(path)
    if _ending(path) not in JSON or not text.lstrip().startswith("["):
        yield from map(_json_record, _physical_lines(text))
        return
    try:
        values = msgspec.json.decode(text.encode(errors="surrogateescape"), type=list[Any])
    except msgspec.DecodeError as e:
        raise DataError(f"bad JSON: {e}", where=str(path)) from e
    for value in values:
        yield value if isinstance(value, dict) else "not a JSON object"


def _json_record(line: str) -> dict[str, Any] | str:
    """The object on a line, or why there is none."""
    if not line.strip():
        return "empty record"
    if _spoilt([line]) is not None:
        return NOT_UTF_8
    try:
        value = msgspec.json.decode(line)
    except msgspec.DecodeError as e:
        return f"bad JSON: {e}"
    return value if isinstance(value, dict) else "not a JSON object"


def _read_parquet(path: Path) -> Table:
    import polars as pl
    import pyarrow
    from pyarrow import parquet

    try:
        # Not pl.read_parquet, which panics on a damaged page instead of raising.
        read = parquet.read_table(path, partitioning=None).replace_schema_metadata(None)
        read = read.rename_columns(read.column_names)
        read.validate(full=True)
    except (OSError, pyarrow.ArrowException, ValueError) as e:
        reason = str(e).splitlines()[0]
        raise DataError(f"cannot read the Parquet file: {reason}", where=str(path)) from e
    frame = pl.from_arrow(read)
    if not isinstance(frame, pl.DataFrame):
        raise DataError("the Parquet file holds no table", where=str(path))
    return from_frame(frame, str(path))


def _read_sheet(path: Path) -> Table:
    sheet = sheets.read(path)
    header, *rows = sheet.rows
    used = [i for i, cells in enumerate(zip(*sheet.rows, strict=True)) if _any_value(cells)]
    names, notes = _names([as_text(header[i]) or "" for i in used], str(path))
    numbered = [(number, row) for number, row in enumerate(rows, sheet.first + 1)]
    while numbered and not _any_value(numbered[-1][1]):
        numbered.pop()
    kept = [(number, row) for number, row in numbered if _any_value(row)]
    empty = [
        BadRecord(str(path), number, None, "empty record")
        for number, row in numbered
        if not _any_value(row)
    ]
    columns = {name: [row[i] for _, row in kept] for name, i in zip(names, used, strict=True)}
    return Table(
        str(path),
        of_values(columns, str(path)).frame,
        _int64([number for number, _ in kept]),
        tuple(empty),
        len(numbered),
        (*notes, *((sheet.note,) if sheet.note else ())),
    )


def _any_value(cells: Sequence[Any]) -> bool:
    """Whether a cell has a value."""
    return any(value is not None for value in cells)


def from_frame(frame: pl.DataFrame, file: str) -> Table:
    """A table of columns that are typed already; NaN is a missing value."""
    import polars as pl

    frame = frame.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
    return Table(file, frame, np.arange(1, frame.height + 1), (), frame.height)


def of_values(columns: Mapping[str, Sequence[Any]], file: str) -> Table:
    """A table of columns of single values of any type: text, but for numbers with fractions.

    A number with a fraction is one whatever the decimal sign of texts is.
    """
    import polars as pl

    def column(name: str, values: Sequence[Any]) -> pl.Series:
        if _are_fractions(values):
            return pl.Series(name, values, dtype=pl.Float64, strict=False).fill_nan(None)
        return pl.Series(name, [as_text(v) for v in values], dtype=pl.String)

    frame = pl.DataFrame([column(name, values) for name, values in columns.items()])
    return Table(file, frame, np.arange(1, frame.height + 1), (), frame.height)


def _are_fractions(values: Sequence[Any]) -> bool:
    """Whether all that is there are numbers, and one is not whole."""
    kinds = {type(v) for v in values if v is not None}
    if not any(issubclass(kind, float | np.floating) for kind in kinds):
        return False
    plain = all(issubclass(k, int | float | np.number) and k is not bool for k in kinds)
    return plain and any(v is not None and v == v and v % 1 != 0 for v in values)


def from_columns(names: list[str], columns: Sequence[Sequence[str | None]], file: str) -> Table:
    """A table of text columns of equal length."""
    frame = _frame(names, columns)
    return Table(file, frame, np.arange(1, frame.height + 1), (), frame.height)


def _frame(names: list[str], columns: Sequence[Sequence[str | None]]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(
        [pl.Series(n, c, dtype=pl.String) for n, c in zip(names, columns, strict=True)]
    )


def _int64(numbers: list[int]) -> Int64:
    return np.array(numbers, dtype=np.int64)
