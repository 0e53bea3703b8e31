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
from gemel.data.dataset import Dataset
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
    n: int = 20,
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
    x: Float32, codes: Int64, comparator: Scorer, only: Pairing, genuine: bool
) -> Iterator[tuple[Float32, Int64, Int64]]:
    """Scores and both positions of all genuine, or of all impostor comparisons."""
    if only.given is not None:
        left, right = only.given.T
        wanted = only.is_genuine(codes) == genuine
        left, right = left[wanted], right[wanted]
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
    dataset, prepare, encode = origin.dataset, origin.encoder.prepare, origin.encoder.encode
    n_explained = modality.named(dataset.modality).n_explained

    def reasons(pair: Pair) -> tuple[explain.Part, ...]:
        both = dataset.payloads([int(idx[pair.left]), int(idx[pair.right])])
        of = eval.category
        category = (of.of(pair.left), of.of(pair.right)) if of else None
        steps = explain.attribute(
            prepare,
            eval.comparator,
            (both[0], both[1]),
            lambda s: policy.decide(s, category).outcome,
        )
        return explain.answer(steps, encode).parts

    def told(kind: MistakeKind, pairs: list[Pair]) -> Iterator[Mistake]:
        for i, pair in enumerate(pairs):
            left, right = (item(dataset, int(idx[at])) for at in (pair.left, pair.right))
            parts = reasons(pair) if i < n_explained else ()
            yield Mistake(kind, pair.score, left, right, parts)

    false, missed = nearest(
        eval.embeddings,
        eval.identities,
        eval.comparator,
        policy.verify.threshold,
        level=eval.leveller(),
        pairing=eval.pairing,
        seed=eval.sampling.seed,
    )
    return (*told("false_match", false), *told("false_non_match", missed))


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
