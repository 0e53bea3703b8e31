import numpy as np
import polars as pl
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gemel.data.blocking import collisions
from gemel.data.blocking.keys import HOWS, Part, Rows, parts
from gemel.data.blocking.passes import Costs, Pass, chosen, hits, propose
from gemel.data.blocking.typed import survivors, typed_again
from gemel.data.schema import Field

FIELDS = (Field("name", "text"), Field("town", "text"), Field("born", "date"))
NAMES = [field.name for field in FIELDS]


def people(n: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    syllables = ["ma", "ri", "ko", "len", "tus", "bra", "ni", "vel", "dor", "esch"]

    def word() -> str:
        return "".join(rng.choice(syllables, 3))

    towns = [word() for _ in range(40)]
    born = rng.integers((1950, 1, 1), (1978, 13, 29), (n, 3))
    return pl.DataFrame(
        {
            "name": [f"{word()} {word()}" for _ in range(n)],
            "town": [None if rng.random() < 0.1 else str(rng.choice(towns)) for _ in range(n)],
            "born": [f"{y}-{m:02}-{d:02}" for y, m, d in born],
        }
    )


def all_pairs(rows: Rows, wanted: tuple[Part, ...], first_right: int) -> set[tuple[int, int]]:
    def keys(part: Part, i: int) -> set[str]:
        value = rows.frame[part.field][i]
        return set() if value is None else {k for k in HOWS[part.how](value) if k}

    n = len(rows)
    return {
        (i, j)
        for i in range(first_right or n)
        for j in range(first_right or i + 1, n)
        if all(keys(part, i) & keys(part, j) for part in wanted)
    }


@pytest.mark.parametrize("first_right", [0, 70])
@pytest.mark.parametrize(
    "wanted",
    [
        (Part("town", "value"),),
        (Part("name", "words"),),
        (Part("name", "start"), Part("born", "day")),
        (Part("town", "sound"), Part("name", "words")),
    ],
)
def test_exactly_the_pairs_that_share_a_key_of_each_part_are_proposed(
    wanted: tuple[Part, ...], first_right: int
) -> None:
    rows = Rows(people(200))
    left, right = propose(rows, [Pass(wanted)], first_right)
    assert left.dtype == right.dtype == np.int32
    found = list(zip(left.tolist(), right.tolist(), strict=True))
    assert len(found) == len(set(found)) and found == sorted(found)
    assert set(found) == all_pairs(rows, wanted, first_right) != set()


def test_a_value_is_read_as_people_compare_it() -> None:
    rows = Rows(pl.DataFrame({"name": ["MÜLLER  Hans", "ｍüller hans", "Hans Müller", None, None]}))
    pairs = {
        how: set(zip(*propose(rows, [Pass((Part("name", how),))]), strict=True)) for how in HOWS
    }
    assert pairs["value"] == {(0, 1)}
    assert pairs["letters"] == pairs["words"] == {(0, 1), (0, 2), (1, 2)}


@pytest.mark.parametrize("first_right", [0, 20])
def test_rows_that_all_share_a_key_are_but_chained(first_right: int) -> None:
    keys = Rows(pl.DataFrame({"name": ["same"] * 50})).keys(Part("name", "value"))
    n_pairs = 20 * 30 if first_right else 50 * 49 // 2
    assert len(collisions.pairs(keys, first_right, most=50)[0]) == n_pairs
    left, right = collisions.pairs(keys, first_right, most=49)
    assert len(left) == (30 if first_right else 49)
    joined = connected_components(coo_array((np.ones(len(left)), (left, right)), shape=(50, 50)))[1]
    assert len(set(joined.tolist())) == (1 if not first_right else 20)


def test_rows_that_are_the_same_are_proposed_whatever_the_passes() -> None:
    rows = Rows(pl.DataFrame({"a": ["x", "y", "X ", None], "b": [None, "1", None, "1"]}))
    left, right = propose(rows, [])
    assert (left.tolist(), right.tolist()) == ([0], [2])


def test_rows_typed_again_are_found_among_all_others_with_few_candidates() -> None:
    frame = people(4_000)
    again, left, right = typed_again(frame, NAMES)
    n = frame.height
    both = pl.concat([frame, again[right]])
    picked = np.sort(np.random.default_rng(0).choice(n, len(left), replace=False))
    rows = Rows(both)
    passes = chosen(survivors(frame, parts(FIELDS)), Costs(rows, n), per_record=2.0)
    found = set(zip(*(x.tolist() for x in propose(rows, passes, n)), strict=True))
    truth = set(zip(picked.tolist(), range(n, n + len(left)), strict=True))
    assert len(found & truth) / len(truth) > 0.98
    assert len(found) < 0.02 * n * len(left)


def test_what_passes_reach_of_known_pairs_is_what_they_propose_of_them() -> None:
    again, left, right = typed_again(people(300), NAMES)
    rows = Rows(again)
    known = hits(rows, parts(FIELDS), left, right)
    one = [Pass((Part("name", "words"), Part("born", "year")))]
    found = set(zip(*(x.tolist() for x in propose(rows, one)), strict=True))
    proposed = [(i, j) in found for i, j in zip(left.tolist(), right.tolist(), strict=True)]
    assert known.of(one).tolist() == proposed
    assert 0.1 < np.mean(proposed) < 0.9
