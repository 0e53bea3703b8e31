"""JSON: an object on each line, or an array of objects; one that is none is reported.

A list or an object in place of a value is not compared; it is kept as it stands, as JSON text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gemel.data.dataset import BadRecord
from gemel.data.schema import as_strings
from gemel.data.sources.formats.table import Table, int64, of_values
from gemel.data.sources.formats.text import NOT_UTF_8, ending, physical_lines, spoilt, text_of
from gemel.data.values.nested import as_json
from gemel.errors import DataError, quoted

LINES = (".jsonl", ".ndjson")
ARRAY = (".json",)
_KEY = re.compile(r'"\s*:')


def read(path: Path, encoding: str | None = None) -> Table:
    """The table of JSON objects, a column for each key.

    Args:
        path: of the file.
        encoding: of one that is not UTF-8.
    Raises:
        ConfigError: no such encoding.
        DataError: unreadable, or nothing in it is an object.
    """
    bad: list[BadRecord] = []
    blank: list[int] = []
    numbers: list[int] = []
    columns: dict[str, list[Any]] = {}
    nested: dict[str, dict[int, str | None]] = {}
    for number, record in enumerate(_json_records(path, encoding), 1):
        if record is None:
            blank.append(number)
            continue
        if isinstance(record, str):
            bad.append(BadRecord(str(path), number, None, record))
            continue
        for name, value in record.items():
            columns.setdefault(name, [None] * len(numbers))
            if isinstance(value, list | dict):
                nested.setdefault(name, {})[len(numbers)] = as_json(value)
                record[name] = None
        for name, values in columns.items():
            values.append(record.get(name))
        numbers.append(number)
    if bad and not numbers:
        each = "element" if ending(path) in ARRAY else "line"
        raise DataError(f"no {each} is a JSON object; the first: {bad[0].reason}", where=str(path))
    frame = of_values(columns, str(path)).frame
    n_read = len(numbers) + len(bad)
    table = Table(str(path), frame, int64(numbers), tuple(bad), n_read, blank=tuple(blank))
    return _with_nested(table, nested) if nested else table


def _with_nested(table: Table, nested: Mapping[str, Mapping[int, str | None]]) -> Table:
    """The table with lists and objects beside what is compared.

    Args:
        table: with none in their place.
        nested: JSON text by row, from 0, of each column that has any.
    """
    import polars as pl

    n_rows = table.frame.height
    shown = []
    for name, texts in nested.items():
        plain = as_strings(table.frame[name]).to_list()
        values = [texts.get(i, value) for i, value in enumerate(plain)]
        shown.append(pl.Series(name, values, dtype=pl.String))
    counts = ", ".join(f"{name} ({len(texts):,})" for name, texts in nested.items())
    note = f"lists or objects, which are not compared and kept as JSON text: {counts}"
    return replace(
        table,
        whole=table.frame.with_columns(shown),
        nested={name: np.isin(np.arange(n_rows), [*texts]) for name, texts in nested.items()},
        notes=(*table.notes, note),
    )


def _json_records(path: Path, encoding: str | None) -> Iterator[dict[str, Any] | str | None]:
    """Each object of an array or on a line, or why there is none; None of a blank line."""
    text = text_of(path, encoding)
    if ending(path) not in ARRAY or not text.lstrip().startswith("["):
        yield from map(_json_record, physical_lines(text))
        return
    try:
        values = msgspec.json.decode(text.encode(errors="surrogateescape"), type=list[Any])
    except msgspec.DecodeError as e:
        raise DataError(f"bad JSON: {e}", where=str(path)) from e
    n_keys = sum(len(value) for value in values if isinstance(value, dict))
    for value, problem in zip(values, _twice(text, n_keys) or values, strict=True):
        if isinstance(problem, str) and isinstance(value, dict):
            yield problem
        else:
            yield value if isinstance(value, dict) else "not a JSON object"


def _json_record(line: str) -> dict[str, Any] | str | None:
    """The object on a line, or why there is none; None of a blank line."""
    if not line.strip():
        return None
    if spoilt([line]) is not None:
        return NOT_UTF_8
    try:
        value = msgspec.json.decode(line)
    except msgspec.DecodeError as e:
        return f"bad JSON: {e}"
    if not isinstance(value, dict):
        return "not a JSON object"
    problem = _twice(line, len(value))
    return problem if isinstance(problem, str) else value


def key_twice(text: str) -> str | None:
    """Which key of a JSON object stands twice, in words; None if none does.

    Args:
        text: that was decoded; a decoder says nothing and keeps the last value.
    """
    found = json.loads(text, object_pairs_hook=_once)
    return found if isinstance(found, str) else None


def _twice(text: str, n_keys: int) -> Any:
    """JSON values, with words in place of an object in which a key stands twice.

    None where there is none: as many keys were read as there may be in the text. Most texts have no
    other colon behind a quote, and need not be decoded a second time.
    """
    if len(_KEY.findall(text)) <= n_keys:
        return None
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> Any:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            return f"the key {quoted(key)} stands twice"
        found[key] = value
    return found
