"""What a row is made of: fields, and the words of a text field."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from gemel.data.schema import Field
from gemel.encode.modality import Payload
from gemel.encode.parts import Cut
from gemel.encode.row.prepare import Row, folded

MAX_FIELDS = 32
"""Fields that are taken away one by one; more are first taken away in groups."""
MAX_WORDS = 12
"""Different words of a field that are taken away one by one; more go in runs of words."""
MAX_TEXT = 2048
"""Characters of a field in which words are looked for, far more than are encoded."""


class RowParts:
    """Fields of a row, and words of a text field; taken away, they are missing.

    Args:
        fields: that there are.
        payload: the row.
    """

    def __init__(self, fields: Sequence[Field], payload: dict[str, Any]) -> None:
        self.payload: Payload = payload
        self._row: Row = payload
        self._names = [f.name for f in fields]
        self._texts = {f.name for f in fields if f.kind == "text"}

    def coarse(self) -> list[Cut]:
        """Each field that has a value; neighbouring fields together if there are very many."""
        return self._fields(_groups(self._names, MAX_FIELDS))

    def finer(self, cut: Cut) -> list[Cut]:
        """The fields of a group, the words of a text field."""
        if len(cut.key) == 1:
            return self._words(cut.key[0]) if cut.key[0] in self._texts else []
        return self._fields([[name] for name in cut.key])

    def borrowed(self, cut: Cut, other: Payload) -> Payload | None:
        """The row with a field's value taken from the other row, if that has another one."""
        if not isinstance(other, dict):
            return None
        values = {name: other.get(name) for name in cut.key}
        there = any(value not in (None, "") for value in values.values())
        if not there or all(_same(self._row.get(name), v) for name, v in values.items()):
            return None
        return {**self._row, **values}

    def nothing(self) -> Payload:
        """A row without any value."""
        return {}

    def _fields(self, groups: Sequence[Sequence[str]]) -> list[Cut]:
        cuts = []
        for names in groups:
            if any(self._row.get(name) not in (None, "") for name in names):
                rest = {k: v for k, v in self._row.items() if k not in names}
                cuts.append(Cut(", ".join(names), rest, tuple(names)))
        return cuts

    def _words(self, field: str) -> list[Cut]:
        words = (self._row.get(field) or "")[:MAX_TEXT].split()
        kinds = [folded(word) for word in words]
        different = list(dict.fromkeys(kinds))
        if len(different) < 2:
            return []
        if len(different) <= MAX_WORDS:
            runs = [[i for i, k in enumerate(kinds) if k == kind] for kind in different]
            names = different
        else:
            runs = _groups(range(len(words)), MAX_WORDS)
            names = [" ".join(kinds[i] for i in run) for run in runs]
        cuts: dict[str, Cut] = {}
        for name, run in zip(names, runs, strict=True):
            rest = " ".join(word for i, word in enumerate(words) if i not in run)
            row = {**self._row, field: rest or None}
            cuts.setdefault(name, Cut(f"{field}: {name}", row, ()))
        return list(cuts.values())


def _same(one: Any, other: Any) -> bool:
    """Whether two values of a field are prepared alike."""
    if isinstance(one, str) and isinstance(other, str):
        return folded(one) == folded(other)
    return bool(one == other)


def _groups(items: Sequence[Any], n: int) -> list[list[Any]]:
    """At most n runs of neighbouring items, about equally long."""
    n = max(1, min(n, len(items)))
    edge = [len(items) * i // n for i in range(n + 1)]
    return [list(items[start:stop]) for start, stop in pairwise(edge)]
