"""Known identities of a set are counted as they are, in one file and across two."""

import numpy as np
import pytest

from gemel.data import records
from gemel.data.dataset import Dataset
from gemel.improve.by_identity import by_identity
from gemel.improve.records import Compared


def of(*names: str | None) -> Dataset:
    rows = [{"a": f"{i} {len(names)}"} for i in range(len(names))]
    return records.from_rows(rows, identities=list(names))


def at(*positions: int) -> np.ndarray:
    return np.array(positions, np.int64)


def test_pairs_of_one_set_are_those_whose_two_identities_are_known() -> None:
    compared = Compared(of("p", "p", "p", "q", None))
    found = by_identity(compared, at(0, 0, 0), at(1, 3, 4))
    assert found is not None
    assert (found.n_pairs, found.n_genuine) == (6, 3)
    assert (found.n_matches, found.n_right, found.is_most) == (2, 1, False)
    assert found.share == 0.5
    whole = by_identity(Compared(of("p", "p", "q")), at(), at())
    assert whole is not None and whole.is_most


def test_across_two_files_only_pairs_of_one_with_the_other_count() -> None:
    found = by_identity(Compared(of("p", "p", "q"), of("p", "r")), at(0, 2), at(3, 4))
    assert found is not None
    assert (found.n_pairs, found.n_genuine, found.n_matches, found.n_right) == (6, 2, 2, 1)


@pytest.mark.parametrize("names", [(None, None), ("p", None)], ids=str)
def test_no_pair_is_known_where_fewer_than_two_identities_are(names: tuple[str | None]) -> None:
    assert by_identity(Compared(of(*names)), at(), at()) is None
