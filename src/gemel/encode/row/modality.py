"""Rows, as everything outside training knows them: a payload is a dict of field name to value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from gemel.data.dataset import Dataset
from gemel.data.schema import as_text
from gemel.data.sources import tables
from gemel.data.sources.columns import Columns
from gemel.data.sources.rows import from_table
from gemel.encode import modality
from gemel.encode.modality import Baseline, Payload, Prepare
from gemel.encode.ngrams import ngrams
from gemel.encode.row.numbers import MEANS, NumbersPrepare
from gemel.encode.row.parts import RowParts
from gemel.encode.row.prepare import RowPrepare, fitting
from gemel.errors import InvalidInput

MAX_TEXT = 100_000
"""Characters of one value in a request; networks read far fewer."""
JSON_TYPES = {"text": "string", "category": "string", "number": "number", "date": "string"}


class RowModality(modality.Modality):
    """An item of a request is the row itself, or a bare string where there is one text field."""

    name = "row"
    nouns = ("record", "records")
    training = "gemel.train.towers.tabular:ROW"
    asked_by = "NAME=VALUE"
    is_light = True
    n_explained = 20

    def read(self, path: Path, said: Columns) -> Dataset:
        """The rows of a table."""
        return from_table(tables.read(path, said.sheet, said.encoding), said)

    def prepare(self, spec: Mapping[str, Any]) -> Prepare:
        """Widths and quantiles of each field, or means of columns of numbers, as fitted."""
        return NumbersPrepare.from_spec(spec) if MEANS in spec else RowPrepare.from_spec(spec)

    def pack(self, payload: Payload) -> Any:
        """The row itself."""
        return payload

    def unpack(self, packed: Any) -> Payload:
        """The row itself, if it is one."""
        if not isinstance(packed, dict):
            raise InvalidInput(f"a row is an object of fields, not {type(packed).__name__}")
        return packed

    def item(self, payload: Payload) -> Any:
        """The row itself."""
        return payload

    def payload(self, prepare: Prepare, item: Any) -> Payload:
        """The row, each value as its field reads it; one that does not fit is missing."""
        if isinstance(item, str):
            item = _of_text(prepare, item)
        row = item
        if isinstance(item, Mapping):
            for name, value in item.items():
                if isinstance(value, str) and len(value) > MAX_TEXT:
                    what = f"a text of {len(value):,} characters, at most {MAX_TEXT:,} are read"
                    raise InvalidInput(what, where=str(name)[:60])
            row = fitting(prepare.fields, item)
        prepare.check(row)
        return row

    def unfit(self, prepare: Prepare, item: Any, payload: Payload) -> list[str]:
        """Fields whose text is neither of their kind nor one that means "no value"."""
        given = item if isinstance(item, Mapping) else {}
        texts = [f for f in prepare.fields if isinstance(given.get(f.name), str)]
        lost = [f for f in texts if payload.get(f.name) is None]
        return [f.name for f in lost if f.value(given[f.name])]

    def schema(self, prepare: Prepare) -> dict[str, Any]:
        """An object of the fields; any of them may be missing.

        A number or a date may be a text as in a file where the field says how that is written.
        """
        properties: dict[str, Any] = {}
        for field in prepare.fields:
            types = [JSON_TYPES[field.kind], "null"]
            if field.kind == "number" and field.reading is not None:
                types.insert(1, "string")
            properties[field.name] = {"type": types, "title": field.kind}
            if field.kind == "date" and field.reading is None:
                properties[field.name]["anyOf"] = [{"format": "date"}, {"maxLength": 0}]
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def parts(self, prepare: Prepare, payload: Payload) -> RowParts:
        """Fields, and words of text fields."""
        if prepare.modality != self.name or not isinstance(payload, dict):
            raise InvalidInput("that is no row")
        return RowParts(prepare.fields, payload)

    def baseline(
        self, prepare: Prepare, train: Iterable[Payload], payloads: Iterable[Payload]
    ) -> Baseline:
        """Character n-grams of all fields together, weighted by TF-IDF."""
        return ngrams(map(_as_text, train), map(_as_text, payloads), of="all fields together")

    def outside(self, prepare: Prepare, payload: Payload) -> list[str]:
        """Numbers that are far beyond all that the preprocessing was fitted on."""
        return prepare.outside(payload) if isinstance(prepare, RowPrepare) else []

    def attributes(self, prepare: Prepare, item: Any) -> dict[str, Any]:
        """The values of a row."""
        return fitting(prepare.fields, item) if isinstance(item, Mapping) else {}

    def values(self, payload: Payload) -> dict[str, Any]:
        """Its values."""
        return dict(payload)


def _of_text(prepare: Prepare, text: str) -> dict[str, Any]:
    fields = prepare.fields
    if len(fields) == 1 and fields[0].kind == "text":
        return {fields[0].name: text}
    got = "a string"
    if text.lstrip().startswith("{"):
        try:
            msgspec.json.decode(text)
        except msgspec.DecodeError as e:
            got = f"a text that is not JSON: {e}"
    raise InvalidInput(
        f"expected an object of fields, got {got}",
        hint=f"fields: {', '.join(field.name for field in fields)}",
    )


def _as_text(row: Payload) -> str:
    """All values in one text; a number as it would be typed."""
    return " ".join(text for v in row.values() if (text := as_text(v)) is not None)


ROW = RowModality()
