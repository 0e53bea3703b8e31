"""From a query to its hits: an engine or a scan proposes rows, the comparator orders them.

Knows no files and no locks; it reads one immutable `View`. A filtered search returns as many hits
as there are matching rows (up to k): where an engine finds too few it is asked for more, and in
the end the matching rows are scanned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from gemel.arrays import Bool, Float32, Int64
from gemel.encode.comparators import Comparator, Keeps
from gemel.encode.comparators.cosine import Cosine
from gemel.gallery.attributes import Where
from gemel.gallery.candidates import COMPARED_ROWS, OVERSAMPLE, SHORTLIST, Hit, best
from gemel.gallery.engines import Engine
from gemel.gallery.local.memory import View, passing

MAX_FETCH = 8_192
BLOCK_ROWS = 16_384
BLOCK_SCORES = 1 << 22
GATHER_SHARE = 4
COSINE = Cosine()


@dataclass(frozen=True)
class Index:
    """An engine that holds the rows up to one change, under their seq as id."""

    engine: Engine
    name: str
    last_seq: int
    recall: float


@dataclass(frozen=True)
class Search:
    """What a search reads: one state of the rows, what may be found, and who scores.

    `allowed` (n,) bool are the live rows that pass the filter.
    """

    view: View
    allowed: Bool
    n_allowed: int
    comparator: Comparator

    @classmethod
    def over(cls, view: View, comparator: Comparator, where: Where) -> Search:
        """A search of the live rows that pass the filter; raises what `passing` does."""
        if not where:
            return cls(view, view.live, view.n_live, comparator)
        allowed = passing(view, where)
        return cls(view, allowed, int(allowed.sum()), comparator)

    def hits(
        self,
        queries: Float32,
        k: int,
        index: Index | None,
        exact_rows: int,
    ) -> list[list[Hit]]:
        """The k best rows for each of (q, d) queries, ties in the order of their ids.

        Args:
            queries: unit rows.
            k: at least 1.
            index: proposes candidates; None scans.
            exact_rows: up to so many allowed rows a scan is exact, and as quick as an index.
        """
        if self.n_allowed == 0 or not len(queries):
            return [[] for _ in queries]
        if index is not None and self.n_allowed > exact_rows:
            proposed = self._proposed(queries, k, index)
        elif self.n_allowed <= COMPARED_ROWS:
            proposed = self._scanned(queries, k, self._allowed_slots(), self.comparator)
        else:
            proposed = self._scanned(queries, self._depth(k), self._allowed_slots())
        best_few = [self._best(q, slots, k) for q, slots in zip(queries, proposed, strict=True)]
        return self._ordered(queries, best_few, k)

    def _depth(self, k: int) -> int:
        """How many of the best by cosine hold the k best by the comparator."""
        return k if self.comparator.kind == COSINE.kind else max(OVERSAMPLE * k, SHORTLIST)

    def floor(self, queries: Float32, k: int) -> Float32:
        """The k-th best cosine of each query by exact scan: (q,)."""
        k = min(k, self.n_allowed)
        scores = [
            COSINE.matrix(query[None], self.view.matrix[slots])[0]
            for query, slots in zip(
                queries, self._scanned(queries, k, self._allowed_slots()), strict=True
            )
        ]
        return np.array([np.partition(s, len(s) - k)[len(s) - k] for s in scores], np.float32)

    def _allowed_slots(self) -> Int64 | None:
        """Slots to scan; None means all of them, without a copy."""
        if self.n_allowed == len(self.allowed):
            return None
        return np.flatnonzero(self.allowed)

    def _best(self, query: Float32, slots: Int64, k: int) -> Int64:
        """Of the proposed rows those that reach the k-th best score."""
        if len(slots) <= OVERSAMPLE * k:
            return slots
        return slots[best(self._scores(query[None], slots, self.comparator)[0], k)]

    def _ordered(self, queries: Float32, slots: list[Int64], k: int) -> list[list[Hit]]:
        """The k best of a few rows for each query, by exact score and then by id."""
        lengths = [len(few) for few in slots]
        rows = self.view.matrix[np.concatenate(slots)]
        scores = self.comparator.score(np.repeat(queries, lengths, axis=0), rows)
        ids, attributes = self.view.ids, self.view.attributes
        found = []
        for few, own in zip(slots, np.split(scores, np.cumsum(lengths)[:-1]), strict=True):
            pairs = zip(few.tolist(), own.tolist(), strict=True)
            ranked = sorted(pairs, key=lambda pair: (-pair[1], ids[pair[0]]))
            found.append([Hit(ids[slot], score, attributes.of(slot)) for slot, score in ranked[:k]])
        return found

    def _scanned(
        self, queries: Float32, k: int, slots: Int64 | None, comparator: Comparator = COSINE
    ) -> list[Int64]:
        """Slots whose score reaches the k-th best, with all that tie with it, by exact scan."""
        n = len(self.view.matrix)
        # To copy a large part of the matrix costs more than to score rows that are not asked for.
        few = slots is not None and len(slots) * GATHER_SHARE < n
        n_rows = len(slots) if slots is not None and few else n
        at_once = max(1, BLOCK_SCORES // max(n_rows, 1))
        found: list[Int64] = []
        for start in range(0, len(queries), at_once):
            block = queries[start : start + at_once]
            scores = np.empty((len(block), n_rows), np.float32)
            for i in range(0, n_rows, BLOCK_ROWS):
                part = slice(i, i + BLOCK_ROWS)
                which = slots[part] if slots is not None and few else part
                scores[:, part] = self._scores(block, which, comparator)
            if slots is not None and not few:
                scores = scores[:, slots]
            found.extend(best(row, k) for row in scores)
        return found if slots is None else [slots[near] for near in found]

    def _scores(self, queries: Float32, slots: Int64 | slice, comparator: Comparator) -> Float32:
        """Score of each query with each row: (q, n)."""
        matrix = self.view.matrix
        if not hasattr(comparator, "against"):  # isinstance of a Protocol costs 25 us
            return comparator.matrix(queries, matrix[slots])
        keeps = cast(Keeps, comparator)
        rows, kept = matrix[slots], self.view.kept.of(keeps, matrix)[slots]
        return np.stack([keeps.against(query, rows, kept) for query in queries])

    def _proposed(self, queries: Float32, k: int, index: Index) -> list[Int64]:
        """Candidates from the index, and from a scan of the rows that it does not know yet."""
        tail = int(np.searchsorted(self.view.seqs, index.last_seq, side="right"))
        tail_slots = tail + np.flatnonzero(self.allowed[tail:])
        n_indexed = self.n_allowed - len(tail_slots)
        recent = (
            self._scanned(queries, k, tail_slots)
            if len(tail_slots)
            else [tail_slots] * len(queries)
        )
        indexed = self._indexed(queries, min(k, n_indexed), n_indexed, index.engine)
        return [np.concatenate(pair) for pair in zip(indexed, recent, strict=True)]

    def _indexed(self, queries: Float32, k: int, n_indexed: int, engine: Engine) -> list[Int64]:
        """Per query at least k allowed slots that the engine holds (n_indexed of them allowed)."""
        found: list[Int64] = [np.empty(0, np.int64)] * len(queries)
        if k == 0:
            return found
        waiting = np.arange(len(queries))
        fetch = -(-max(OVERSAMPLE * k, self._depth(k)) * engine.count() // n_indexed)
        while waiting.size and fetch <= MAX_FETCH:
            ids, _ = engine.search(queries[waiting], fetch)
            slots = self.view.slots_of(ids)
            usable = (slots >= 0) & self.allowed[slots]
            for query, row, good in zip(waiting, slots, usable, strict=True):
                found[query] = row[good]
            waiting = waiting[usable.sum(axis=1) < k]
            if fetch >= engine.count():
                break
            fetch *= 2
        if waiting.size:
            scanned = self._scanned(queries[waiting], self._depth(k), self._allowed_slots())
            for query, row in zip(waiting, scanned, strict=True):
                found[query] = row
        return found
