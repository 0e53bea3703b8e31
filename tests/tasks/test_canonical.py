"""One record stands for a cluster: most complete, most central, newest; always the same one."""

import numpy as np
import polars as pl
import pytest

from gemel.arrays import unit_rows
from gemel.errors import ConfigError
from gemel.tasks.canonical import choose

LABELS = np.array([0, 0, 0, 1, 1, 2])
ROWS = unit_rows(
    np.array([[1, 0.3], [1, 0], [1, -0.1], [0, 1], [0.1, 1], [1, 1]], dtype=np.float64)
)
FRAME = pl.DataFrame(
    {
        "name": ["a", "b", None, "d", "e", "f"],
        "town": [None, "x", None, "y", "y", None],
        "seen": ["2020-01-01", None, "2021-05-05", "2020-02-02", "2020-02-02", None],
    }
)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("complete", [1, 3, 5]),  # in the first two have two values: the more central one
        ("central", [1, 3, 5]),
        ("newest:seen", [2, 3, 5]),
    ],
)
def test_choices(how: str, expected: list[int]) -> None:
    assert np.flatnonzero(choose(how, LABELS, ROWS, FRAME)).tolist() == expected


def test_complete_beats_central() -> None:
    frame = FRAME.with_columns(town=pl.Series(["z", None, None, None, "y", None]))
    assert np.flatnonzero(choose("complete", LABELS, ROWS, frame)).tolist() == [0, 4, 5]


def test_images_are_equally_complete() -> None:
    assert np.flatnonzero(choose("complete", LABELS, ROWS, None)).tolist() == [1, 3, 5]


@pytest.mark.parametrize("values", [["z", None, "a", "b", "y", "x"], [1, 10, 9, 2, 3, 4]])
def test_what_is_no_date_is_not_newest(values: list[object]) -> None:
    frame = FRAME.with_columns(born=pl.Series(values))
    with pytest.raises(ConfigError, match="'born' holds no dates") as refused:
        choose("newest:born", LABELS, ROWS, frame)
    assert refused.value.hint == "fields of dates: seen"


@pytest.mark.parametrize("how", ["oldest", "newest:born", "newest:"])
def test_unknown_choices_are_refused(how: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown choice|no field"):
        choose(how, LABELS, ROWS, FRAME)
