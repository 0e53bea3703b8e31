"""Who is asked can be checked from the ledger alone, and answers find their decision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gemel.errors import UnknownDecision
from gemel.ledger.ledger import Ledger
from gemel.ledger.verdicts import OF_BEST, answer, decisions, is_asked, waiting


@pytest.fixture
def ledger(tmp_path: Path, seeded: None) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        yield ledger


def decide(ledger: Ledger, n: int, probability: float, release: str = "r") -> list[str]:
    ids = [
        ledger.append(
            "verify",
            {
                "release": release,
                "score": i / n,
                "outcome": "match",
                "review_probability": probability,
            },
        )
        for i in range(n)
    ]
    ledger.flush()
    return ids


def test_the_share_that_is_asked_about_is_the_probability(ledger: Ledger) -> None:
    ids = decide(ledger, 3000, 0.1)
    asked, n = decisions(ledger)
    assert n == 3000
    assert 240 <= len(asked) <= 360
    assert [a.id for a in asked] == [i for i in ids if is_asked(i, 0.1)]
    assert not any(is_asked(i, 0.0) for i in ids)
    assert all(is_asked(i, 1.0) for i in ids)


def test_answers_find_their_decision_and_the_last_one_of_a_reviewer_counts(ledger: Ledger) -> None:
    first, second, third = decide(ledger, 3, 1.0)
    answer(ledger, first, True, reviewer="ann")
    answer(ledger, second, True, reviewer="ann")
    answer(ledger, second, False, reviewer="ann")
    answer(ledger, third, True, reviewer="ann")
    answer(ledger, third, False, reviewer="bob")
    asked, _ = decisions(ledger)
    assert [a.genuine for a in asked] == [True, False, None]  # the reviewers of the third differ
    assert asked[2].answers == {"ann": True, "bob": False}
    assert ledger.verify().ok


def test_what_waits_is_what_nobody_answered_oldest_first(ledger: Ledger) -> None:
    ids = decide(ledger, 5, 1.0)
    answer(ledger, ids[1], True, reviewer="ann")
    assert [a.id for a in waiting(ledger)] == [ids[0], *ids[2:]]
    assert [a.id for a in waiting(ledger, limit=2)] == [ids[0], ids[2]]


def test_decisions_of_other_releases_can_be_left_out(ledger: Ledger) -> None:
    decide(ledger, 4, 1.0, "old")
    decide(ledger, 2, 1.0, "new")
    asked, n = decisions(ledger, releases={"new"})
    assert (len(asked), n) == (2, 2)


def test_an_answer_to_nothing_is_refused(ledger: Ledger) -> None:
    other = ledger.append("enroll", {"added": 1})
    for record in ("0" * 32, other):
        with pytest.raises(UnknownDecision, match="no decision"):
            answer(ledger, record, True, reviewer="ann")


def test_who_is_asked_says_nothing_of_who_is_asked_a_second_time(ledger: Ledger) -> None:
    decide(ledger, 1000, 0.2)
    for one in (found := waiting(ledger, limit=1000)):
        answer(ledger, one.id, True, reviewer="ann")
    some = waiting(ledger, reviewer="bob", second=0.2, limit=1000)
    assert 160 <= len(found) <= 240 and 16 <= len(some) <= 64, "a fifth of a fifth"


def test_an_answer_to_what_was_for_review_is_not_against_it(ledger: Ledger) -> None:
    body = {"release": "r", "score": 0.5, "outcome": "review", "review_probability": 1.0}
    for genuine in (True, False):
        answer(ledger, ledger.append("verify", body), genuine, reviewer="ann")
    assert waiting(ledger, reviewer="bob") == []


def test_an_answer_about_the_best_of_a_gallery_is_noted_and_counts_for_nothing(
    ledger: Ledger,
) -> None:
    best = {"hits": 1, "matches": 0, "best": ["r", 0.5, "review"], "k": 10, "release": "r"}
    who = {"outcome": "review", "record": "r", "score": 0.5, "threshold": 0.6, "probability": None}
    noted = [
        answer(ledger, ledger.append(kind, body), True, reviewer="ann")
        for kind, body in (("search", best), ("identify", {**who, "gallery_size": 3}))
    ]
    assert [one.note for one in noted] == [OF_BEST, OF_BEST]
    assert len(ledger.entries(kind="verdict")) == 2
    assert decisions(ledger) == ([], 0)
    nobody = ledger.append("search", {**best, "hits": 0, "best": None})
    with pytest.raises(UnknownDecision, match="no decision"):
        answer(ledger, nobody, True, reviewer="ann")


def test_a_second_person_is_asked_about_a_share_and_about_answers_against(ledger: Ledger) -> None:
    ids = decide(ledger, 200, 1.0)
    for i, decision in enumerate(ids):
        answer(ledger, decision, i >= 5, reviewer="ann")
    assert waiting(ledger) == []
    assert waiting(ledger, reviewer="ann", second=1.0) == []
    assert [a.id for a in waiting(ledger, reviewer="bob")] == ids[:5]  # ann said no to a match
    assert len(waiting(ledger, reviewer="bob", second=1.0, limit=1000)) == 200
    some = waiting(ledger, reviewer="bob", second=0.2, limit=1000)
    assert 5 + 20 <= len(some) <= 5 + 60
    for decision in ids[:5]:
        answer(ledger, decision, decision != ids[0], reviewer="bob")
    assert [a.id for a in waiting(ledger, reviewer="cid")] == ids[1:5]  # ann and bob differ
