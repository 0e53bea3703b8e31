"""A learned comparator of embeddings is kept where dev shows that it pays, and not elsewhere."""

from __future__ import annotations

import numpy as np

from gemel.arrays import unit_rows
from gemel.data.pairing import ALL, Pairing
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.comparators.pairwise import Pairwise
from gemel.train.comparators import pairwise
from gemel.train.comparators.pairwise import Compared


def side(seed: int, nuisance: float, n: int = 100) -> Compared:
    """Rows of which 6 of 30 numbers tell an identity, and the others the day, say."""
    rng = np.random.default_rng(seed)
    identities = np.repeat(np.arange(n), 4)
    own = rng.normal(size=(n, 6))[identities] + 0.3 * rng.normal(size=(4 * n, 6))
    rows = np.concatenate([own, nuisance * rng.normal(size=(4 * n, 24))], axis=1)
    return Compared(unit_rows(rows), identities.astype(np.int64), ALL)


def test_it_is_kept_where_the_cosine_looks_at_what_does_not_matter() -> None:
    found, told = pairwise.chosen(side(0, 0.6), side(1, 0.6), seed=0)
    assert isinstance(found, Pairwise) and told.endswith("it scores")
    seen = side(2, 0.6)
    gain = pairwise.gained(found, seen, 0)
    assert gain.high < 0 and gain.after < 0.9 * gain.before


def test_the_cosine_stays_where_it_is_as_good() -> None:
    found, told = pairwise.chosen(side(0, 0.02), side(1, 0.02), seed=0)
    assert isinstance(found, Cosine) and told.endswith("the cosine scores")


def test_given_pairs_teach_it_too() -> None:
    train, dev = side(0, 0.6), side(1, 0.6)
    rng = np.random.default_rng(3)
    given = rng.integers(0, len(train.rows), (6000, 2))
    given[:3000, 1] = given[:3000, 0] // 4 * 4 + (given[:3000, 0] + 1) % 4
    pairing = Pairing(given=given[given[:, 0] != given[:, 1]])
    as_given = [Compared(part.rows, part.identities, pairing) for part in (train, dev)]
    found, _ = pairwise.chosen(*as_given, seed=0)
    assert isinstance(found, Pairwise)
