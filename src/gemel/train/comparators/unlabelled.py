"""The comparator of records that nobody has labelled, and what its scores are expected to hold.

The mixture of agreement patterns says how probable it is that each candidate pair belongs together.
These probabilities stand where labels would: the curves of the comparator are fitted to them, so
that it serves like any other, on the records and on a variant of each, which surely belongs to its
record. What comes out is an estimate: it holds as far as fields agree independently of each other,
and kin are told from what belongs together. Where they may be either, both readings are fitted, and
answers choose.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from gemel.arrays import Float32, Float64, Int64
from gemel.data.labelled.chains import closure
from gemel.data.pairing import ALL, Pairing
from gemel.encode.comparators.blocks import Blocks, take_apart
from gemel.release.run import Estimate
from gemel.train.comparators import additive, agreement, kin, mixture
from gemel.train.comparators import pairs as candidates
from gemel.train.comparators.answers import levelled
from gemel.train.comparators.estimate import estimate, n_pairs
from gemel.train.comparators.pairs import Candidates, Layout

SURE = 0.9
"""Pairs at least as probable as this count as one identity while the network is trained."""
EVEN = 0.5


@dataclass(frozen=True, eq=False)
class Told:
    """What was told without labels.

    Attributes:
        embeddings: (2 n, d) unit rows of the records, then of a variant of each.
        layout: how they are made of blocks.
        pairs: candidates; how probable it is that they belong together stands for their labels.
        n_pairs: of the records in all.
        notes: what a user should know of them.
        otherwise: (m,) how probable it is that each candidate belongs together if kin are what they
            were not taken for; None where there are none.
        doubtful: pairs of the records that are taken to belong together, and do not if these are
            kin.
    """

    embeddings: Float32
    layout: Layout
    pairs: Candidates
    n_pairs: int
    notes: tuple[str, ...] = ()
    otherwise: Float32 | None = None
    doubtful: float = 0.0

    @property
    def identities(self) -> Int64:
        """Codes of the n records; those that surely belong together share one."""
        sure, n = self.pairs.genuine >= SURE, len(self.embeddings) // 2
        return closure(n, self.pairs.query[sure] % n, self.pairs.candidate[sure] % n)

    @property
    def likely(self) -> Int64:
        """(2, m) positions of the pairs of records that belong together rather than not."""
        n, query, candidate = len(self.embeddings) // 2, self.pairs.query, self.pairs.candidate
        taken = (self.pairs.genuine >= EVEN) & (query < n) & (candidate < n)
        found = np.sort(np.stack([query[taken], candidate[taken]]), axis=0)
        return np.unique(found, axis=1)

    def fitted(self) -> tuple[Blocks, Estimate]:
        """A comparator whose scores are about log-odds, and what they are expected to hold."""
        comparator, told = self._fitted(self.pairs)
        return comparator, msgspec.structs.replace(told, doubtful=self.doubtful)

    def fitted_otherwise(self) -> Blocks | None:
        """The comparator if kin are what they were not taken for; None where there are none."""
        if self.otherwise is None:
            return None
        return self._fitted(self.pairs._replace(genuine=self.otherwise))[0]

    def _fitted(self, pairs: Candidates) -> tuple[Blocks, Estimate]:
        n = len(self.embeddings) // 2
        seen = candidates.evidence_of(self.embeddings, self.layout, pairs)
        layers = additive.fit(seen, pairs, self.layout)
        curves = Blocks(self.layout.blocks, self.layout.swaps, layers)
        # Among the records alone fewer pairs belong together than among their variants as well.
        alone = np.maximum(pairs.query, pairs.candidate) < n
        seen, genuine = seen[alone], pairs.genuine[alone]
        weight = pairs.weight[alone].astype(np.float64)
        weight *= self.n_pairs / weight.sum()
        comparator = levelled(curves, seen, genuine, weight, held=additive.SHRINKAGE)
        score = comparator.of_evidence(seen)
        return comparator, estimate(score, genuine, weight, n, by="fields")


def told(
    embeddings: tuple[Float32, Float32],
    layout: Layout,
    fields: Mapping[str, Sequence[int]],
    share: Float64,
    *,
    days: Collection[str] = (),
    seed: int = 0,
    pairing: Pairing = ALL,
) -> Told:
    """What the agreement of records tells of which belong together.

    Args:
        embeddings: (n, 1 + sum(blocks)) unit rows of the records, and of a variant of each.
        layout: how an embedding is made of blocks.
        fields: blocks of each of F fields, by its name.
        share: (n, F) of the records that have the value of each record.
        days: names of the fields of dates.
        seed: of the pairs that are looked at.
        pairing: which pairs of the records may be.
    """
    n, rows = len(embeddings[0]), np.concatenate(embeddings)
    rng, record = np.random.default_rng(seed), np.arange(n, dtype=np.int64)
    pairs = candidates.draw(rows, np.tile(record, 2), rng, pairing.twice())
    # A variant says of two records what the records say, and surely belongs to its own.
    query, candidate = pairs.query % n, pairs.candidate % n
    own = query == candidate
    of_two = pairs._replace(query=query[~own], candidate=candidate[~own], weight=pairs.weight[~own])
    side = take_apart(embeddings[0], layout.blocks)
    agreed = agreement.patterns(side, [*fields.values()], share, of_two, layout.swaps)
    genuine = np.ones(len(query), np.float32)
    explained = mixture.fit(agreed, of_two.weight, n)
    genuine[~own] = explained.posterior
    told = Told(rows, layout, pairs._replace(genuine=genuine), n_pairs(n, pairing))
    are_days = np.array([name in days for name in fields])
    parted = kin.part(agreed, of_two.weight, n, explained, are_days)
    if parted is None:
        return told
    without = genuine.copy()
    without[~own] = parted.posterior
    notes = (parted.note([*fields], told.n_pairs),)
    if parted.is_believed:
        pairs = pairs._replace(genuine=without)
        return replace(told, pairs=pairs, notes=notes, otherwise=genuine)
    doubtful = parted.kin * told.n_pairs
    return replace(told, notes=notes, otherwise=without, doubtful=doubtful)
