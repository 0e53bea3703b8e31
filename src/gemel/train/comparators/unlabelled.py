"""The comparator of records that nobody has labelled, and what its scores are expected to hold.

The mixture of agreement patterns says how probable it is that each candidate pair belongs together.
These probabilities stand where labels would: the curves of the comparator are fitted to them, so
that it serves like any other. What comes out is an estimate: it holds as far as fields agree
independently of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemel.arrays import Float32, Float64, Int64
from gemel.data.pairing import ALL, Pairing
from gemel.data.sources.pairs import closure
from gemel.encode.comparators.blocks import Blocks, take_apart
from gemel.release.run import Estimate
from gemel.train.comparators import additive, mixture
from gemel.train.comparators import pairs as candidates
from gemel.train.comparators.estimate import estimate, n_pairs
from gemel.train.comparators.pairs import Candidates, Layout

SURE = 0.9
"""Pairs at least as probable as this count as one identity while the network is trained."""


@dataclass(frozen=True, eq=False)
class Told:
    """What was told without labels.

    Attributes:
        embeddings: (n, d) unit rows.
        layout: how they are made of blocks.
        pairs: candidates; how probable it is that they belong together stands for their labels.
        n_pairs: of the records in all.
    """

    embeddings: Float32
    layout: Layout
    pairs: Candidates
    n_pairs: int

    @property
    def identities(self) -> Int64:
        """Codes of the n records; those that surely belong together share one."""
        sure = self.pairs.genuine >= SURE
        n = len(self.embeddings)
        return closure(n, self.pairs.query[sure], self.pairs.candidate[sure])

    def fitted(self) -> tuple[Blocks, Estimate]:
        """A comparator whose scores are about log-odds, and what they are expected to hold."""
        seen = candidates.evidence_of(self.embeddings, self.layout, self.pairs)
        layers = additive.fit(seen, self.pairs, self.layout)
        comparator = Blocks(self.layout.blocks, self.layout.swaps, layers)
        score = comparator.of_evidence(seen)
        weight = self.pairs.weight.astype(np.float64)
        weight *= self.n_pairs / weight.sum()
        n = len(self.embeddings)
        return comparator, estimate(score, self.pairs.genuine, weight, n, by="fields")


def told(
    embeddings: Float32,
    layout: Layout,
    fields: Sequence[Sequence[int]],
    share: Float64,
    *,
    seed: int = 0,
    pairing: Pairing = ALL,
) -> Told:
    """What the agreement of records tells of which belong together.

    Args:
        embeddings: (n, 1 + sum(blocks)) unit rows.
        layout: how an embedding is made of blocks.
        fields: blocks of each of F fields.
        share: (n, F) of the records that have the value of each record.
        seed: of the pairs that are looked at.
        pairing: which pairs of the rows may be.
    """
    n = len(embeddings)
    alone = np.arange(n, dtype=np.int64)
    pairs = candidates.draw(embeddings, alone, np.random.default_rng(seed), pairing)
    side = take_apart(embeddings, layout.blocks)
    agreed = mixture.patterns(side, fields, share, pairs, layout.swaps)
    posterior = mixture.fit(agreed, pairs.weight, n).posterior.astype(np.float32)
    labelled = pairs._replace(genuine=posterior)
    return Told(embeddings, layout, labelled, n_pairs(n, pairing))
