"""Tables of labelled pairs, recognised by what their columns hold: two records and an answer.

Or three records, of which the second belongs to the first and the third does not: triplets.
"""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING

from gemel.data.proposals import labels
from gemel.data.schema import as_strings
from gemel.data.sources.formats import answers
from gemel.data.sources.pairs import PairColumns, are_pairs
from gemel.data.values.numbers import parse

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl

ANSWERS = {
    "same", "label", "match", "is_match", "ismatch", "matched", "duplicate", "is_duplicate",
    "isduplicate", "dup", "similar", "is_similar", "similarity", "similarity_score", "score",
    "relatedness", "relatedness_score", "paraphrase", "is_paraphrase", "quality", "target", "y",
    "gold", "gold_label", "grade", "equal", "gleich", "treffer", "verdict", "judgement", "judgment",
    "urteil", "jugement",
}  # fmt: skip
"""Names of columns that say whether two are the same."""
HIGHEST = 10
"""Grade above which a column holds no grades."""
MOSTLY = 0.99
"""Share of a column that are answers; the rest is refused when it is read."""
SAME_FROM = 0.8
"""Share of the highest grade from which on two are proposed to be the same: 4 of 5."""
POSITIVE, NEGATIVE = ("positive", "pos"), ("negative", "neg")
"""Names of columns of a triplet."""
MANY_WORDS = 5
"""More than these most names and addresses have not."""
RECORD_ID = "record_id"
"""Column of the id of a record that stood in a row with another one."""
_MARKS = (("1", "2"), ("a", "b"), ("left", "right"), ("first", "second"), ("l", "r"), ("x", "y"))


def pairs_of_records(frame: pl.DataFrame, *, asked: bool = False) -> PairColumns | None:
    """The columns of two records and of the answer in a table of pairs; None: it seems to be none.

    Two columns that differ in a mark (question1, question2), or the only two texts; and a column of
    answers (yes and no, 1 and 0, or grades) that is called like one, or is the only other. Beside
    columns that differ in a mark it may hold words that are not known, which reading then says, or
    one answer for all. An index (see `labels.index_of`) is none of them.

    Args:
        frame: the table.
        asked: somebody said that it is one of pairs; without an answer, all are the same.
    """
    frame = _indexed(frame)
    if are_pairs(frame.columns):
        lower = {c.strip().lower(): c for c in frame.columns}
        same = lower["same"]
        return PairColumns(lower["left"], lower["right"], same, grade_of(frame[same]))
    texts = [
        c for c in frame.columns if _is_text(frame[c]) and not _is_id(c) and not _words(frame[c])
    ]
    if triplets := _triplets(texts):
        return triplets
    marked = next(((a, b) for a, b in combinations(texts, 2) if _differ_in_a_mark(a, b)), None)
    ends = marked or (tuple(texts[:2]) if len(texts) == 2 or (asked and len(texts) > 2) else None)
    if ends is None:
        return None
    others = [c for c in frame.columns if c not in ends and not _is_id(c)]
    answer = _answer_among(frame.select(others), surely=asked or marked is not None)
    if answer is not None:
        return PairColumns(ends[0], ends[1], answer, grade_of(frame[answer]))
    return PairColumns(ends[0], ends[1], "same" if others else "") if asked else None


def may_be_pairs(frame: pl.DataFrame) -> tuple[str, str, list[str]] | None:
    """Two columns of sentences that differ in a mark, and those of few words that may be answers.

    None: there are no such. It is for a table of which `pairs_of_records` is not sure.
    """
    frame = _indexed(frame)
    words = [c for c in frame.columns if not _is_id(c) and len(_words(frame[c])) > 1]
    texts = [c for c in frame.columns if c not in words and _are_sentences(frame[c])]
    marked = next(((a, b) for a, b in combinations(texts, 2) if _differ_in_a_mark(a, b)), None)
    return (*marked, words) if marked and words else None


def _answer_among(others: pl.DataFrame, *, surely: bool) -> str | None:
    """The column of answers; None: none seems to be one.

    Args:
        others: columns beside those of the two records.
        surely: these two look like a pair whatever is beside them.
    """
    answered = [c for c in others.columns if _is_answer(others[c])]
    if called := [c for c in answered if c.strip().lower() in ANSWERS]:
        return called[0]
    if not surely:
        return None
    if others.width == len(answered) == 1:
        return answered[0]
    words = {c: found for c in others.columns if (found := _words(others[c]))}
    if called := [c for c in words if c.strip().lower() in ANSWERS]:
        return called[0]
    (only,) = words.items() if others.width == len(words) == 1 else [("", set[str]())]
    is_one = len(only[1]) == 2 or (len(only[1]) == 1 and answers.meaning(*only[1]) is not None)
    return only[0] if is_one else None


def sides_of_rows(frame: pl.DataFrame) -> tuple[dict[str, tuple[str, str]], str] | None:
    """The columns of two records in each row, by their name without a mark, and the answer.

    None: a row holds no two records of two columns or more.
    """
    columns, both = frame.columns, dict[str, tuple[str, str]]()
    for mark, other in _MARKS:
        named = {_without(c, mark): c for c in columns}
        there = {_without(c, other): c for c in columns}
        names = {n: n.replace("*", "").strip(" _.-") or "value" for n in named if n in there if n}
        found = {name: (named[n], there[n]) for n, name in names.items() if not _is_id(name)}
        both = found if len(found) > len(both) else both
    taken = {c for pair in both.values() for c in pair}
    called = [c for c in columns if c not in taken and c.strip().lower() in ANSWERS]
    said = [c for c in called if _is_answer(frame[c]) and grade_of(frame[c]) is None]
    if len(both) < 2 or not said:
        return None
    return both, said[0]


def unfolded(
    frame: pl.DataFrame, sides: dict[str, tuple[str, str]], answer: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two records in each row as a table of records with ids, and one of pairs of ids.

    Args:
        frame: rows with both records.
        sides: as `sides_of_rows` finds them.
        answer: whether the two are the same.
    """
    import polars as pl

    of = [
        frame.select(as_strings(frame[pair[side]]).alias(name) for name, pair in sides.items())
        for side in (0, 1)
    ]
    records = pl.concat(of).unique(maintain_order=True).with_row_index(RECORD_ID, 1)
    ids = [
        one.join(records, on=[*sides], how="left", nulls_equal=True, maintain_order="left")
        for one in of
    ]
    pairs = pl.DataFrame(
        {"left": ids[0][RECORD_ID], "right": ids[1][RECORD_ID], "same": frame[answer]}
    )
    return records, pairs


def pairs_of_ids(
    frame: pl.DataFrame, left: Collection[str], right: Collection[str]
) -> PairColumns | None:
    """The columns of a file of pairs that hold ids of the left, ids of the right, and the answer.

    Args:
        frame: the file of pairs.
        left: ids of the records that a pair names first.
        right: ids of those that it names second.
    """
    frame = _indexed(frame)
    if are_pairs(frame.columns):
        return pairs_of_records(frame)
    ids = [set(left), set(right)]
    share = {
        (c, side): len(ids[side].intersection(as_strings(frame[c]).to_list()))
        / max(1, frame[c].n_unique())
        for c in frame.columns
        for side in (0, 1)
    }
    pairs = [(a, b) for a in frame.columns for b in frame.columns if a != b]
    if not pairs:
        return None
    one, two = max(pairs, key=lambda p: share[p[0], 0] + share[p[1], 1])
    if min(share[one, 0], share[two, 1]) < 0.5:
        return None
    free = [c for c in frame.columns if c not in (one, two)]
    others = [c for c in free if _is_answer(frame[c])]
    called = [
        c for c in free if c.strip().lower() in ANSWERS and (c in others or _words(frame[c]))
    ] or others
    same = called[0] if called else ""
    return PairColumns(one, two, same, grade_of(frame[same]) if same else None)


def grade_of(said: pl.Series) -> float | None:
    """From which grade on two are the same, as a proposal; None where answers are no grades."""
    present = _answered(said)
    if all(answers.meaning(text) is not None for text in present.unique().to_list()):
        return None
    grades = parse(present, ".")
    highest = float(grades.to_numpy().max())
    if grades.null_count() or not 0 < highest <= HIGHEST:
        return None
    return round(SAME_FROM * highest, 3)


def _indexed(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns without an index."""
    index = labels.index_of(frame)
    return frame if index is None else frame.drop(index)


def _triplets(texts: list[str]) -> PairColumns | None:
    """The columns of triplets; None: there are none."""
    lower = {c.strip().lower(): c for c in texts}
    positive, negative = (
        next((lower[n] for n in names if n in lower), None) for names in (POSITIVE, NEGATIVE)
    )
    anchors = [c for c in texts if c not in (positive, negative)]
    if positive is None or negative is None or len(anchors) != 1:
        return None
    return PairColumns(anchors[0], positive, "", negative=negative)


def _is_answer(values: pl.Series) -> bool:
    """Whether a column holds two answers, but for a few rows, or grades."""
    present = _answered(values)
    if present.n_unique() < 2:
        return False
    counts = present.value_counts().iter_rows()
    known = {text: n for text, n in counts if answers.meaning(text) is not None}
    if 2 <= len(known) <= 4 and sum(known.values()) >= MOSTLY * len(present):
        return True
    return grade_of(values) is not None


def _answered(values: pl.Series) -> pl.Series:
    """The answers of a column, without the words of those who do not know."""
    present = as_strings(values).drop_nulls()
    return present.filter(~present.is_in([w for w in present.unique() if answers.is_open(w)]))


def _words(values: pl.Series) -> set[str]:
    """The few words that a column holds, which may be answers; empty where it holds more.

    Spellings of one word are one.
    """
    present = as_strings(values).drop_nulls()
    found = {answers.plain(text) for text in present.unique().to_list()}
    if len(found) > answers.MOST_WORDS:
        return set()
    known = all(answers.meaning(text) is not None for text in found)
    again = len(found) < len(present) and not any(c.isdigit() for text in found for c in text)
    return found if known or again else set()


def _is_text(values: pl.Series) -> bool:
    """Whether a column holds texts that are no answers and no numbers."""
    present = as_strings(values).drop_nulls()
    return bool(len(present)) and not _is_answer(values) and parse(present, ".").null_count() > 0


def _are_sentences(values: pl.Series) -> bool:
    """Whether half of the texts of a column have more words than names and addresses have."""
    return float(as_strings(values).str.count_matches(r"\S+").median() or 0) > MANY_WORDS  # type: ignore[arg-type]


def _is_id(column: str) -> bool:
    return (
        re.fullmatch(r"(.*_)?q?(id|uid|key|index)s?_?[12ab]?", column.strip().lower()) is not None
    )


def _differ_in_a_mark(a: str, b: str) -> bool:
    """Whether two names are one but for a mark, such as question1 and question2."""
    return any(None is not _without(a, m) == _without(b, n) for m, n in _MARKS)


def _without(column: str, mark: str) -> str | None:
    """A name with a star for a mark, which stands apart or behind letters; None if it has none."""
    name, n = re.subn(
        rf"(?<![a-z0-9]){mark}(?![a-z0-9])|(?<=[a-z]){mark}$"
        if mark.isdigit() or len(mark) == 1
        else rf"(?<![a-z]){mark}(?![a-z])|^{mark}|{mark}$",
        "*",
        column.strip().lower(),
        count=1,
    )
    return name if n else None
