"""A table of pairs is told from a table of records by what its columns hold."""

import polars as pl
import pytest

from gemel.data.proposals.given import pairs_of_ids, pairs_of_records
from gemel.data.sources.pairs import PairColumns

TEXT = [f"how does one do thing number {i}" for i in range(40)]
YES = ["1", "0"] * 20


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            {"id": [str(i) for i in range(40)], "qid1": YES, "qid2": YES, "question1": TEXT,
             "question2": TEXT[::-1], "is_duplicate": YES},
            PairColumns("question1", "question2", "is_duplicate"),
        ),
        (
            {"sentence_a": TEXT, "sentence_b": TEXT, "gold": ["yes", "no"] * 20},
            PairColumns("sentence_a", "sentence_b", "gold"),
        ),
        (
            {"kind": ["news"] * 40, "s1": TEXT, "s2": TEXT, "score": ["0", "3.5", "5.0", "2"] * 10},
            PairColumns("s1", "s2", "score", 4.0),
        ),
        ({"ask": TEXT, "title": TEXT, "label": ["same", "different"] * 20},
         PairColumns("ask", "title", "label")),
        ({"Left": TEXT, "Right": TEXT, "SAME": YES}, PairColumns("Left", "Right", "SAME")),
        ({"query": TEXT, "Positive": TEXT[::-1], "Negative": TEXT, "n": YES},
         PairColumns("query", "Positive", "", negative="Negative")),
        ({"name": TEXT, "city": TEXT, "active": YES}, None),
        ({"name": TEXT, "city": TEXT, "born": ["1980"] * 40}, None),
        ({"name1": TEXT, "name2": TEXT, "street": TEXT, "vip": YES}, None),
    ],
)  # fmt: skip
def test_pairs_are_recognised(table: dict[str, list[str]], expected: PairColumns | None) -> None:
    found = pairs_of_records(pl.DataFrame(table))
    if expected is not None and expected.same == "score":
        assert found is not None and (found.left, found.right, found.same_from) == ("s1", "s2", 4.0)
    else:
        assert found == expected


def test_columns_of_ids_are_found_by_the_ids_they_hold() -> None:
    pairs = pl.DataFrame({"note": ["x", "y"], "s": ["9", "8"], "c": ["1", "2"], "ok": YES[:2]})
    assert pairs_of_ids(pairs, {"1", "2"}, {"8", "9"}) == PairColumns("c", "s", "ok")
    assert pairs_of_ids(pairs.drop("ok"), {"1", "2"}, {"8", "9"}) == PairColumns("c", "s", "")
    assert pairs_of_ids(pairs, {"a"}, {"b"}) is None
