"""Candidate pairs and what a comparator sees of them."""

import tracemalloc

import numpy as np

from gemel.train.comparators import pairs
from gemel.train.comparators.pairs import Candidates, Layout


def test_wide_embeddings_are_looked_at_few_pairs_at_a_time() -> None:
    rng, n_fields, width = np.random.default_rng(0), 400, 16
    rows = rng.normal(size=(50, 1 + n_fields * width)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    query, candidate = rng.integers(0, 50, (2, 20_000))
    some = np.ones(20_000, np.float32)
    drawn = Candidates(query, candidate, some, some, np.array([0, 20_000]))
    layout = Layout((width,) * n_fields, ())
    tracemalloc.start()
    seen = pairs.evidence_of(rows, layout, drawn)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # What comes out, twice as parts are joined, and both sides of a part; of all pairs 2 GB.
    assert most < 2.2 * seen.nbytes + 5 * 4 * pairs.PIECE
    last = Candidates(query[-1:], candidate[-1:], some[:1], some[:1], np.array([0, 1]))
    np.testing.assert_allclose(seen[-1:], pairs.evidence_of(rows, layout, last), rtol=1e-5)
