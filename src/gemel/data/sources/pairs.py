"""Labelled pairs as tables hold them: two records, and whether they are the same.

Answers are words, or grades that are cut; a triplet is two pairs. What they make of records is
`labelled.chains`' business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gemel.arrays import Bool, Float64, Int64
from gemel.data.dataset import BadRecord
from gemel.data.schema import as_strings
from gemel.data.sources.formats import answers
from gemel.data.sources.formats.table import Table
from gemel.data.values import numbers
from gemel.errors import DataError, quoted

COLUMNS = ("left", "right", "same")
_SAID = "\0said"
"""Column of the answers of triplets, which have none."""


@dataclass(frozen=True)
class PairColumns:
    """The columns of a file of pairs.

    Attributes:
        left, right: of the two records.
        same: whether they are the same (1 or 0, yes or no...); empty: all are.
        same_from: `same` holds grades, and from this one on they are.
        same_is: what stands in `same` where they are, and nowhere else; empty: words that are
            known (`answers`).
        negative: of a third record, which is not the same as the first, where the second is: a
            file of triplets; `same` is not looked at.
    """

    left: str = "left"
    right: str = "right"
    same: str = "same"
    same_from: float | None = None
    negative: str | None = None
    same_is: tuple[str, ...] = ()

    def is_same(self, answer: str) -> bool | None:
        """What an answer says; None where it says nothing that is known."""
        if self.same_from is None:
            if self.same_is:
                return answers.plain(answer) in map(answers.plain, self.same_is)
            return answers.meaning(answer)
        grade = self.grade(answer)
        return None if grade is None else grade >= self.same_from

    def grade(self, answer: str) -> float | None:
        """The number of an answer that is a grade; None if it is none."""
        return numbers.one(answer.replace(",", "."), ".")


@dataclass(frozen=True)
class Pairs:
    """Labelled comparisons between named records.

    Attributes:
        left, right: names of the two records of each pair.
        same: whether they belong together.
        rows: (n,) int64, where each pair stands in its file.
        file: for messages.
        bad: refused pairs.
        n_read: all pairs, refused ones included.
        grade: (n,) float64 in [0, 1], where answers are grades: the highest is 1.
        same_from: that from which on two are the same, in the same units.
        named: columns of the file, for messages.
        words: how many pairs each answer was said of, where `same_is` tells them apart.
        left_open: how many pairs each word was said of that answers nothing; they are left out.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    same: Bool
    rows: Int64
    file: str
    bad: tuple[BadRecord, ...]
    n_read: int
    grade: Float64 | None = None
    same_from: float = 1.0
    named: PairColumns = PairColumns()
    words: Mapping[str, int] = field(default_factory=dict)
    left_open: Mapping[str, int] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Every record that a pair names, in order of first appearance."""
        return list(
            dict.fromkeys(n for pair in zip(self.left, self.right, strict=True) for n in pair)
        )

    def counts(self) -> list[str]:
        """How many pairs are left open, and what each word counts for where `same_is` says it."""
        column, told = f"{self.file}: column {self.named.same!r}", list[str]()
        if self.left_open:
            words = ", ".join(f"{quoted(word)} {n:,}" for word, n in self.left_open.items())
            told.append(f"{column} says nothing of some pairs, which are left out: {words}")
        if self.words:
            said = answers.tally(self.words, lambda word: bool(self.named.is_same(word)))
            told.append(f"{column} says {said}")
        return told

    def renamed(self, rename: Callable[[str], str]) -> Pairs:
        """The same pairs of records under other names."""
        left, right = (tuple(map(rename, side)) for side in (self.left, self.right))
        return replace(self, left=left, right=right)


def parse(table: Table, named: PairColumns | None = None) -> Pairs:
    """The pairs of a table.

    Args:
        table: of pairs.
        named: its columns; None: left, right and same.
    Raises:
        DataError: a column is missing, or holds words that are not known.
    """
    named = named or PairColumns()
    if named.negative is not None:
        return _triplets(table, named, named.negative)
    there = {c.strip().lower(): c for c in reversed(table.frame.columns)}
    wanted = [n for n in (named.left, named.right, named.same) if n]
    missing = [c for c in wanted if c.strip().lower() not in there]
    if missing:
        hint = (
            f"it has {', '.join(table.frame.columns)}; name those of both records and of the "
            "answer in data.left, data.right and data.same (empty: all are the same)"
        )
        raise DataError(f"no column {missing[0]!r}", where=table.file, hint=hint)
    columns = [as_strings(table.frame[there[c.strip().lower()]]).to_list() for c in wanted]
    if not named.same:
        columns.append(["1"] * table.frame.height)
        named = replace(named, same_from=None, same_is=())
    if named.same_from is None:
        answers.check(columns[2], named.same, named.same_is, table.file)
    bad = list(table.bad)
    kept: list[tuple[str, str, bool, int]] = []
    grades: list[float] = []
    said, left_open = list[str](), list[str]()
    for left, right, answer, row in zip(*columns, table.rows.tolist(), strict=True):
        if answer is not None and answers.is_open(answer, named.same_is):
            left_open.append(answer)
            continue
        fault = _fault(left, right, answer, named)
        if fault is None:
            kept.append((left, right, bool(named.is_same(answer)), row))
            said.append(answer)
            if named.same_from is not None and (grade := named.grade(answer)) is not None:
                grades.append(grade)
        else:
            bad.append(BadRecord(table.file, row, *fault))
    scaled, same_from = _scaled(grades, named.same_from)
    return Pairs(
        left=tuple(k[0] for k in kept),
        right=tuple(k[1] for k in kept),
        same=np.array([k[2] for k in kept], dtype=np.bool_),
        rows=np.array([k[3] for k in kept], dtype=np.int64),
        file=table.file,
        bad=table.placed(bad),
        n_read=table.n_read,
        grade=scaled,
        same_from=same_from,
        named=named,
        words=answers.counted(said) if named.same_is else {},
        left_open=answers.counted(left_open),
    )


def _scaled(grades: list[float], same_from: float | None) -> tuple[Float64 | None, float]:
    """Grades, and that from which on two are the same, brought to [0, 1]."""
    if same_from is None or not grades:
        return None, 1.0
    values = np.array(grades, np.float64)
    lowest, highest = min(0.0, values.min()), max(values.max(), same_from)
    wide = max(highest - lowest, 1e-12)
    return (values - lowest) / wide, (same_from - lowest) / wide


def _triplets(table: Table, named: PairColumns, negative: str) -> Pairs:
    """Each anchor with what belongs to it and with what does not; no other pair is said to be any.

    Raises:
        DataError: a column is missing.
    """
    import polars as pl

    wide = table.frame
    halves = [
        replace(table, frame=wide.with_columns(pl.lit(answer).alias(_SAID)), bad=bad, n_read=n)
        for answer, bad, n in (("1", table.bad, table.n_read), ("0", (), 0))
    ]
    one, two = (
        parse(
            half, replace(named, right=right, same=_SAID, same_from=None, negative=None, same_is=())
        )
        for half, right in zip(halves, (named.right, negative), strict=True)
    )
    return replace(
        one,
        left=one.left + two.left,
        right=one.right + two.right,
        same=np.concatenate([one.same, two.same]),
        rows=np.concatenate([one.rows, two.rows]),
        bad=one.bad + two.bad,
        named=replace(named, same=negative),
    )


def are_pairs(columns: Sequence[str]) -> bool:
    """Whether a table has the columns of labelled pairs and no other, in whatever case."""
    return sorted(c.strip().lower() for c in columns) == sorted(COLUMNS)


def _fault(
    left: str | None, right: str | None, answer: str | None, named: PairColumns
) -> tuple[str, str] | None:
    for column, value in ((named.left, left), (named.right, right), (named.same, answer)):
        if value is None or not value.strip():
            return column, "missing value"
    if answer is None or named.is_same(answer) is not None:
        return None
    expected = "a grade" if named.same_from is not None else answers.IN_WORDS
    return named.same, f"expected {expected}, not {quoted(answer)}{_grade(answer)}"


def _grade(same: str) -> str:
    """What to do where the answer is a grade."""
    is_grade = re.fullmatch(r"\s*\d+([.,]\d+)?\s*", same) is not None
    return "; of grades, data.same_from says from which on two are the same" if is_grade else ""
