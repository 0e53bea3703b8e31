"""The comparator of records that nobody has labelled, and what its scores are expected to hold.

The mixture of agreement patterns says how probable it is that each candidate pair belongs together.
These probabilities stand where labels would: the curves of the comparator are fitted to them, so
that it serves like any other. What comes out is an estimate: it holds as far as fields agree
independently of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32, Float64, Int64
from gemel.data.pairing import ALL, Pairing
from gemel.data.sources.pairs import closure
from gemel.encode.comparators.blocks import Blocks, take_apart
from gemel.release.run import By, Estimate
from gemel.train.comparators import additive, mixture
from gemel.train.comparators import pairs as candidates
from gemel.train.comparators.pairs import Candidates, Layout

SURE = 0.9
"""Pairs at least as probable as this count as one identity while the network is trained."""
N_POINTS = 200
"""Points of the curve by each of the two kinds of pairs."""


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


def n_pairs(n: int, pairing: Pairing) -> int:
    """Pairs of n records that are compared."""
    if pairing.files is None:
        return n * (n - 1) // 2
    n_right = int(pairing.files.sum())
    return (n - n_right) * n_right


def estimate(
    score: Float32, probability: NDArray[Any], count: Float64, n_records: int, *, by: By
) -> Estimate:
    """Pairs expected to belong together, and not to, that reach each of some scores.

    Args:
        score: (m,) of pairs.
        probability: (m,) that each belongs together.
        count: (m,) pairs that each stands for.
        n_records: whose pairs these are.
        by: what told it.
    """
    order = np.argsort(-score, kind="stable")
    weight, value = count[order], score[order]
    genuine = probability[order].astype(np.float64)
    right, wrong = np.cumsum(weight * genuine), np.cumsum(weight * (1 - genuine))
    by_right = np.searchsorted(right, np.linspace(0, right[-1], N_POINTS))
    by_wrong = np.searchsorted(wrong, np.geomspace(min(0.01, wrong[-1]), wrong[-1], N_POINTS))
    last = np.append(np.flatnonzero(np.diff(value)), len(value) - 1)
    at = np.minimum(np.concatenate([by_right, by_wrong]), len(value) - 1)
    at = last[np.unique(np.searchsorted(last, at))]
    return Estimate(
        n_records=n_records,
        share=float(right[-1] / (right[-1] + wrong[-1])),
        threshold=tuple(value[at].tolist()),
        right=tuple(right[at].tolist()),
        wrong=tuple(wrong[at].tolist()),
        by=by,
    )
