"""What two records of a match have otherwise is counted by field."""

import numpy as np

from gemel.data import records
from gemel.improve.differing import differing
from gemel.improve.records import Compared


def test_fields_in_which_matches_have_two_values_come_first() -> None:
    rows = [
        {"name": "Chair", "colour": "red", "price": 10.0},
        {"name": "chair ", "colour": "blue", "price": 10.0},
        {"name": "Chair", "colour": None, "price": 12.0},
        {"name": "Chair", "colour": "red", "price": 9.0},
    ]
    compared = Compared(records.from_rows(rows, identities=[None] * 4))
    found = differing(compared, np.array([0, 0, 0, 1]), np.array([1, 2, 3, 3]))
    assert [*found.items()] == [("price", 0.75), ("colour", 0.5), ("name", 0.0)]
    nothing = np.zeros(0, np.int64)
    assert differing(compared, nothing, nothing) == {}
