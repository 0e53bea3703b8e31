"""JSON: an object on each line, or an array of objects; one that is none is reported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gemel.data.dataset import BadRecord
from gemel.data.sources.formats.table import Table, int64, of_values
from gemel.data.sources.formats.text import NOT_UTF_8, ending, physical_lines, spoilt, text_of
from gemel.errors import DataError

LINES = (".jsonl", ".ndjson")
ARRAY = (".json",)


def read(path: Path) -> Table:
    """The table of JSON objects, a column for each key.

    Raises:
        DataError: unreadable, or nothing in it is an object.
    """
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
        each = "element" if ending(path) in ARRAY else "line"
        raise DataError(f"no {each} is a JSON object; the first: {bad[0].reason}", where=str(path))
    frame = of_values(columns, str(path)).frame
    masks = {name: np.isin(numbers, sorted(lines)) for name, lines in nested.items()}
    n_read = len(numbers) + len(bad)
    return Table(str(path), frame, int64(numbers), tuple(bad), n_read, nested=masks)


def _json_records(path: Path) -> Iterator[dict[str, Any] | str]:
    """Each object of an array or on a line, or why there is none."""
    text = text_of(path)
    if ending(path) not in ARRAY or not text.lstrip().startswith("["):
        yield from map(_json_record, physical_lines(text))
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
    if spoilt([line]) is not None:
        return NOT_UTF_8
    try:
        value = msgspec.json.decode(line)
    except msgspec.DecodeError as e:
        return f"bad JSON: {e}"
    return value if isinstance(value, dict) else "not a JSON object"
