from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from gemel.serve.queues.turns import MAX_KNOWN, Turns


@dataclass(eq=False)
class One:
    owner: str
    weight: int = 1


def test_one_owner_keeps_the_order() -> None:
    turns: Turns[One] = Turns()
    ones = [One("a", i % 5 + 1) for i in range(20)]
    for one in ones:
        turns.put(one)
    assert [turns.take(99) for _ in ones] == ones
    assert turns.take(99) is None and not turns and turns.weight == 0


def test_who_sends_much_keeps_nobody_waiting_and_weights_count() -> None:
    turns: Turns[One] = Turns()
    for _ in range(500):
        turns.put(One("flood", 4))
    for _ in range(100):
        turns.take(4)
    late = [One("late"), One("late")]
    for one in late:
        turns.put(one)
    assert turns.ahead("late") == 2 + 3 and turns.ahead("flood") > 1600
    taken = [turns.take(4) for _ in range(5)]
    assert set(late) <= set(taken)
    assert turns.take(3) is None, "a heavier one waits for room, and nobody goes before it"


def test_everybody_gets_as_much_whatever_they_weigh_and_however_they_come() -> None:
    rng, given = random.Random(0), Counter[str]()
    turns: Turns[One] = Turns()
    weights = {"heavy": 32, "light": 1, "mixed": 7}
    for _ in range(4000):
        for owner, weight in weights.items():
            while turns.of(owner) < 64:
                turns.put(One(owner, weight))
        if not turns.of("one by one"):  # sends its next when it has an answer
            turns.put(One("one by one", rng.choice((1, 20))))
        one = turns.take(99)
        assert one is not None
        given[one.owner] += one.weight
    equal = sum(given.values()) / 4
    assert all(0.7 * equal < weight < 1.3 * equal for weight in given.values()), given


def test_who_goes_away_leaves_nothing_behind() -> None:
    turns: Turns[One] = Turns()
    turns.put(One("stays", 1))
    for i in range(3 * MAX_KNOWN):
        one = One(f"owner {i}", 3)
        turns.put(one)
        turns.drop(one)
    assert turns.weight == 1
    assert len(turns._given) <= MAX_KNOWN + 2
    assert turns.share("stays", 10) == 10 and turns.share("new", 10) == 5
