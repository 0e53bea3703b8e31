"""A table of pairs is told from a table of records by what its columns hold."""

import polars as pl
import pytest

from gemel.data.proposals.given import (
    may_be_pairs,
    pairs_of_ids,
    pairs_of_records,
    sides_of_rows,
    unfolded,
)
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
        (
            {"column_1": [*range(400)], "sentence A": TEXT * 10, "sentence B": TEXT * 10,
             "verdict": ["yes", "no"] * 199 + ["unclear", None]},
            PairColumns("sentence A", "sentence B", "verdict"),
        ),
        ({"Left": TEXT, "Right": TEXT, "SAME": YES}, PairColumns("Left", "Right", "SAME")),
        ({"query": TEXT, "Positive": TEXT[::-1], "Negative": TEXT, "n": YES},
         PairColumns("query", "Positive", "", negative="Negative")),
        ({"a": TEXT, "b": TEXT, "same": ["J", "N"] * 20}, PairColumns("a", "b", "same")),
        ({"a": TEXT, "b": TEXT, "what": ["match", "kein match"] * 20},
         PairColumns("a", "b", "what")),
        ({"q1": TEXT, "q2": TEXT, "dup": ["yes"] * 40}, PairColumns("q1", "q2", "dup")),
        ({"q1": TEXT, "q2": TEXT, "dup": ["perhaps"] * 40}, PairColumns("q1", "q2", "dup")),
        ({"q1": TEXT, "q2": TEXT, "so": ["jo", "nix"] * 20}, PairColumns("q1", "q2", "so")),
        ({"satz_a": TEXT, "satz_b": TEXT, "wer": ["mk", "jb"] * 20,
          "Urteil": ["gleich viel", "Gleich viel", "anderes", "Anderes", "unklar"] * 8},
         PairColumns("satz_a", "satz_b", "Urteil")),
        ({"name1": TEXT, "name2": TEXT, "land": ["DE"] * 40}, None),
        ({"title": TEXT, "text": TEXT, "label": ["spam", "ham"] * 20}, None),
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


def test_who_says_that_it_is_a_table_of_pairs_is_believed() -> None:
    glosses = pl.DataFrame({"gloss": TEXT, "definition": TEXT[::-1]})
    assert pairs_of_records(glosses) is None
    assert pairs_of_records(glosses, asked=True) == PairColumns("gloss", "definition", "")
    judged = glosses.with_columns(so=pl.Series(["jo", "nix"] * 20))
    assert pairs_of_records(judged, asked=True) == PairColumns("gloss", "definition", "so")


def test_columns_of_ids_are_found_by_the_ids_they_hold() -> None:
    pairs = pl.DataFrame({"note": ["x", "y"], "s": ["9", "8"], "c": ["1", "2"], "ok": YES[:2]})
    assert pairs_of_ids(pairs, {"1", "2"}, {"8", "9"}) == PairColumns("c", "s", "ok")
    judged = pairs.rename({"ok": "match"}).with_columns(match=pl.Series(["jo", "nix"]))
    judged = pl.concat([judged, judged])
    assert pairs_of_ids(judged, {"1", "2"}, {"8", "9"}) == PairColumns("c", "s", "match")
    assert pairs_of_ids(pairs.drop("ok"), {"1", "2"}, {"8", "9"}) == PairColumns("c", "s", "")
    assert pairs_of_ids(pairs, {"a"}, {"b"}) is None


def test_two_records_in_a_row_become_a_table_of_each() -> None:
    frame = pl.DataFrame(
        {
            "id_left": ["a", "b"], "name_left": ["Ann", "Bob"], "city_left": ["Rome", None],
            "id_right": ["c", "a"], "name_right": ["Anne", "Ann"], "city_right": ["Rome", "Rome"],
            "label": ["1", "0"],
        }
    )  # fmt: skip
    found = sides_of_rows(frame)
    assert found is not None
    sides, answer = found
    assert (list(sides), answer) == (["name", "city"], "label")
    records, pairs = unfolded(frame, sides, answer)
    people = dict(zip(records["record_id"], records["name"], strict=True))
    assert sorted(people.values()) == ["Ann", "Anne", "Bob"], "Ann stands in two pairs"
    said = [(people[a], people[b], same) for a, b, same in pairs.rows()]
    assert said == [("Ann", "Anne", "1"), ("Bob", "Ann", "0")]
    assert sides_of_rows(frame.drop("label")) is None
    assert sides_of_rows(frame.drop("city_left")) is None, "one column of each is a pair of texts"


def test_sentences_that_differ_in_a_mark_may_be_pairs_with_answers_of_few_words() -> None:
    long = [f"{text} again and again" for text in TEXT]
    words = {"who": ["mk", "jb"] * 20, "seen": ["so", "So", "not so", "unsure"] * 10}
    table = pl.DataFrame({"text_a": long, "text_b": long[::-1], **words})
    assert pairs_of_records(table) is None
    assert may_be_pairs(table) == ("text_a", "text_b", ["who", "seen"])
    assert may_be_pairs(table.drop(words)) is None
    streets = ["12 Main Street", "3 High Road"] * 20
    assert may_be_pairs(pl.DataFrame({"street1": streets, "street2": streets, **words})) is None


def test_a_column_of_answers_may_hold_some_of_those_who_do_not_know() -> None:
    said = ["same", "different", "unsure"] * 10
    frame = pl.DataFrame({"text_a": TEXT[:30], "text_b": TEXT[:30][::-1], "seen": said})
    assert pairs_of_records(frame) == PairColumns("text_a", "text_b", "seen")
