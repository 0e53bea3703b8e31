"""A release beside what one would have without learning anything: both measured alike on eval.

Each is at the threshold that is best for F1 on its own dev scores, whatever the goal of the release
is. What the baseline is, is known in baseline.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gemel.arrays import Float32
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.difference import Difference
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.decide.bands import Band
from gemel.encode.comparators import Scorer
from gemel.encode.encoder import Encoder
from gemel.release.evidence import baseline, differences, mistakes, part
from gemel.release.evidence.part import Part
from gemel.release.evidence.schema import Candidate
from gemel.release.run import Run

COMPARED_RECORDS = 20_000


def candidates(
    made: tuple[Run, Dataset, Encoder], parts: tuple[Part, Part], target: Target, seed: int
) -> tuple[tuple[Candidate, ...], tuple[Difference, ...]]:
    """The release and its baseline, on the same records, and the first minus the second.

    Args:
        made: run, dataset, encoder.
        parts: dev and eval.
        target: its prior and confidence hold here too.
        seed: of the choice of records, where there are many.
    """
    run, dataset, encoder = made
    sides = (run.splits.dev, run.splits.eval)
    kept = [mistakes.whole_identities(p.identities, COMPARED_RECORDS, seed) for p in parts]
    positions = np.concatenate([idx[k] for idx, k in zip(sides, kept, strict=True)])
    plain = baseline.features(encoder.prepare, dataset, run.splits.train, positions)
    n_dev = len(kept[0])
    ours = [
        p if len(k) == np.count_nonzero(p.identities != UNKNOWN) else _part(p, p.embeddings[k], k)
        for p, k in zip(parts, kept, strict=True)
    ]
    theirs = [
        _part(p, rows, k, plain.comparator)
        for p, rows, k in zip(parts, (plain.rows[:n_dev], plain.rows[n_dev:]), kept, strict=True)
    ]
    first = part.candidate("gemel", "this release", ours[0], ours[1], target.prior)
    second = part.candidate(plain.name, plain.how, theirs[0], theirs[1], target.prior)
    pair, bands = (theirs[1], ours[1]), (_band(second), _band(first))
    stakes = first.point.prior, (target.false_match_cost, target.false_non_match_cost)
    against = (
        *differences.at_thresholds(pair, bands, stakes, target.confidence),
        *differences.of_curves(pair, target.confidence, seed),
        *differences.of_searches(pair, target.confidence, seed),
    )
    return (first, second), against


def _band(of: Candidate) -> Band:
    at = of.point.threshold
    return Band(threshold=at, review_low=at, review_high=at)


def _part(
    like: Part, rows: Float32, kept: np.ndarray[Any, Any], comparator: Scorer | None = None
) -> Part:
    return part.part(
        rows,
        like.identities[kept],
        comparator or like.comparator,
        max_comparisons=max(len(like.scores), 1000),
        seed=0,
        units=like.units,
    )
