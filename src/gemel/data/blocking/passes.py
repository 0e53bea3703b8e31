"""Passes: which keys rows have to share to be compared, chosen for the rows at hand.

A pass is one key or several at once. Pairs that belong together say which keys survive what happens
to records; the rows at hand say how many pairs a pass would propose. Passes are chosen greedily:
the one that reaches most pairs not reached yet, as long as the candidates of a record stay few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gemel.arrays import Bool, Float64, Int64
from gemel.data.blocking import collisions
from gemel.data.blocking.collisions import Int32
from gemel.data.blocking.keys import Keys, Part, Rows
from gemel.data.wordbags import mixed

PER_RECORD = 4.0
"""Candidates of a record that one pass may propose."""
MOST_PASSES = 16
MAX_PARTS = 5
SAMPLE = 20_000
"""Rows on which the pairs of a pass are counted."""
FLOOR = 0.5
"""Pairs counted where none was seen, so that none is free."""


class Pass(NamedTuple):
    """Keys that two rows have to share, all of them."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        """As people read it."""
        return " + ".join(map(str, self.parts))


@dataclass(frozen=True, eq=False)
class Hits:
    """Which pairs that belong together share a key of each part.

    Attributes:
        parts: p ways to take a key.
        shared: (p, g) bool.
    """

    parts: tuple[Part, ...]
    shared: Bool

    def of(self, passes: Sequence[Pass]) -> Bool:
        """Which of the pairs are proposed by any of the passes: (g,) bool."""
        at = {part: i for i, part in enumerate(self.parts)}
        found = np.zeros(self.shared.shape[1], np.bool_)
        for one in passes:
            found |= self.shared[[at[part] for part in one.parts]].all(axis=0)
        return found


def hits(rows: Rows, parts: Sequence[Part], left: Int64, right: Int64) -> Hits:
    """Which pairs of rows share a key of each part.

    Args:
        rows: that the pairs are of.
        parts: to look at.
        left: (g,) positions.
        right: (g,) positions.
    """
    shared = np.zeros((len(parts), len(left)), np.bool_)
    for i, part in enumerate(parts):
        keys = rows.keys(part)
        (a, key_a), (b, key_b) = _of_rows(keys, left), _of_rows(keys, right)
        own_a, own_b = (mixed(k ^ mixed(at)) for at, k in ((a, key_a), (b, key_b)))
        shared[i, a[np.isin(own_a, own_b)]] = True
    return Hits(tuple(parts), shared)


def _of_rows(keys: Keys, rows: Int64) -> Keys:
    """The keys of some rows, each row by its place among them."""
    first, after = (np.searchsorted(keys.row, rows, side=s) for s in ("left", "right"))
    each = after - first
    at = np.repeat(np.arange(len(rows)), each)
    within = np.arange(len(at)) - np.repeat(np.cumsum(each) - each, each)
    return Keys(at, keys.key[first[at] + within])


@dataclass(eq=False)
class Costs:
    """How many pairs passes propose among some rows, told from a sample of them.

    Args:
        rows: all of them; of two data sets, one below the other.
        first_right: position of the first row of the second data set; 0 for one data set.
    """

    rows: Rows
    first_right: int = 0
    _known: dict[frozenset[Part], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng, n, first = np.random.default_rng(0), len(self.rows), self.first_right
        sides = [(0, first), (first, n)] if first else [(0, n)]
        picked, self._times = [], 1.0
        for start, stop in sides:
            size = min(stop - start, SAMPLE // len(sides))
            picked.append(start + np.sort(rng.choice(stop - start, size, replace=False)))
            self._times *= (stop - start) / size
        if not first:
            self._times **= 2
        self._sample = self.rows.take(np.concatenate(picked))
        self._first = len(picked[0]) if first else 0

    def of(self, parts: Sequence[Part]) -> float:
        """Pairs that share a key of each part."""
        name = frozenset(parts)
        if name not in self._known:
            found = collisions.blocks(self._sample.together(sorted(parts)), self._first)
            count = float(collisions.n_pairs(found, self._first).sum())
            self._known[name] = self._times * max(count, FLOOR)
        return self._known[name]


def chosen(known: Hits, costs: Costs, *, per_record: float = PER_RECORD) -> list[Pass]:
    """Passes that reach the pairs known to belong together, each within its candidates.

    Args:
        known: pairs that belong together.
        costs: of passes among the rows at hand.
        per_record: candidates of a record that one pass may propose.
    Source: Bilenko, Kamath and Mooney 2006, Adaptive blocking (greedy cover); conjunctions grown
        one key at a time as there.
    """
    limit = per_record * len(costs.rows)
    open_pairs = np.ones(known.shared.shape[1], np.bool_)
    passes: list[Pass] = []
    price = _prices(known.parts, costs)
    while open_pairs.any() and len(passes) < MOST_PASSES:
        best, most = None, 0.0
        for seed in range(len(known.parts)):
            grown = _grown(seed, known, costs, open_pairs, price, limit)
            if grown is None:
                continue
            parts, reached = grown
            worth = reached / (1 + costs.of(parts) / limit)
            if worth > most:
                best, most = parts, worth
        if best is None:
            break
        passes.append(Pass(tuple(sorted(best))))
        open_pairs &= ~known.of(passes[-1:])
    return passes


def _prices(parts: Sequence[Part], costs: Costs) -> Float64:
    """How many times fewer pairs share a key of each part than pairs there are, as a logarithm."""
    n = len(costs.rows)
    first = costs.first_right
    everything = first * (n - first) if first else n * (n - 1) / 2
    return np.log([max(everything / costs.of((p,)), 1.0) for p in parts])


def _grown(
    seed: int, known: Hits, costs: Costs, open_pairs: Bool, price: Float64, limit: float
) -> tuple[list[Part], int] | None:
    """A pass that starts with a part and takes on others until its pairs are few enough."""
    picked = [seed]
    hit = known.shared[seed] & open_pairs
    while hit.any():
        parts = [known.parts[i] for i in picked]
        if costs.of(parts) <= limit:
            return parts, int(hit.sum())
        if len(picked) == MAX_PARTS:
            return None
        kept = (known.shared & hit).sum(axis=1)
        fields = {p.field for p in parts}
        lost = np.maximum(hit.sum() - kept, 0.5) / np.maximum(price, 1e-9)
        lost[[p.field in fields for p in known.parts]] = np.inf
        lost[kept == 0] = np.inf
        following = int(np.argmin(lost))
        if not np.isfinite(lost[following]):
            return None
        picked.append(following)
        hit = hit & known.shared[following]
    return None


def propose(rows: Rows, passes: Sequence[Pass], first_right: int = 0) -> tuple[Int32, Int32]:
    """Pairs of rows that any pass proposes, each once, left < right, by left and right.

    Args:
        rows: of two data sets, one below the other.
        passes: see `chosen`.
        first_right: position of the first row of the second data set; 0 for one data set.
    """
    found = [collisions.pairs(rows.together(p.parts), first_right) for p in passes]
    return collisions.joined(found, len(rows))
