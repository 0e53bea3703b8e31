"""Measuring an encoder and its comparator on dev and eval: the numbers that become evidence.

Everything here runs on the exported encoder, since that is what will serve. Dev chooses, eval
reports; no threshold is ever chosen on eval.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Float32, Int64
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.target import Target, in_words
from gemel.calibrate.rates.operating_point import OperatingPoint, measure
from gemel.calibrate.scores import sweep
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.calibrate.scores.categories import level_scores
from gemel.calibrate.scores.scores import Scores
from gemel.data.dataset import UNKNOWN, CategoryColumn, Dataset
from gemel.decide.categories import Categories
from gemel.decide.policy import Policy
from gemel.encode.comparators import Scorer
from gemel.encode.encoder import Encoder
from gemel.errors import DataError, TargetRefused
from gemel.release.evidence.schema import Candidate, Point, Side, Timing, Validity
from gemel.tasks.retrieval import retrieve

BATCH = 256
N_SINGLE = 200

OTHER_GOALS = (
    Target(kind="f1"),
    Target(kind="eer"),
    Target(kind="fmr", value=1e-2),
    Target(kind="fmr", value=1e-3),
    Target(kind="fmr", value=1e-4),
    Target(kind="precision", value=0.95),
    Target(kind="precision", value=0.99),
)


@dataclass(frozen=True)
class Part:
    """One side of a split, encoded.

    Attributes:
        embeddings: (n, d) float32.
        identities: (n,) int64.
        comparator: what scores a pair of them.
        scores: all comparisons; levelled if `levelled` says how.
        units: of identities that depend on each other; None: each is one.
        category: of the records, if they have one.
        levelled: how the scores of each category were levelled; None = they were not.
        sampling: comparisons at most, and the seed of the choice above that.
    """

    embeddings: Float32
    identities: Int64
    comparator: Scorer
    scores: Scores
    units: Int64 | None = None
    category: CategoryColumn | None = None
    levelled: Categories | None = None
    sampling: tuple[int, int] = (20_000_000, 0)

    def scored_by(self, comparator: Scorer) -> Scores:
        """The same comparisons in the same order, scored by another comparator."""
        max_comparisons, seed = self.sampling
        return all_pairs(
            self.embeddings,
            self.identities,
            comparator,
            max_comparisons=max_comparisons,
            seed=seed,
            units=self.units,
        )

    def level(self, categories: Categories | None) -> Part:
        """The same part with levelled scores; itself if there is nothing to level by.

        Args:
            categories: learned from other records.
        """
        if categories is None:
            return self
        return replace(self, scores=level_scores(self.scores, categories), levelled=categories)

    def leveller(self) -> Callable[[Float32, Any, Any], Float32] | None:
        """What levels scores of records, given by their positions; None if there is nothing to."""
        categories, column = self.levelled, self.category
        if categories is None or column is None:
            return None
        code = categories.codes(column.names)[column.codes]
        return lambda score, left, right: categories.level_block(score, code[left], code[right])


def part(
    embeddings: Float32,
    identities: Int64,
    comparator: Scorer,
    *,
    category: CategoryColumn | None = None,
    max_comparisons: int,
    seed: int,
    units: Int64 | None = None,
) -> Part:
    """Embeddings of one side with all their comparisons; `units` as `all_pairs` takes them."""
    scores = all_pairs(
        embeddings,
        identities,
        comparator,
        categories=category,
        max_comparisons=max_comparisons,
        seed=seed,
        units=units,
    )
    sampling = max_comparisons, seed
    return Part(embeddings, identities, comparator, scores, units, category, sampling=sampling)


def encode(encoder: Encoder, dataset: Dataset, idx: Int64) -> Float32:
    """Embeddings of these records, (m, d) float32; payloads are read a batch at a time."""
    parts = [
        encoder.encode(dataset.payloads(idx[start : start + BATCH]), batch=BATCH)
        for start in range(0, len(idx), BATCH)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, encoder.dim), np.float32)


def points(
    dev: Scores, eval: Scores, target: Target, chosen: OperatingPoint, on_eval: OperatingPoint
) -> tuple[Point, ...]:
    """The table of operating points: the chosen one first, then other goals for comparison."""
    sure = target.confidence
    table = [Point(goal=in_words(target), chosen=True, dev=chosen, eval=on_eval)]
    curve = sweep.sweep(dev)
    for other in OTHER_GOALS:
        if other.is_alike(target):
            continue
        goal = in_words(other)
        try:
            goal_there = msgspec.structs.replace(
                other, prior=target.prior, confidence=sure, intervals=target.intervals
            )
            there = choose(dev, goal_there, curve=curve)
        except DataError as e:
            refusal = e.refusal if isinstance(e, TargetRefused) else None
            reason = f"{e.what}; {e.hint}"
            table.append(Point(goal=goal, chosen=False, reason=reason, refusal=refusal))
            continue
        here = measure(
            eval,
            there.threshold,
            prior=target.prior,
            confidence=sure,
            method=target.intervals,
        )
        table.append(Point(goal=goal, chosen=False, dev=there, eval=here))
    return tuple(table)


def validity(policy: Policy, chosen: OperatingPoint, space_id: str) -> Validity:
    """For what, and how long, the thresholds of a policy hold.

    Args:
        policy: with a day on which it expires.
        chosen: its operating point on dev.
        space_id: of the embeddings.
    """
    expires, largest = policy.expires or "", policy.largest_gallery
    conditions = [
        f"encoder or comparator change: the threshold is for space {space_id[:12]} only",
        f"the share of genuine comparisons is no longer about {chosen.prior:.2g}",
        "people, products, categories or how records come about change",
        f"after {expires}",
    ]
    if largest is not None:
        conditions.append(f"the gallery grows beyond {largest:,} records")
    return Validity(
        expires=expires,
        space_id=space_id,
        prior=chosen.prior,
        n_identities=chosen.n_identities,
        largest_gallery=largest,
        conditions=tuple(conditions),
    )


def candidate(name: str, how: str, dev: Part, eval: Part, prior: float | None) -> Candidate:
    """A similarity on eval, at the threshold that is best for F1 on dev."""
    threshold = choose(dev.scores, Target(kind="f1", prior=prior)).threshold
    return Candidate(
        name=name,
        how=how,
        point=measure(eval.scores, threshold, prior=prior),
        retrieval=retrieve(eval.embeddings, eval.identities, eval.comparator),
        curve=sweep.summary(eval.scores),
    )


def timing(encoder: Encoder, payloads: Sequence[Any]) -> Timing:
    """How long these payloads take to encode, one by one and in batches."""
    encoder.encode(payloads[:1])
    single = []
    for payload in payloads[:N_SINGLE]:
        start = time.perf_counter()
        encoder.encode([payload])
        single.append(time.perf_counter() - start)
    start = time.perf_counter()
    encoder.encode(payloads, batch=BATCH)
    bulk = time.perf_counter() - start
    p50, p99 = np.quantile(single, [0.5, 0.99]) * 1000
    return Timing(
        n_single=len(single),
        single_p50_ms=float(p50),
        single_p99_ms=float(p99),
        batch=min(BATCH, len(payloads)),
        items_per_second=len(payloads) / max(bulk, 1e-9),
        machine=machine(),
    )


def machine() -> str:
    """Processor, number of cores and system, without the name of the machine."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line for line in info.read_text().splitlines() if line.startswith("model name"))
        model = next(lines, f": {model}").partition(":")[2].strip() or model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def side(dataset: Dataset, idx: Int64) -> Side:
    """Counts and digest of one side of a split."""
    codes = dataset.identities[idx]
    size = np.unique(codes[codes != UNKNOWN], return_counts=True)[1]
    groups = {name: np.unique(g[idx][g[idx] != UNKNOWN]) for name, g in dataset.groups.items()}
    return Side(
        n_records=int(size.sum()),
        n_identities=len(size),
        n_multiple=int(np.count_nonzero(size > 1)),
        digest=dataset.take(idx).digest,
        groups={name: len(seen) for name, seen in groups.items()},
    )
