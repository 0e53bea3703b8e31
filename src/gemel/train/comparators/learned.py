"""Fits the comparator of block embeddings on the training split."""

from __future__ import annotations

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.data.pairing import ALL, Pairing
from gemel.encode.comparators.blocks import Blocks
from gemel.train.comparators import additive
from gemel.train.comparators import pairs as comparator_pairs
from gemel.train.comparators.pairs import Layout

MIN_GENUINE = 10
"""Genuine pairs from which on a comparator finds more than the cosine, as a rule (lab log,
2026-11-30)."""


def enough(identities: Int64, pairing: Pairing = ALL) -> bool:
    """Whether there are genuine pairs enough to learn from, among those that are compared."""
    return pairing.n_genuine(identities) >= MIN_GENUINE


def fit(
    embeddings: Float32,
    identities: Int64,
    layout: Layout,
    *,
    seed: int = 0,
    pairing: Pairing = ALL,
) -> Blocks:
    """The comparator that fits these records.

    Args:
        embeddings: (n, 1 + sum(blocks)) unit rows of the training split.
        identities: (n,) codes, one per person or thing.
        layout: how an embedding is made of blocks.
        seed: of the pairs that are looked at.
        pairing: which pairs of the rows may be.
    Returns:
        Learned weights of the evidence in each block; its scores are about log-odds.
    """
    pairs = comparator_pairs.draw(embeddings, identities, np.random.default_rng(seed), pairing)
    seen = comparator_pairs.evidence_of(embeddings, layout, pairs)
    return Blocks(layout.blocks, layout.swaps, additive.fit(seen, pairs, layout))
