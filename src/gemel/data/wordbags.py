"""Rows as bags of words: which rows are the same, and which nearly so, without comparing all pairs.

Each word has a 64-bit hash, and a row is the sum of the hashes of its words. Rows that share a sum,
or a sum with one word taken away, differ in at most one word; sorting the sums finds them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float64, Int64
from gemel.data.schema import Field
from gemel.data.values import accents

if TYPE_CHECKING:
    import polars as pl

UInt64 = NDArray[np.uint64]

_WORD = re.compile(r"\w+")
_SURPRISE_BITS = 10.0
_SMALL_GROUP = 30
_NO_WORD = -1


@dataclass(frozen=True)
class Bags:
    """The words of n rows, flattened.

    Attributes:
        row: (m,) int64, ascending: the row of each word.
        word: (m,) int64: codes into `words`.
        words: the text of each code; numbers and dates carry the name of their field.
        n_rows: n.
    """

    row: Int64
    word: Int64
    words: list[str]
    n_rows: int


def normalised(value: str) -> str:
    r"""A text without differences of width, case and spacing.

    Example:
        >>> normalised("  ＭÜLLER\tHans ")
        'müller hans'
    """
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def record_keys(frame: pl.DataFrame, fields: Sequence[Field]) -> UInt64:
    """(n,) keys that are equal where all values of two rows are, after `normalised`."""
    total = np.zeros(frame.height, dtype=np.uint64)
    for i, f in enumerate(fields):
        code, values = distinct(frame[f.name])
        seen: dict[str, int] = {}
        same = [seen.setdefault(normalised(v), len(seen) + 1) for v in values]
        table = np.array([*same, 0], dtype=np.uint64)
        total += mixed(table[code] + np.uint64((i + 1) << 40))
    return total


def bags(frame: pl.DataFrame, fields: Sequence[Field]) -> Bags:
    """The words of each row: letters without accents for text, the whole value otherwise."""
    vocabulary: dict[str, int] = {}
    rows, words = [], []
    for f in fields:
        code, values = distinct(frame[f.name])
        lists = [[vocabulary.setdefault(w, len(vocabulary)) for w in _words(v, f)] for v in values]
        sizes = np.array([*map(len, lists), 0], dtype=np.int64)
        flat = np.array([w for words_ in lists for w in words_], dtype=np.int64)
        starts = np.cumsum(sizes) - sizes
        per_row = sizes[code]
        row = np.repeat(np.arange(frame.height), per_row)
        within = np.arange(len(row)) - np.repeat(np.cumsum(per_row) - per_row, per_row)
        rows.append(row)
        words.append(flat[starts[code][row] + within])
    row, word = np.concatenate(rows), np.concatenate(words)
    order = np.argsort(row, kind="stable")
    return Bags(row[order], word[order], list(vocabulary), frame.height)


def near(found: Bags, side: Int64) -> Int64:
    """Pairs of rows on different sides that are the same but for one word.

    A pair counts if one row lacks a word of the other or spells it with one letter changed (two,
    from eight letters on), or if only the order of words differs; a word with a digit never
    differs. And what the two share must be more than chance explains: the words' frequencies, taken
    as independent, must make such a pair a thousand times rarer than one in all pairs of rows on
    different sides. So two people with common names and one birth date are not near, and two copies
    of one description are.

    Args:
        found: words of n rows.
        side: (n,) int64; rows with -1 are left out.
    Returns:
        (m, 2) int64: a row and its near row on an earlier side; at most one pair for each row.
    """
    keys, rows, dropped, bits = _keys(found)
    counts = np.bincount(side[side >= 0]).astype(np.float64)
    n_pairs = (counts.sum() ** 2 - (counts**2).sum()) / 2
    kept = (bits >= np.log2(max(n_pairs, 1.0)) + _SURPRISE_BITS) & (side[rows] >= 0)
    keys, rows, dropped = keys[kept], rows[kept], dropped[kept]
    order = np.lexsort((rows, side[rows], keys))
    keys, rows, dropped = keys[order], rows[order], dropped[order]
    edges = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1], True])
    several = np.flatnonzero(np.diff(edges) > 1)
    mixed = several[side[rows[edges[several]]] != side[rows[edges[several + 1] - 1]]]
    pairs: dict[int, int] = {}
    for start, end in zip(edges[mixed].tolist(), edges[mixed + 1].tolist(), strict=True):
        _match_group(
            found.words, side, rows[start:end].tolist(), dropped[start:end].tolist(), pairs
        )
    return np.array(sorted(pairs.items()), dtype=np.int64).reshape(-1, 2)


def _match_group(
    words: list[str], side: Int64, rows: list[int], dropped: list[int], pairs: dict[int, int]
) -> None:
    """Add the near pairs among rows that share a key, in ascending order of side."""
    anchors = range(len(rows)) if len(rows) <= _SMALL_GROUP else range(1)
    for later in range(1, len(rows)):
        for earlier in anchors:
            if rows[later] in pairs or side[rows[earlier]] >= side[rows[later]]:
                break
            if _alike(words, dropped[earlier], dropped[later]):
                pairs[rows[later]] = rows[earlier]


def _keys(found: Bags) -> tuple[UInt64, Int64, Int64, Float64]:
    """Sum of each row, and with each word taken away: key, row, word taken away, bits left."""
    frequency = np.bincount(
        np.unique(np.stack([found.row, found.word]), axis=1)[1], minlength=len(found.words)
    )
    bits_of = np.log2(found.n_rows / np.maximum(frequency, 1))
    hashes = mixed(np.arange(len(found.words), dtype=np.uint64))[found.word]
    present, starts = np.unique(found.row, return_index=True)
    sums = np.zeros(found.n_rows, dtype=np.uint64)
    if len(present):
        sums[present] = np.add.reduceat(hashes, starts)
    bits = np.bincount(found.row, weights=bits_of[found.word], minlength=found.n_rows)
    every = np.arange(found.n_rows)
    return (
        np.concatenate([sums, sums[found.row] - hashes]),
        np.concatenate([every, found.row]),
        np.concatenate([np.full(found.n_rows, _NO_WORD), found.word]),
        np.concatenate([bits, bits[found.row] - bits_of[found.word]]),
    )


def _alike(words: list[str], a: int, b: int) -> bool:
    left, right = (words[w] if w != _NO_WORD else "" for w in (a, b))
    if any(c.isdigit() for c in left + right):
        return False
    if not left or not right or left == right:
        return True
    return edit_distance(left, right) <= (2 if min(len(left), len(right)) >= 8 else 1)


def edit_distance(a: str, b: str) -> int:
    """Letters to insert, delete, replace or swap with a neighbour to make one text of the other.

    Source: Boytsov 2011, Indexing methods for approximate dictionary searching (optimal string
    alignment).

    Example:
        >>> edit_distance("meier", "maier"), edit_distance("hans", "hasn")
        (1, 1)
    """
    before, last = list[int](), list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def _words(value: str, field: Field) -> list[str]:
    if field.kind in ("number", "date"):
        return [f"{field.name} {value}"]
    return _WORD.findall(accents.without(normalised(value)))


def distinct(column: pl.Series) -> tuple[Int64, list[str]]:
    """Code of each value and the distinct values as text; -1 (the last place) if missing."""
    import polars as pl

    column = column.cast(pl.String)
    values = column.drop_nulls().unique(maintain_order=True)
    code = column.replace_strict(
        values, pl.arange(len(values), eager=True), default=-1, return_dtype=pl.Int64
    )
    return code.to_numpy(), values.to_list()


def mixed(values: NDArray[Any]) -> UInt64:
    """Well-spread 64-bit hashes of integers (splitmix64)."""
    x = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    out: UInt64 = x ^ (x >> np.uint64(31))
    return out
