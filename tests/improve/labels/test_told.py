"""What a file answers of a session: nothing that it lacks chooses which of its answers count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.improve.labels.asked import PLAN, N, teaching

from gemel.improve.labels.answers import Answers
from gemel.improve.labels.questions import Pair, Question
from gemel.improve.labels.session import Session
from gemel.improve.labels.told import Taken, take

EVERY = [question for part in PLAN.questions for question in part]


def is_right(question: Question) -> bool:
    """Nine in ten matches are, in each stratum."""
    return question.left.startswith(("a0", "a1")) and not question.left.endswith("7")


def told(keeps: Callable[[Question], bool]) -> dict[Pair, bool]:
    return {question.pair: is_right(question) for question in EVERY if keeps(question)}


def take_in(session: Session, keeps: Callable[[Question], bool]) -> Taken:
    return take(session, told(keeps), 10_000)


def test_what_a_file_lacks_of_the_pairs_that_teach_is_skipped(tmp_path: Path) -> None:
    session = Session(PLAN, Answers(tmp_path), "ann", goal=0.75, teaching=teaching())
    taken = take_in(session, lambda q: int(q.left.split(".")[1]) < N // 2)
    assert session.known().proven and taken.lacks is None and taken.n_left == 0
    assert taken.n_drawn >= 40 and session.known().n_answers >= taken.n_drawn
    assert taken.n_drawn + taken.n_others == 4 * N // 2, "all that it knows, to learn from"


def test_a_file_of_what_is_the_same_counts_up_to_the_first_pair_that_it_lacks(
    tmp_path: Path,
) -> None:
    session = Session(PLAN, Answers(tmp_path), "ann", goal=0.98)
    path = list(session.ahead())
    first = next(i for i, q in enumerate(path) if not is_right(q))
    taken = take_in(session, is_right)
    assert (taken.n_drawn, taken.lacks) == (first, path[first])
    assert taken.n_others == 2 * N * 9 // 10 - first
    again = Session(PLAN, Answers(tmp_path), "ann", goal=0.98)
    assert again.known() == session.known() and again.known().n_answers == first
    assert again.next() == path[first]
    # What a person says of the pairs that it lacks is all that is asked, and then the rest counts.
    for _ in range(40):
        question = again.next()
        assert question is not None and not is_right(question)
        again.say(question, "different")
    known, end = again.known(), path.index(next(again.ahead()))
    assert known.n_answers == end > 60
    assert all(again.answers.of(q.pair) for q in path[:end])
    assert abs(known.precision.value - 0.9) < 0.06


def test_another_person_is_asked_again_what_their_file_knows(tmp_path: Path) -> None:
    take(Session(PLAN, Answers(tmp_path), "ann", goal=0.99), told(lambda _: True), 100)
    bob = Session(PLAN, Answers(tmp_path), "bob", second=0.5)
    again = list(bob.seconds())
    assert len(again) > 20
    taken = take(bob, {q.pair: is_right(q) for q in again[:5]}, 10_000)
    assert (taken.n_again, taken.n_drawn, taken.n_others) == (5, 0, 0)
    assert bob.known().n_double == 5


def test_a_limit_leaves_the_rest(tmp_path: Path) -> None:
    session = Session(PLAN, Answers(tmp_path), "ann", goal=0.99)
    taken = take(session, told(lambda _: True), 30)
    assert (taken.n_drawn, taken.n_others, taken.n_left) == (30, 0, 4 * N - 30)
    assert taken.lacks is None and session.n_asked == 30 and taken.is_limited
    far = {(f"c{i}", f"d{i}"): False for i in range(9000)}
    rest = Session(PLAN, Answers(tmp_path / "far"), "ann", goal=0.75, teaching=teaching())
    assert take(rest, far | told(lambda _: True), 1000).n_left == 9000 + 4 * N - 1000
    assert all(rest.answers.of(question.pair) for question in EVERY), "what is asked comes first"
    proven = Session(PLAN, Answers(tmp_path / "proven"), "ann", goal=0.75)
    enough = take(proven, told(lambda _: True), 10_000)
    assert not enough.is_limited and enough.n_left == 4 * N - enough.n_drawn > 0
