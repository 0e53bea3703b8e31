"""Keys of rows: what is left of a field's value when small differences are taken away.

Each way of taking a key says what it forgives. Rows that share a key are candidates; a key is a
64-bit hash, so two keys may collide, which proposes a pair too many and misses none. What a key is
good for is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gemel.arrays import Int64
from gemel.data.schema import Field, Kind
from gemel.data.wordbags import UInt64, distinct, mixed, normalised

if TYPE_CHECKING:
    import polars as pl

START = 3
"""Letters of a beginning."""
FEW = 3
"""Fields up to which keys of edits are taken."""
LEAST_LETTERS = 4
MAX_LETTERS = 16
"""Letters that edits are looked for among."""
NONE = np.uint64(0)
MAX_WORDS = 32
"""Words of a value that are keys of their own, the longest first."""


class Part(NamedTuple):
    """A key of one field: the field, and how its value is read."""

    field: str
    how: str

    def __str__(self) -> str:
        """As people read it."""
        return self.field if self.how == "value" else f"{self.how} of {self.field}"


class Keys(NamedTuple):
    """Keys of rows; a row may have several, or none where its value is missing.

    Attributes:
        row: (m,) int64, ascending.
        key: (m,) uint64.
        single: whether no row has more than one.
    """

    row: Int64
    key: UInt64
    single: bool = False


def _value(text: str) -> list[str]:
    return [text]


def _start(text: str) -> list[str]:
    return [_letters(text)[:START]]


def _sound(text: str) -> list[str]:
    """The first letter and the consonants, those that are taken for each other as one."""
    letters = _letters(text)
    rest = letters[1:].translate(_ALIKE)
    return [letters[:1] + _REPEATED.sub(r"\1", rest)]


def _sorted(text: str) -> list[str]:
    """Its characters, sorted: the same whatever changed places."""
    return ["".join(sorted(_letters(text)))]


def _less(text: str) -> list[str]:
    """It, and it with any one letter left out: one is shared where an edit makes one of another."""
    letters = _letters(text)[:MAX_LETTERS]
    if len(letters) < LEAST_LETTERS:
        return [letters]
    return [letters, *{letters[:i] + letters[i + 1 :] for i in range(len(letters))}]


def _words(text: str) -> list[str]:
    words = {w for w in _WORD.findall(text) if len(w) > 1}
    return sorted(words, key=lambda w: (-len(w), w))[:MAX_WORDS]


def _year(text: str) -> list[str]:
    return [text[:4]]


def _day(text: str) -> list[str]:
    return [text[5:]]


HOWS: dict[str, Callable[[str], list[str]]] = {
    "value": _value,
    "start": _start,
    "sound": _sound,
    "letters": _sorted,
    "words": _words,
    "edits": _less,
    "year": _year,
    "day": _day,
}
"""Keys of a value that is there, by the name of the way; empty ones are none."""

OF_KIND: dict[Kind, tuple[str, ...]] = {
    "text": ("value", "start", "sound", "letters", "words"),
    "category": ("value",),
    "number": ("value", "letters"),
    "date": ("value", "year", "day", "letters"),
}


def parts(fields: Sequence[Field]) -> list[Part]:
    """Ways to take a key of these fields; where there are few, keys that forgive an edit as well.

    Of many fields some have no error; rows have many more keys of edits than of anything else.
    """
    found = [Part(f.name, how) for f in fields for how in OF_KIND[f.kind]]
    return found + [
        Part(f.name, "edits") for f in fields if f.kind == "text" and len(fields) <= FEW
    ]


@dataclass(eq=False)
class Rows:
    """Rows whose keys are taken when they are asked for, each once.

    Args:
        frame: the fields; of two data sets, one below the other.
    """

    frame: pl.DataFrame
    _codes: dict[str, tuple[Int64, list[str]]] = field(default_factory=dict)
    _keys: dict[Part, Keys] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.frame.height

    def keys(self, part: Part) -> Keys:
        """The keys of a part."""
        if part not in self._keys:
            self._keys[part] = self._taken(part)
        return self._keys[part]

    def together(self, wanted: Sequence[Part]) -> Keys:
        """Keys of several parts at once: two rows share one if they share one of each part."""
        found = self.keys(wanted[0])
        for part in wanted[1:]:
            found = _joined(found, self.keys(part), len(self))
        return found

    def whole(self) -> Keys:
        """A key of each row that it shares with those that have the same value in each field."""
        total, there = np.zeros(len(self), np.uint64), np.zeros(len(self), np.bool_)
        for name in self.frame.columns:
            keys, own = self.keys(Part(name, "value")), np.zeros(len(self), np.uint64)
            own[keys.row] = keys.key
            there[keys.row] = True
            total = mixed(total ^ own)
        return Keys(np.flatnonzero(there), total[there], True)

    def take(self, idx: Int64) -> Rows:
        """Some of the rows."""
        return Rows(self.frame[idx])

    def _taken(self, part: Part) -> Keys:
        if part.field not in self._codes:
            code, values = distinct(self.frame[part.field])
            self._codes[part.field] = code, [normalised(v) for v in values]
        code, values = self._codes[part.field]
        lists = [[k for k in HOWS[part.how](v) if k] for v in values]
        size = np.array([*map(len, lists), 0], np.int64)
        key = _hashed([k for keys in lists for k in keys], str(part))
        start, each = (np.cumsum(size) - size)[code], size[code]
        row = np.repeat(np.arange(len(code)), each)
        within = np.arange(len(row)) - np.repeat(np.cumsum(each) - each, each)
        return Keys(row, key[start[row] + within], bool(size.max() <= 1))


def _joined(a: Keys, b: Keys, n_rows: int) -> Keys:
    """Every key of a row in `a` with every key it has in `b`."""
    if b.single:
        own = np.zeros(n_rows, np.uint64)
        own[b.row] = b.key
        other = own[a.row]
        both = other != NONE
        if both.all():
            return Keys(a.row, mixed(a.key) ^ other, a.single)
        return Keys(a.row[both], mixed(a.key[both]) ^ other[both], a.single)
    size = np.bincount(b.row, minlength=n_rows)
    start, each = (np.cumsum(size) - size)[a.row], size[a.row]
    at = np.repeat(np.arange(len(a.row)), each)
    within = np.arange(len(at)) - np.repeat(np.cumsum(each) - each, each)
    return Keys(a.row[at], mixed(a.key[at]) ^ b.key[start[at] + within], False)


def _hashed(texts: list[str], salt: str) -> UInt64:
    """A hash of each text; the same text has another one under another salt."""
    import polars as pl

    hashes = pl.Series(texts, dtype=pl.String).hash(seed=0).to_numpy()
    return mixed(hashes + np.uint64(pl.Series([salt]).hash(seed=1)[0]))


_WORD = re.compile(r"\w+")
_NOT_LETTERS = re.compile(r"[\W_]+")
_REPEATED = re.compile(r"(.)\1+")
_ALIKE = str.maketrans("ckqgjzßdpvw", "kkkkjsstbff", "aeiouyhäöüáàâãåéèêëíìîïóòôõúùû")


def _letters(text: str) -> str:
    return _NOT_LETTERS.sub("", text)
