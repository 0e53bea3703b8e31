"""What a threshold does in a search: FPIR and FNIR in galleries of a stated size.

Every record is a probe, or those of one kind are and the others are searched. Its gallery is drawn
from the records of other identities, and the average over all possible galleries of a size has a
closed form, so none is drawn. Where a threshold comes from is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import scipy  # which imports its parts when they are used

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.calibrate.rates.intervals import (
    Estimate,
    Sample,
    jackknife_variance,
    mean_by_unit,
    n_carrying,
    proportion,
)
from gemel.decide.bands import matches
from gemel.encode.comparators import Scorer

CELLS = 1 << 22
DEPTHS = (1, 10)


class SearchPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What searches of galleries of one size do.

    Args:
        gallery_size: records of other identities that a probe is compared with.
        threshold: a candidate matches if its score is at least this.
        fpir: probes without a mate in the gallery that match something.
        fnir: probes with all their mates in it whose best candidate is no mate, or does not match;
            1 - fnir is the detection and identification rate (DIR).
        n_probes: records.
        n_mated: of these, with a mate.
        recall_at_k: share of mated probes with a mate among the first k.
    """

    gallery_size: int
    threshold: float
    fpir: Estimate
    fnir: Estimate
    n_probes: int
    n_mated: int
    recall_at_k: dict[int, Estimate]


@dataclass(frozen=True, eq=False)
class Searches:
    """The comparisons of each record with those of other identities, as far as they matter.

    Args:
        code: (n,) int64, identity of each probe, 0 to m - 1.
        records: (m,) int64, records of each identity that are searched.
        mate: (n,) float32, score of the best mate; -inf without one.
        n_above_mate: (n,) int64, records of others that score at least that.
        probe: (p,) int64, rising: probes of the comparisons that score at least `floor`.
        other: (p,) int64, identity that each was compared with.
        score: (p,) float32.
        floor: no lower threshold can be asked about.
    """

    code: Int64
    records: Int64
    mate: Float32
    n_above_mate: Int64
    probe: Int64
    other: Int64
    score: Float32
    floor: float

    @property
    def largest_gallery(self) -> int:
        """Size of the largest gallery that these records can stand for."""
        return int(self.records.sum()) - 2 * int(self.records.max())

    @property
    def pool(self) -> Int64:
        """(n,) records of other identities that each probe may meet."""
        found: Int64 = self.records.sum() - self.records[self.code]
        return found


def searches(
    embeddings: Float32,
    identities: Int64,
    comparator: Scorer,
    floor: float,
    among: tuple[Int64, Int64] | None = None,
) -> Searches:
    """Every record compared with every other one, in blocks.

    Args:
        embeddings: (n, d) float32, unit rows.
        identities: (n,) int64 >= 0.
        comparator: what scores a pair.
        floor: the lowest threshold that will be asked about.
        among: positions of the probes, and of the records that they search, disjoint; None: each
            record searches all the others.
    """
    of_all = np.unique(identities, return_inverse=True)[1].astype(np.int64)
    every = np.arange(len(of_all))
    probes, records = (every, every) if among is None else among
    code, of_record, n = of_all[probes], of_all[records], len(probes)
    mate, n_above = np.full(n, -np.inf, np.float32), np.zeros(n, np.int64)
    found: list[tuple[Int64, Int64, Float32]] = []
    step = max(1, CELLS // max(len(records), 1))
    searched = embeddings if among is None else embeddings[records]
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        score = comparator.matrix(embeddings[probes[rows]], searched)
        other = code[rows][:, None] != of_record
        mates = ~other
        if among is None:
            mates[rows - start, rows] = False
        mate[rows] = np.where(mates, score, -np.inf).max(axis=1)
        n_above[rows] = ((score >= mate[rows][:, None]) & other).sum(axis=1)
        i, j = np.nonzero(matches(score, floor) & other)
        found.append((rows[i], of_record[j], score[i, j]))
    probe, others, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    of_each = np.bincount(of_record, minlength=int(of_all.max(initial=0)) + 1)
    return Searches(code, of_each, mate, n_above, probe, others, scores, floor)


def measure_search(
    of: Searches, steps: Sequence[tuple[int, float]], confidence: float = 0.95
) -> list[SearchPoint]:
    """FPIR and FNIR for sizes of the gallery and their thresholds.

    Args:
        of: the comparisons.
        steps: size and threshold; sizes above `of.largest_gallery` are left out.
        confidence: of the intervals.
    Source: ISO/IEC 19795-1 for the rates; the average over galleries drawn without replacement is
        the hypergeometric chance of no match; intervals by leaving out identities.
    """
    return [
        SearchPoint(
            gallery_size=size,
            threshold=threshold,
            fpir=_fpir(of, size, threshold, confidence),
            fnir=_fnir(of, size, threshold, confidence),
            n_probes=len(of.code),
            n_mated=int(np.isfinite(of.mate).sum()),
            recall_at_k={k: _recall(of, size, k, confidence) for k in DEPTHS},
        )
        for size, threshold in steps
        if size <= of.largest_gallery
    ]


def _fpir(of: Searches, size: int, threshold: float, confidence: float) -> Estimate:
    records, n = of.records, len(of.code)
    m = len(records)
    asked = np.bincount(of.code, minlength=m)
    above = matches(of.score, threshold)
    pair, count = np.unique(of.probe[above] * m + of.other[above], return_counts=True)
    probe, other = pair // m, pair % m
    hits = np.bincount(probe, count, n).astype(np.int64)
    pool = of.pool
    loss = _some(hits, pool, size)
    # Without identity j: its probes are gone, and its records from the galleries of the others.
    active = np.flatnonzero(hits)
    total = np.zeros(m)
    for each in np.unique(records):
        total[records == each] = _some(hits[active], pool[active] - each, size).sum()
    own = of.code[active]
    total -= np.bincount(own, _some(hits[active], pool[active] - records[own], size), m)
    rest = pool[probe] - records[other]
    change = _some(hits[probe] - count, rest, size) - _some(hits[probe], rest, size)
    total += np.bincount(other, change, m)
    left_out = total / (n - asked)
    sample = Sample(n, n_carrying(asked), m // (size + 1))
    return proportion(float(loss.mean()), jackknife_variance(left_out), sample, confidence)


def _fnir(of: Searches, size: int, threshold: float, confidence: float) -> Estimate:
    mated = np.isfinite(of.mate)
    code = of.code[mated]
    outranked = _some(of.n_above_mate[mated], of.pool[mated], size)
    loss = np.where(matches(of.mate[mated], threshold), outranked, 1.0)
    return mean_by_unit(loss, code, confidence)


def _recall(of: Searches, size: int, k: int, confidence: float) -> Estimate:
    """Share of mated probes that fewer than k records of others outrank: hypergeometric."""
    from scipy.stats import hypergeom

    mated = np.isfinite(of.mate)
    code = of.code[mated]
    found = hypergeom.cdf(k - 1, of.pool[mated], of.n_above_mate[mated], size)
    return mean_by_unit(np.asarray(found, np.float64), code, confidence)


def _some(hits: Int64, pool: Int64, size: int) -> Float64:
    """Chance that `size` records of a pool hold at least one of its hits: hypergeometric."""
    hits, pool = np.asarray(hits, np.float64), np.asarray(pool, np.float64)
    left: Any = pool - hits
    possible: Bool = left >= size
    left = np.maximum(left, size)
    ln = scipy.special.gammaln
    none = ln(left + 1) - ln(left - size + 1) - ln(pool + 1) + ln(pool - size + 1)
    chance: Float64 = np.where(possible, -np.expm1(np.minimum(none, 0)), 1.0)
    return np.where(hits > 0, chance, 0.0)
