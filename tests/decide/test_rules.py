"""Rules take matches away, never make one, and say nothing of what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.decide.rules import bound, broken, parse
from gemel.errors import ConfigError

KINDS = {"born": "number", "day": "date", "country": "category", "first": "text"}


@pytest.mark.parametrize(
    ("text", "left", "right", "fires"),
    [
        ("born apart 2: no_match", {"born": 1950}, {"born": 1953}, True),
        ("born apart 2: no_match", {"born": 1950}, {"born": 1952}, False),
        ("born apart 2: review", {"born": "1950"}, {"born": 1953.5}, True),
        ("born apart 2: no_match", {"born": None}, {"born": 1953}, False),
        ("born apart 2: no_match", {}, {"born": 1953}, False),
        ("born apart 2: no_match", {"born": "unknown"}, {"born": 1953}, False),
        ("born differs: no_match", {"born": "01"}, {"born": 1}, False),
        ("day apart 2: no_match", {"day": "1970-01-02"}, {"day": "1972-01-01"}, False),
        ("day apart 2: no_match", {"day": "1970-01-02"}, {"day": "1972-02-03"}, True),
        ("day differs: review", {"day": "1970-01-02"}, {"day": "1970-01-02"}, False),
        ("country differs: no_match", {"country": "DE"}, {"country": "FR"}, True),
        ("country differs: no_match", {"country": "DE "}, {"country": "de"}, False),
        ("country differs: no_match", {"country": ""}, {"country": "FR"}, False),
        ("first differs: no_match", {"first": "nan"}, {"first": "Nan"}, False),
        ("first differs: no_match", {"first": "007"}, {"first": "7"}, True),
    ],
)
def test_a_rule_looks_at_one_field_of_both(
    text: str, left: dict[str, object], right: dict[str, object], fires: bool
) -> None:
    (rule,) = bound([parse(text)], KINDS)
    assert rule.fires(left, right) == rule.fires(right, left) == fires
    assert str(rule) == text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("bron apart 2: no_match", "did you mean 'born'?"),
        ("mail differs: no_match", "fields: born, day, country, first"),
        ("first apart 2: review", "first differs: review"),
        ("country apart 0: review", "country differs: review"),
    ],
)
def test_a_rule_that_can_never_fire_is_refused(text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        bound([parse(text)], KINDS)
    assert refused.value.hint == hint


def test_a_rule_that_says_no_goes_before_one_for_review() -> None:
    rules = [parse("a differs: review"), parse("b differs: no_match")]
    found = broken(rules, {"a": 1, "b": 1}, {"a": 2, "b": 2})
    assert found is not None
    assert found.field == "b"
    found = broken(rules, {"a": 1, "b": 1}, {"a": 2, "b": 1})
    assert found is not None
    assert found.then == "review"
    assert broken(rules, {"a": 1}, {"a": 1}) is None
    assert broken(rules, b"image", b"image") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "born",
        "born apart: no_match",
        "born apart x: no_match",
        "born apart -1: review",
        "born differs: match",
        "born apart inf: review",
        "differs: no_match",
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


def test_dates_of_requests_are_compared_however_they_are_written() -> None:
    (rule,) = bound([parse("day differs: review")], KINDS)
    assert not rule.fires({"day": "1961-01-02"}, {"day": "02.01.1961"})
    assert rule.fires({"day": "1961-01-02"}, {"day": "03.01.1961"})
    for unknown in ("03/04/1980", "soon", 19610102):
        assert not rule.fires({"day": "1961-01-02"}, {"day": unknown})


def test_many_pairs_break_a_rule_as_each_does() -> None:
    texts = ["born apart 2: no_match", "day apart 2: review", "country differs: no_match"]
    rules = bound([parse(text) for text in texts], KINDS)
    born: tuple[object, ...] = (1950, "1953", 1952.5, None, "unknown", "")
    days: tuple[object, ...] = ("1970-01-02", "1972-02-03", "soon", None)
    lands: tuple[object, ...] = ("DE", "de ", "FR", "", ["FR"])
    rows: list[object] = [
        {"born": b, "day": d, "country": c} for b in born for d in days for c in lands
    ]
    rows += [{}, "a text"]
    left, right = np.indices((len(rows), len(rows))).reshape(2, -1)
    for rule in rules:
        fired = rule.fires_on(rows, left, right)
        alone = [
            broken([rule], rows[i], rows[j]) is not None for i, j in zip(left, right, strict=True)
        ]
        assert fired.tolist() == alone
        assert 0 < fired.sum() < len(fired)
