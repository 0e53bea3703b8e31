"""Two records side by side: field by field, and in each text what the other has otherwise.

What is compared stands first; people judge by all columns of their files, so the others follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from gemel.data.dataset import Dataset
from gemel.data.schema import as_strings, as_text
from gemel.encode import modality
from gemel.improve.labels.questions import Question

if TYPE_CHECKING:
    import polars as pl

Piece = tuple[str, bool]
"""A run of characters, and whether the other side lacks it."""


@dataclass(frozen=True)
class Line:
    """A field of two records.

    Attributes:
        name: of the field; empty for the ids.
        left: of the first record, in runs.
        right: of the second.
        differs: both have a value, and not the same one.
        lacks: one of them has none.
        is_compared: the release sees it; else only people do.
    """

    name: str
    left: tuple[Piece, ...]
    right: tuple[Piece, ...]
    differs: bool
    lacks: bool
    is_compared: bool = True


class Beside:
    """The records that questions are about.

    Args:
        dataset: the left ones.
        other: the right ones; the same where there is one data set.
    """

    def __init__(self, dataset: Dataset, other: Dataset) -> None:
        self._both = (dataset, other)
        self._kind = modality.named(dataset.modality)
        self._place = [{n: i for i, n in enumerate(one.ids.tolist())} for one in self._both]

    def lines(self, question: Question) -> list[Line]:
        """The ids, then what people read of both records."""
        names = [((name, False),) for name in question.pair]
        head = Line("", names[0], names[1], False, False)
        return [head, *lines(*self._values(question)), *unseen(*self._unused(question))]

    def pictures(self, question: Question, size: int) -> list[bytes | None]:
        """A PNG file of either record, if it has a picture."""
        return [self._kind.thumbnail(payload, size) for payload in self._sides(question)]

    def sounds(self, question: Question) -> list[bytes | None]:
        """A WAV file of either record, if it can be heard."""
        return [self._kind.sound(payload) for payload in self._sides(question)]

    def _values(self, question: Question) -> list[dict[str, Any]]:
        return [self._kind.values(payload) for payload in self._sides(question)]

    def _unused(self, question: Question) -> list[dict[str, str]]:
        sides = zip(question.pair, self._both, self._place, strict=True)
        return [_of_columns(one, place[name]) for name, one, place in sides]

    def _sides(self, question: Question) -> list[Any]:
        sides = zip(question.pair, self._both, self._place, strict=True)
        return [one.payloads([place[name]])[0] for name, one, place in sides]


def lines(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Line]:
    """Two records, field by field, in the order of the first; without fields that both lack.

    Example:
        >>> lines({"town": "Bern"}, {"town": "Berg"})[0].left
        (('Ber', False), ('n', True))
    """
    found = []
    for name in dict.fromkeys([*left, *right]):
        one, two = (as_text(side.get(name)) or "" for side in (left, right))
        differs = one.casefold() != two.casefold()
        both = bool(one and two)
        if not one and not two:
            continue
        found.append(Line(name, *_pieces(one, two), differs and both, differs and not both))
    return found


def unseen(left: Mapping[str, str], right: Mapping[str, str]) -> list[Line]:
    """Columns that are not compared, without those that say nothing of either record.

    One that only one file has differs from nothing.

    Example:
        >>> [(x.name, x.differs) for x in unseen({"zip": "1", "fax": ""}, {"nr": "2", "fax": ""})]
        [('zip', False), ('nr', False)]
    """
    found = []
    for line in lines(left, right):
        if any(text for text, _ in (*line.left, *line.right)):
            both = line.name in left and line.name in right
            marks = (both and line.differs, both and line.lacks)
            found.append(Line(line.name, line.left, line.right, *marks, is_compared=False))
    return found


def _of_columns(dataset: Dataset, at: int) -> dict[str, str]:
    """What stands in the columns of a record that are not compared."""
    if dataset.written is None:
        return {}
    row = dataset.written[[at]]
    return {c: (as_strings(row[c])[0] or "").strip() for c in dataset.unused if _is_plain(row[c])}


def _is_plain(values: pl.Series) -> bool:
    return not values.dtype.is_nested()


def _pieces(one: str, two: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    if not one or not two or one.casefold() == two.casefold():
        return ((one, False),), ((two, False),)
    left, right = [], []
    for kind, a, b, c, d in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        left.append((one[a:b], kind != "equal"))
        right.append((two[c:d], kind != "equal"))
    return tuple(p for p in left if p[0]), tuple(p for p in right if p[0])
