"""The wrong decisions nearest the threshold, with their records, for people to look at.

Blocked: at no time more than one block of scores and the few nearest mistakes are in memory.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.calibrate.scores.all_pairs import genuine_blocks, impostor_blocks
from gemel.data.dataset import CategoryColumn, Dataset
from gemel.data.pairing import ALL, Pairing
from gemel.decide.bands import matches
from gemel.decide.policy import Policy
from gemel.encode import modality
from gemel.encode.comparators import Scorer
from gemel.release.evidence.part import Level, Origin, Part, whole_identities
from gemel.release.evidence.schema import Item, Mistake, MistakeKind
from gemel.release.probes import pack
from gemel.tasks import explain

MAX_RECORDS = 6000
SHOWN = 20
"""Comparisons of each kind."""


@dataclass(frozen=True)
class Pair:
    """Score and record positions of a comparison."""

    score: float
    left: int
    right: int


def nearest(
    embeddings: Float32,
    identities: Int64,
    comparator: Scorer,
    threshold: float,
    *,
    level: Level | None = None,
    pairing: Pairing = ALL,
    n: int = SHOWN,
    seed: int = 0,
) -> tuple[list[Pair], list[Pair]]:
    """False matches and false non-matches nearest the threshold, nearest first, n of each at most.

    Args:
        embeddings: (m, d) float32 unit rows.
        identities: (m,) int64; -1 = unknown, takes part in nothing.
        comparator: what scores a pair.
        threshold: a score at or above it matches.
        level: makes levelled scores of scores and both positions; None = they are as they are.
        pairing: of the records: which pairs of them are comparisons.
        n: mistakes of each kind.
        seed: above 6,000 records, that many are looked at, whole identities drawn at random.
    """
    kept = whole_identities(identities, MAX_RECORDS, seed)
    kept = kept[np.argsort(identities[kept], kind="stable")]
    x, codes, only = embeddings[kept], identities[kept], pairing.take(kept)

    def wrong(genuine: bool) -> Iterator[Block]:
        for score, left, right in _levelled(
            _comparisons(x, codes, comparator, only, genuine), kept, level
        ):
            yield score, left, right, matches(score, threshold) != genuine

    return _keep(wrong(False), threshold, n, kept), _keep(wrong(True), threshold, n, kept)


def _comparisons(
    x: Float32, codes: Int64, comparator: Scorer, only: Pairing, genuine: bool | None = None
) -> Iterator[tuple[Float32, Int64, Int64]]:
    """Scores and both positions of all genuine, or of all impostor comparisons, each pair once.

    None: of all there are between records of which each has a code of its own.
    """
    if only.given is not None:
        left, right = only.given.T
        wanted = np.array([True]) if genuine is None else only.is_genuine(codes) == genuine
        wanted = np.broadcast_to(wanted, left.shape)
        places = np.flatnonzero(wanted)
        places = places[only.first_of_each(places)]
        left, right = left[places], right[places]
        yield comparator.score(x[left], x[right]), left, right
        return
    blocks = (genuine_blocks if genuine else _impostors)(x, codes, comparator)
    for score, left, right in blocks:
        at = slice(None) if only.files is None else only.files[left] != only.files[right]
        yield score[at], left[at], right[at]


def _impostors(
    x: Float32, codes: Int64, comparator: Scorer
) -> Iterator[tuple[Float32, Int64, Int64]]:
    """The blocks of impostors, with a left position for each score."""
    for score, i, at in impostor_blocks(x, codes, comparator):
        yield score, np.full(len(score), i), np.arange(at.start, at.stop)


def of_policy(origin: Origin, idx: Int64, eval: Part, policy: Policy) -> tuple[Mistake, ...]:
    """The wrong decisions of a policy on eval nearest its threshold.

    Args:
        origin: dataset and encoder.
        idx: positions of the records of eval in the dataset.
        eval: encoded and compared, levelled as the policy does.
        policy: that decides.
    """
    false, missed = nearest(
        eval.embeddings,
        eval.identities,
        eval.comparator,
        policy.verify.threshold,
        level=eval.leveller(),
        pairing=eval.pairing,
        seed=eval.sampling.seed,
    )
    told = _Told(origin, idx, eval.comparator, policy, eval.category)
    return (*told.of("false_match", false), *told.of("false_non_match", missed))


def around(
    origin: Origin, idx: Int64, embeddings: Float32, comparator: Scorer, policy: Policy
) -> tuple[Mistake, ...]:
    """The matches and the others nearest a threshold, where nothing says which are wrong.

    Args:
        origin: dataset and encoder.
        idx: (n,) positions of the records that are looked at, a few thousand at most: all their
            scores are in memory.
        embeddings: (n, d) float32 of them.
        comparator: what scores a pair.
        policy: that decides.
    """
    pairing, at, all_ = (
        origin.dataset.pairing.take(idx),
        policy.verify.threshold,
        np.arange(len(idx)),
    )
    pairs = [
        (score, left, right, matches(score, at))
        for score, left, right in _comparisons(embeddings, all_, comparator, pairing)
    ]
    others = ((score, left, right, ~match) for score, left, right, match in pairs)
    told = _Told(origin, idx, comparator, policy)
    return (
        *told.of("match", _keep(iter(pairs), at, SHOWN, all_)),
        *told.of("no_match", _keep(others, at, SHOWN, all_)),
    )


@dataclass(frozen=True)
class _Told:
    """Comparisons as a report shows them.

    Attributes:
        origin: dataset and encoder.
        idx: positions of the records in the dataset.
        comparator: what scores a pair.
        policy: that decides.
        category: of the records, if they have one.
    """

    origin: Origin
    idx: Int64
    comparator: Scorer
    policy: Policy
    category: CategoryColumn | None = None

    def of(self, kind: MistakeKind, pairs: list[Pair]) -> Iterator[Mistake]:
        dataset = self.origin.dataset
        n_explained = modality.named(dataset.modality).n_explained
        for i, pair in enumerate(pairs):
            left, right = (item(dataset, int(self.idx[at])) for at in (pair.left, pair.right))
            parts = self._reasons(pair) if i < n_explained else ()
            yield Mistake(kind, pair.score, left, right, parts)

    def _reasons(self, pair: Pair) -> tuple[explain.Part, ...]:
        encoder, of = self.origin.encoder, self.category
        both = self.origin.dataset.payloads([int(self.idx[pair.left]), int(self.idx[pair.right])])
        category = (of.of(pair.left), of.of(pair.right)) if of else None
        steps = explain.attribute(
            encoder.prepare,
            self.comparator,
            (both[0], both[1]),
            lambda s: self.policy.decide(s, category).outcome,
        )
        return explain.answer(steps, encoder.encode).parts


def item(dataset: Dataset, i: int) -> Item:
    """Record i of a dataset, as a report shows it."""
    kind = modality.named(dataset.modality)
    payload = pack(kind, kind.kept(dataset.payloads([i])[0]))
    return Item(str(dataset.ids[i]), dataset.identity_of(i) or "", payload)


def _levelled(
    blocks: Iterator[tuple[Float32, Any, Any]], kept: Int64, level: Level | None
) -> Iterator[tuple[Float32, Any, Any]]:
    for score, left, right in blocks:
        yield (score if level is None else level(score, kept[left], kept[right])), left, right


Block = tuple[Float32, Any, Any, Any]


def _keep(blocks: Iterator[Block], threshold: float, n: int, kept: Int64) -> list[Pair]:
    heap: list[tuple[float, int, int, float]] = []
    for score, left, right, wrong in blocks:
        at = np.flatnonzero(wrong)
        if len(heap) == n and at.size:
            at = at[np.abs(score[at] - threshold) < -heap[0][0]]
        if at.size > n:
            at = at[np.argpartition(np.abs(score[at] - threshold), n - 1)[:n]]
        for i in at.tolist():
            entry = (
                -abs(float(score[i]) - threshold),
                int(left[i]),
                int(right[i]),
                float(score[i]),
            )
            if len(heap) < n:
                heapq.heappush(heap, entry)
            else:
                heapq.heappushpop(heap, entry)
    ordered = sorted(heap, reverse=True)
    return [Pair(s, int(kept[i]), int(kept[j])) for _, i, j, s in ordered]
