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
        "columns Umsatz (EUR), shelf are compared, and the numbers are no nearer"
    )
    assert 'add to data.ignore: ["Umsatz (EUR)", "shelf"]' in note
    (few,) = notes(from_rows(rows(40), identities=people[:40]))
    assert few.startswith("columns Umsatz (EUR), price are compared, and called")
