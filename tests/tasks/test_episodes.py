from __future__ import annotations

import numpy as np
import pytest

from gemel.errors import DataError
from gemel.tasks import episodes

IDENTITIES = np.array([3, 3, 3, 3, 5, 5, 7, -1, -1, -1, 9, 9, 9] + [11] * 6)


def test_every_usable_identity_has_supports_and_a_query_of_its_own_once() -> None:
    dealt = episodes.deal(IDENTITIES, shots=2, rng=np.random.default_rng(0), ways=2)
    assert sorted(np.concatenate([e.identities for e in dealt])) == [3, 9, 11]
    for episode in dealt:
        assert len(episode.identities) <= 2
        np.testing.assert_array_equal(
            IDENTITIES[episode.supports], episode.identities[episode.labels]
        )
        np.testing.assert_array_equal(IDENTITIES[episode.queries], episode.identities)
        used = np.concatenate([episode.supports, episode.queries])
        assert len(set(used.tolist())) == len(used)


def test_the_generator_decides_and_every_record_gets_its_turn() -> None:
    def queries(seed: int) -> list[int]:
        rng = np.random.default_rng(seed)
        dealt = [e for _ in range(60) for e in episodes.deal(IDENTITIES, shots=1, rng=rng)]
        return [int(i) for e in dealt for i in e.queries]

    assert queries(1) == queries(1)
    assert set(queries(1)) == set(np.flatnonzero(np.isin(IDENTITIES, [3, 5, 9, 11])).tolist())


def test_too_few_records_of_an_identity_say_so() -> None:
    assert episodes.usable(IDENTITIES, 0).tolist() == [3, 5, 7, 9, 11]
    with pytest.raises(DataError, match="no identity has 7 records"):
        episodes.deal(IDENTITIES, shots=6, rng=np.random.default_rng(0))
