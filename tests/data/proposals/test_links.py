"""How many partners a record has and how rare links are, where labels say it of some records."""

import numpy as np
import pytest

from gemel.data import records
from gemel.data.dataset import Dataset
from gemel.data.proposals import links

N, BOTH = (400, 300), 200
TRUE = BOTH / (N[0] * N[1])


def two(known: tuple[float, float], twice: int = 0) -> Dataset:
    """Two files with 200 records in both, the identity of a share of either known.

    Of the second file, so many stand there a second time.
    """
    rng = np.random.default_rng(0)
    people = [*range(N[0])], [*range(N[0] - BOTH, N[0] - BOTH + N[1])]
    people[1].extend(people[1][:twice])
    names: list[str | None] = []
    for share, file in zip(known, people, strict=True):
        told = rng.random(len(file)) < share
        names += [f"p{p}" if is_told else None for p, is_told in zip(file, told, strict=True)]
    sides = (
        records.from_rows([{"name": f"{side} {i}"} for i in range(len(file))], identities=part)
        for side, file, part in zip("ab", people, (names[: N[0]], names[N[0] :]), strict=True)
    )
    return records.to_link(*sides)


@pytest.mark.parametrize("known", [(1, 1), (1, 0.5), (0.5, 1), (0.5, 0.5), (0.4, 0.9)])
def test_what_is_labelled_speaks_for_what_is_not_in_either_file(
    known: tuple[float, float],
) -> None:
    found = links.of(two(known))
    assert found is not None and found.kind == "one-to-one"
    assert found.share == pytest.approx(TRUE, rel=0.2)


def test_records_that_are_labelled_since_they_are_linked_say_no_more_than_all_are() -> None:
    dataset = two((1, 1))
    shared = set(range(N[0] - BOTH, N[0]))
    some = [f"p{p}" for p in sorted(shared)[:50]]
    names = [dataset.identity_of(i) for i in range(len(dataset))]
    kept = [n if n in some else None for n in names]
    sides = (
        records.from_rows([{"name": f"{side} {i}"} for i in range(len(part))], identities=part)
        for side, part in zip("ab", (kept[: N[0]], kept[N[0] :]), strict=True)
    )
    found = links.of(records.to_link(*sides))
    assert found is not None and found.share == pytest.approx(1 / N[0], rel=0.05)


def test_several_partners_are_seen_and_counted() -> None:
    found = links.of(two((1, 0.6), twice=100))
    assert found is not None and found.kind == "one-to-many"
    assert found.share == pytest.approx((BOTH + 100) / (N[0] * (N[1] + 100)), rel=0.2)
    assert links.of(two((1, 0))) is None
