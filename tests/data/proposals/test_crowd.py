"""Identities that have most of what is learnt, also where two of them hide each other."""

from gemel.data import records
from gemel.data.proposals.crowd import crowded


def said(**sizes: int) -> str:
    """What is said of people with two records each, and of these texts."""
    who = [name for i in range(100) for name in (f"p{i}",) * 2]
    who += [name for name, n in sizes.items() for _ in range(n)]
    return crowded(records.from_rows([{"a": "x"}] * len(who), identities=who))


def test_texts_that_hide_each_other_are_named_together() -> None:
    assert said(brak=76, nd=67) == (
        "identities 'brak' and 'nd' have 98 % of the genuine comparisons, 76 and 67 records where "
        'the next has 2: if they mean no value, data.missing = ["brak", "nd"]'
    )
    assert said(brak=76, nd=67, x=50).startswith("identities 'brak' and 'nd' and 'x' have 98 %")
    assert said(brak=76).startswith("identity 'brak' has 97 % of the genuine comparisons, 76")


def test_identities_of_many_sizes_are_left_alone() -> None:
    assert said(a=8, b=8) == said(a=20, b=9, c=5) == said() == ""
    assert said(**{f"p{i}": 30 for i in range(9)}) == ""
