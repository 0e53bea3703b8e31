"""Pairs that a nearest-neighbour engine proposes, for sets too large to compare all with all.

The engine proposes the nearest records of each by cosine, the comparator scores them, and how many
of the pairs of an exact scan are missed is measured on records chosen at random. An engine can
miss a pair; it cannot make one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from gemel.arrays import Float32, Int64
from gemel.calibrate.rates.intervals import wilson
from gemel.encode.comparators import Comparator
from gemel.gallery.engines import Engine, open_engine
from gemel.tasks.pairs import MAX_PARTNERS, Pairs, best, exact, none

CANDIDATES = 200
"""Records proposed for each; on 5,000 names with typos they hold 99 % of the matching pairs."""
ADDED_AT_ONCE = 16_384
SAMPLE = 500
SAMPLE_PAIRS = 50_000_000
Z = 1.96


class CandidateRecall(msgspec.Struct, frozen=True, kw_only=True):
    """Share of the matching pairs of an exact scan that the engine proposed.

    Args:
        n_records: chosen at random, compared with all.
        n_pairs: matching pairs that they have.
        n_found: of those.
        value: share; 1 if there is none.
        low: lower limit at 95 %.
    """

    n_records: int
    n_pairs: int
    n_found: int
    value: float
    low: float


@dataclass(frozen=True, eq=False)
class Proposer:
    """Nearest records from an engine.

    Attributes:
        engine: holds the records that may be at the right, under their positions.
        rows: (n, d) float32 of all records.
        comparator: what scores a pair.
        n_candidates: records proposed for each.
    """

    engine: Engine
    rows: Float32
    comparator: Comparator
    n_candidates: int = CANDIDATES

    def pairs(self, block: range, floor: float) -> Pairs:
        """Pairs of the records of a block that were proposed and reach a floor, best partners only.

        Left is the smaller position, so a pair may be found again from its other record.
        """
        queries = np.ascontiguousarray(self.rows[block.start : block.stop])
        found, _ = self.engine.search(queries, self.n_candidates + 1)
        query = np.repeat(np.arange(block.start, block.stop), found.shape[1])
        partner = found.ravel()
        usable = (partner >= 0) & (partner != query)
        pairs = exact(self.rows, self.comparator, query[usable], partner[usable])
        pairs, n_full = best(pairs.take(pairs.score >= floor), MAX_PARTNERS)
        ends = np.sort(np.stack([pairs.left, pairs.right]), axis=0)
        return Pairs(ends[0], ends[1], pairs.score, n_full)


def open_proposer(
    path: Path,
    name: str,
    rows: Float32,
    comparator: Comparator,
    first_right: int,
    tick: Callable[[int, int], None],
) -> Proposer:
    """A proposer whose engine is read from a file, or filled and kept there.

    Args:
        path: of the engine. It is complete before the first search, so a continued job searches
            the very engine that the earlier part searched.
        name: of the kind of engine.
        rows: (n, d) float32, unit rows.
        comparator: what scores a pair.
        first_right: position of the first record that may stand at the right.
        tick: called with records added and records in all.
    Raises:
        GalleryError: an unknown engine, or a damaged file.
    """
    engine = open_engine(name, rows.shape[1])
    if path.exists():
        engine.load(path)
    else:
        for start in range(first_right, len(rows), ADDED_AT_ONCE):
            stop = min(start + ADDED_AT_ONCE, len(rows))
            engine.add(np.arange(start, stop), np.ascontiguousarray(rows[start:stop]))
            tick(stop - first_right, len(rows) - first_right)
        engine.save(path)
    return Proposer(engine, rows, comparator)


def unique(pairs: Pairs) -> Pairs:
    """Each pair once, by left and right."""
    order = np.lexsort((pairs.right, pairs.left))
    left, right = pairs.left[order], pairs.right[order]
    new = np.append(True, (np.diff(left) != 0) | (np.diff(right) != 0))[: len(order)]
    return pairs.take(order[new])


def measured(
    proposer: Proposer, pairs: Pairs, *, first_right: int, n_left: int, cut: float
) -> CandidateRecall:
    """Candidate recall, by an exact scan for some records.

    Args:
        proposer: what proposed.
        pairs: that were found, each once.
        first_right: position of the first record that may stand at the right.
        n_left: records that were searched for, from the first.
        cut: the lowest score that matches.
    """
    n = len(proposer.rows)
    n_sample = min(n_left, SAMPLE, max(10, SAMPLE_PAIRS // n))
    sample = np.sort(np.random.default_rng(0).choice(n_left, n_sample, replace=False))
    truth = none()
    left, right = [truth.left], [truth.right]
    for start in range(0, n_sample, 64):
        some = sample[start : start + 64]
        for at in range(first_right, n, ADDED_AT_ONCE):
            part = proposer.rows[at : at + ADDED_AT_ONCE]
            i, j = np.nonzero(proposer.comparator.matrix(proposer.rows[some], part) >= cut)
            other = at + j != some[i]
            left.append(np.minimum(some[i], at + j)[other])
            right.append(np.maximum(some[i], at + j)[other])
    wanted = np.unique(_code(np.concatenate(left), np.concatenate(right), n))
    n_found = int(np.isin(wanted, _code(pairs.left, pairs.right, n)).sum())
    value = n_found / len(wanted) if len(wanted) else 1.0
    return CandidateRecall(
        n_records=n_sample,
        n_pairs=len(wanted),
        n_found=n_found,
        value=value,
        low=wilson(value, len(wanted), Z)[0] if len(wanted) else 0.0,
    )


def _code(left: Int64, right: Int64, n: int) -> Int64:
    return left * n + right
