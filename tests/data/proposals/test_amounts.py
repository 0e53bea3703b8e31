"""Numbers of what a person bought are said to be compared; facts about a record are not."""

import numpy as np

from gemel.data.proposals.amounts import notes
from gemel.data.records import from_rows


def rows(n: int = 400) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    return [
        {
            "name": f"n{i // 2}",
            "born": 1900.5 + i // 2 % 90,
            "Umsatz (EUR)": float(rng.uniform(0, 9000)),
            "shelf": float(rng.uniform(0, 9000)),
            "price": 10.0 * (i // 2 % 50) + float(rng.uniform(0, 5)),
        }
        for i in range(n)
    ]


def test_without_labels_the_name_of_a_column_says_it() -> None:
    (note,) = notes(from_rows(rows()))
    assert note.startswith("columns Umsatz (EUR), price are compared, and called after what")
    assert note.endswith('add to data.ignore: ["Umsatz (EUR)", "price"]')
    plain = [{"name": row["name"], "born": row["born"]} for row in rows()]
    assert notes(from_rows(plain)) == []


def test_with_labels_its_values_say_it_whatever_its_name() -> None:
    people = [f"p{i // 2}" for i in range(400)]
    (note,) = notes(from_rows(rows(), identities=people))
    assert note.startswith(
        "columns Umsatz (EUR), shelf are compared, and the numbers of one identity are"
    )
    assert 'add to data.ignore: ["Umsatz (EUR)", "shelf"]' in note
    (few,) = notes(from_rows(rows(40), identities=people[:40]))
    assert few.startswith("columns Umsatz (EUR), price are compared, and called")


def test_a_column_that_tells_a_little_is_not_said_to_tell_nothing() -> None:
    """Within an identity .93 as far apart as any two, and still no chance; constants are one."""
    rng = np.random.default_rng(1)
    weak = rng.normal(0, 0.5, 40)
    some = [
        {"weak": float(weak[i % 40] + rng.normal()), "noise": float(rng.normal()), "same": 1.0}
        for i in range(1200)
    ]
    (note,) = notes(from_rows(some, identities=[f"m{i % 40}" for i in range(1200)]))
    assert note.startswith("columns noise, same are compared"), note
    assert "beside others they may still tell something" in note


def test_of_useless_columns_nearly_all_are_told_and_of_useful_ones_hardly_any() -> None:
    rng = np.random.default_rng(2)
    names = [f"m{i % 50}" for i in range(300)]
    middle = rng.normal(0, 0.6, (50, 40))
    some = [
        {f"useless {j}": float(v) for j, v in enumerate(rng.normal(size=40))}
        | {f"useful {j}": float(v + rng.normal()) for j, v in enumerate(middle[i % 50])}
        for i in range(300)
    ]
    (note,) = notes(from_rows(some, identities=names))
    assert note.count("useless") >= 2 * 34 and note.count("useful") == 0
