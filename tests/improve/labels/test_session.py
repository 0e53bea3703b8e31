"""A person's turn: what is asked, undone, asked again of somebody else, and survives a kill."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.improve.labels.asked import PLAN, N, teaching

from gemel.cli.label_words import in_words, outlook, so_far, what_teaches
from gemel.errors import DataError
from gemel.improve.labels.answers import Answers
from gemel.improve.labels.questions import Question
from gemel.improve.labels.session import Session


def truth(question: Question) -> bool:
    return question.left.startswith(("a0", "a1"))


def answer(session: Session, n: int) -> list[Question]:
    asked = []
    for _ in range(n):
        question = session.next()
        assert question is not None
        session.say(question, "same" if truth(question) else "different")
        asked.append(question)
    return asked


def test_questions_go_on_where_they_were_after_a_stop(tmp_path: Path) -> None:
    whole = answer(Session(PLAN, Answers(tmp_path / "one"), "ann"), 40)
    parts = []
    for n in (7, 20, 13):
        parts += answer(Session(PLAN, Answers(tmp_path / "two"), "ann"), n)
    assert parts == whole
    of = [sum(q.left.startswith(f"a{k}") for q in whole) for k in range(4)]
    assert of == [12, 12, 8, 8]


def test_a_line_cut_short_by_a_kill_is_asked_again(tmp_path: Path) -> None:
    session = Session(PLAN, Answers(tmp_path), "ann")
    asked = answer(session, 5)
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    again = Session(PLAN, Answers(tmp_path), "ann")
    assert again.n_asked == 4
    assert answer(again, 2)[0] == asked[-1]
    assert Session(PLAN, Answers(tmp_path), "ann").n_asked == 6
    path.write_bytes(b"nonsense\n" + path.read_bytes())
    with pytest.raises(DataError, match="line 1 is no answer"):
        Answers(tmp_path)


def test_back_takes_the_last_answer_back_and_asks_again(tmp_path: Path) -> None:
    session = Session(PLAN, Answers(tmp_path), "ann")
    asked = answer(session, 3)
    assert session.undo() == asked[-1].pair
    assert session.next() == asked[-1]
    session.undo()
    session.undo()
    assert session.undo() is None and session.n_asked == 0
    assert Answers(tmp_path).all() == {}
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 6  # nothing is removed


def test_two_who_answer_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    ann, bob = (Session(PLAN, Answers(tmp_path), name) for name in ("ann", "bob"))
    first = answer(ann, 3)
    second = answer(bob, 2)
    assert second[0] == first[0], "which bob was about to be asked"
    assert second[1] not in first, "as he knew of her answers when he wrote his"
    answer(ann, 2)
    lines = (tmp_path / "pairs.csv").read_text().splitlines()[1:]
    assert len(lines) == len(Answers(tmp_path).all()) == len(ann.answers.all()) == 5
    assert ann.answers.of(first[0].pair) == {"ann": "same", "bob": "same"}


def test_a_proof_that_rests_on_an_answer_goes_with_it(tmp_path: Path) -> None:
    plan = msgspec.structs.replace(PLAN, shares=(0.5, 0.5, 0.0, 0.0))
    session = Session(plan, Answers(tmp_path), "ann", goal=0.8)
    answer(session, 39)
    assert not session.known().proven
    answer(session, 1)
    assert session.known().proven
    session.undo()
    assert not session.known().proven, "nobody looks after 39 answers"
    answer(session, 1)
    assert session.known().proven
    answer(session, 3)
    session.undo()
    assert session.known().proven, "which 40 answers told"


def test_a_second_person_is_asked_a_share_and_what_contradicts_a_decision(tmp_path: Path) -> None:
    ann = Session(PLAN, Answers(tmp_path), "ann")
    for _ in range(100):
        question = ann.next()
        assert question is not None
        wrong = question.left in ("a0.3", "a3.2")
        ann.say(question, "same" if truth(question) != wrong else "different")
    bob = Session(PLAN, Answers(tmp_path), "bob")
    again = []
    while (question := bob.next()) is not None and Answers(tmp_path).of(question.pair):
        bob.say(question, "same" if truth(question) else "different")
        again.append(question.left)
    assert {"a0.3", "a3.2"} <= set(again)
    assert 4 <= len(again) <= 25
    known = bob.known()
    assert (known.n_double, known.n_agreed) == (len(again), len(again) - 2)
    assert known.n_unsure == 2  # divided evenly


def test_unsure_counts_as_asked_and_a_proof_ends_it(tmp_path: Path) -> None:
    session = Session(PLAN, Answers(tmp_path), "ann", goal=0.9)
    question = session.next()
    assert question is not None
    session.say(question, "unsure")
    n = 0
    while not session.known().proven and n < 200:
        n += len(answer(session, 1))
    known = session.known()
    assert known.proven and 60 <= n <= 120
    assert (known.n_unsure, known.precision.value, known.threshold) == (1, 1.0, PLAN.threshold)
    rows = session.answers.write_pairs().read_text().splitlines()
    assert rows[0] == "left,right,same" and len(rows) == n + 1
    assert "a0.1,b0.1,1" in rows


def test_two_of_three_questions_teach_and_leave_those_drawn_at_random_alone(tmp_path: Path) -> None:
    plain = Session(PLAN, Answers(tmp_path / "one"), "ann")
    drawn = answer(plain, 20)
    session = Session(PLAN, Answers(tmp_path / "two"), "ann", teaching=teaching())
    asked = answer(session, 60)
    at_random = [q for q in asked if int(q.left.split(".")[1]) < N // 2]
    assert at_random == drawn
    known = session.known()
    assert (known.n_answers, known.n_teaching, session.n_asked) == (20, 40, 60)
    assert known.precision == plain.known().precision
    taught = [q.left[:2] for q in asked if q not in at_random]
    # Where the answer is open; what surely matches, or does not, teaches little.
    assert taught.count("a1") + taught.count("a2") >= 28
    back = session.undo()
    assert back == asked[-1].pair and session.n_asked == 59
    assert session.next() == asked[-1]
    session.undo()
    assert session.next() == asked[-2]
    session.say(asked[-2], "different")
    assert session.next() == asked[-1], "which was taken back as well"
    later = Session(PLAN, Answers(tmp_path / "two"), "ann", teaching=teaching())
    assert len({q.pair for q in answer(later, 31)} & {q.pair for q in asked[:-1]}) == 0
    assert later.known().n_answers == 30


def test_where_linking_leaves_some_matches_it_is_they_that_answers_speak_of(tmp_path: Path) -> None:
    """Of the matches two in three are links, of which nine in ten are right, and no other is."""
    questions = tuple(
        tuple(msgspec.structs.replace(q, is_link=i % 3 > 0) for i, q in enumerate(part))
        for part in PLAN.questions
    )
    n_links = tuple(sum(q.is_link for q in part) for part in questions)
    plan = msgspec.structs.replace(PLAN, questions=questions, links="one-to-one", n_links=n_links)
    session = Session(plan, Answers(tmp_path), "ann")
    for _ in range(200):
        question = session.next()
        assert question is not None
        right = question.is_link and truth(question) and not question.left.endswith("5")
        session.say(question, "same" if right else "different")
    known, right_of_all = session.known(), 0.9 * 2 / 3
    assert known.n_match == sum(n_links[:2]) == 266 and known.links == "one-to-one"
    assert known.precision.value == pytest.approx(0.9, abs=0.03)
    assert known.precision.low > right_of_all, "as of all matches"
    assert known.n_answers + known.n_besides == 200 and known.n_unsure == 0
    assert "266 one-to-one links, of which between" in in_words(session, known)
    assert "more about pairs that are left out to link one-to-one" in in_words(session, known)
    for high, told in ((0.99, "; whether 95 are is open"), (0.9, "95 is not reached at this")):
        at = msgspec.structs.replace(known.precision, value=0.6, low=0.2, high=high)
        vague = msgspec.structs.replace(known, precision=at, missing=None, proven=False)
        assert told in in_words(session, vague)
    every = Session(
        msgspec.structs.replace(plan, questions=PLAN.questions, n_links=None),
        session.answers,
        "ann",
    )
    assert every.known().precision.high < 0.75 and every.known().n_match == 2 * N


def test_before_answers_it_says_what_is_expected_and_how_many_prove_it(tmp_path: Path) -> None:
    def session(n_false: float | None, **more: object) -> Session:
        plan = msgspec.structs.replace(PLAN, n_false=n_false, **more)
        return Session(plan, Answers(tmp_path / str(n_false)), "ann")

    good = session(2.0)
    needed = good.needed()
    assert needed is not None and 100 <= needed <= 150
    assert "400 matches, of 100 by the estimate nearly all right; about 120 answers" in outlook(
        good
    )
    while good.n_asked < 1.5 * needed and not good.known().proven:
        answer(good, 1)
    assert good.known().proven and good.n_asked >= needed / 1.5
    is_link = tuple(
        tuple(msgspec.structs.replace(q, is_link=i % 2 > 0) for i, q in enumerate(part))
        for part in PLAN.questions
    )
    half = session(1.0, questions=is_link, links="one-to-one", n_links=(N // 2,) * 4)
    twice = half.needed()
    assert twice is not None and 1.6 * needed < twice < 2.2 * needed, "half of them do not count"
    assert outlook(half).startswith("200 one-to-one links, of 100 by the estimate nearly all right")
    poor = session(80.0)
    assert poor.needed() is None and "about 80 right; answers tell" in outlook(poor)
    assert outlook(session(None)) == "400 matches; how many of them are right, answers tell"
    teaches = Session(good.plan, Answers(tmp_path / "new"), "ann", teaching=teaching())
    assert "answers about pairs drawn at random prove 95. One question of 3" in outlook(teaches)


def test_answers_of_one_kind_are_said_to_teach_nothing() -> None:
    many = {(f"a{i}", f"b{i}"): True for i in range(3000)}
    words = what_teaches(many, proves=True)
    assert words == (
        "3,000 answers teach gemel train nothing, as all say same: it takes some that say different"
    )
    assert "20 are the least" in what_teaches(dict(list(many.items())[:19]), proves=True)
    assert "learns from 3,001 answers" in what_teaches({**many, ("x", "y"): False}, proves=True)


def test_of_a_new_release_all_answers_are_said_to_be_kept(tmp_path: Path) -> None:
    """What was asked for another release counts for this one as far as it is drawn again."""
    answers = Answers(tmp_path)
    other = [((f"x{i}", f"y{i}"), "same" if i % 2 else "different") for i in range(59)]
    answers.say(other, "ann")  # type: ignore[arg-type]
    session = Session(PLAN, answers, "ann", teaches=True)
    assert session.n_asked == 59, "so the next one is question 60"
    words = so_far(session, session.known())
    assert words.startswith(
        "59 answers kept; none of them is about a pair drawn at random for this release, "
        "all 59 teach. 400 matches"
    )
    answer(session, 4)
    assert session.n_asked == 63
    words = so_far(session, session.known())
    assert words.startswith(
        "63 answers kept; 4 of them are about pairs drawn at random for this release and count "
        "for its precision, all 63 teach; "
    )
    plain = Session(PLAN, Answers(tmp_path / "plain"), "ann", teaches=True)
    answer(plain, 4)
    assert so_far(plain, plain.known()).startswith("4 answers; ")
