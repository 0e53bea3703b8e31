"""Passes: which keys rows have to share to be compared, chosen for the rows at hand.

A pass is one key or several at once. Pairs that belong together say which keys survive what happens
to records; the rows at hand say how many pairs a pass would propose. Passes are chosen greedily:
the one that reaches most pairs not reached yet, as long as the candidates of a record stay few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gemel.arrays import Bool, Float64, Int64
from gemel.data.blocking import collisions
from gemel.data.blocking.collisions import Int32
from gemel.data.blocking.keys import Keys, Part, Rows
from gemel.data.wordbags import mixed

PER_RECORD = 1.0
"""Candidates of a record that one pass may propose."""
LEAST = 50_000
"""Candidates of a pass that are few however few the records."""
CHEAP = 0.02
"""Share of that below which candidates are as good as none."""
MOST_PASSES = 16
MAX_PARTS = 5
SAMPLE, SMALL_SAMPLE = 100_000, 20_000
"""Rows on which the pairs of a pass are counted; the small one where a row has many keys."""
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

    def with_pairs(self, more: Hits) -> Hits:
        """The same parts over these pairs and others."""
        return Hits(self.parts, np.concatenate([self.shared, more.shared], axis=1))

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
        a, b = _of_rows(keys, left), _of_rows(keys, right)
        own_a, own_b = (mixed(side.key ^ mixed(side.row)) for side in (a, b))
        shared[i, a.row[np.isin(own_a, own_b)]] = True
    return Hits(tuple(parts), shared)


def _of_rows(keys: Keys, rows: Int64) -> Keys:
    """The keys of some rows, each row by its place among them."""
    first, after = (np.searchsorted(keys.row, rows, side=s) for s in ("left", "right"))
    each = after - first
    at = np.repeat(np.arange(len(rows)), each)
    within = np.arange(len(at)) - np.repeat(np.cumsum(each) - each, each)
    return Keys(at, keys.key[first[at] + within])


@dataclass(frozen=True, eq=False)
class _Sample:
    """Some of the rows, and how many times their pairs stand for.

    Attributes:
        rows: the sample, the first data set above the second.
        first_right: as for all rows.
        times: pairs of all rows for each of theirs.
    """

    rows: Rows
    first_right: int
    times: float

    @classmethod
    def of(cls, rows: Rows, first_right: int, size: int) -> _Sample:
        """At most so many rows, drawn at random, half of each data set."""
        rng, n, first = np.random.default_rng(0), len(rows), first_right
        sides = [(0, first), (first, n)] if first else [(0, n)]
        picked, times = [], 1.0
        for start, stop in sides:
            some = min(stop - start, size // len(sides))
            picked.append(start + np.sort(rng.choice(stop - start, some, replace=False)))
            times *= (stop - start) / some
        sample = rows.take(np.concatenate(picked))
        return cls(sample, len(picked[0]) if first else 0, times if first else times**2)

    def count(self, parts: Sequence[Part]) -> int:
        """Pairs that share a key of each part."""
        return collisions.count(self.rows.together(parts), self.first_right)


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
        self._large = _Sample.of(self.rows, self.first_right, SAMPLE)
        self._small = _Sample.of(self.rows, self.first_right, SMALL_SAMPLE)

    def of(self, parts: Sequence[Part]) -> float:
        """Pairs that share a key of each part."""
        name = frozenset(parts)
        if name not in self._known:
            single = all(self._large.rows.keys(part).single for part in parts)
            sample = self._large if single else self._small
            self._known[name] = sample.times * max(sample.count(sorted(parts)), FLOOR)
        return self._known[name]


def chosen(known: Hits, costs: Costs, *, per_record: float = PER_RECORD) -> list[Pass]:
    """Passes that reach the pairs known to belong together, at few candidates each.

    Args:
        known: pairs that belong together.
        costs: of passes among the rows at hand.
        per_record: candidates of a record that one pass may propose.
    Source: Bilenko, Kamath and Mooney 2006, Adaptive blocking (weighted cover); conjunctions grown
        one key at a time as there.
    """
    n = len(costs.rows)
    growth = _Growth(known, costs, max(LEAST, per_record * n), _prices(known.parts, costs))
    missing = np.ones(known.shared.shape[1], np.bool_)
    passes: list[Pass] = []
    while missing.any() and len(passes) < MOST_PASSES:
        options = [o for seed in range(len(known.parts)) for o in growth.of(seed, missing)]
        if not options:
            break
        _, best = max(options, key=lambda option: option[0])
        passes.append(Pass(best))
        missing &= ~known.of(passes[-1:])
    # What later passes reach as well was proposed twice.
    for one in list(passes):
        others = [p for p in passes if p is not one]
        if np.array_equal(known.of(others), known.of(passes)):
            passes = others
    return passes


def _prices(parts: Sequence[Part], costs: Costs) -> Float64:
    """How many times fewer pairs share a key of each part than pairs there are, as a logarithm."""
    n = len(costs.rows)
    first = costs.first_right
    everything = first * (n - first) if first else n * (n - 1) / 2
    return np.log([max(everything / costs.of((p,)), 1.0) for p in parts])


@dataclass(frozen=True, eq=False)
class _Growth:
    """Passes that start with one part and take on others, those that lose least for what they cut.

    Attributes:
        known: pairs that belong together.
        costs: of passes.
        limit: pairs that a pass may propose.
        price: (p,) how much each part cuts.
    """

    known: Hits
    costs: Costs
    limit: float
    price: Float64

    def of(self, seed: int, missing: Bool) -> Iterator[tuple[float, tuple[Part, ...]]]:
        """Passes within the limit, with what they are worth: pairs reached for their candidates.

        Args:
            seed: the part to start with.
            missing: (g,) bool, the pairs that no pass reaches yet.
        """
        picked, known = [seed], self.known
        hit = known.shared[seed] & missing
        while hit.any():
            parts = tuple(sorted(known.parts[i] for i in picked))
            cost = self.costs.of(parts)
            if cost <= self.limit:
                yield int(hit.sum()) / (cost + CHEAP * self.limit), parts
            if len(picked) == MAX_PARTS:
                return
            following = self._following(picked, hit)
            if following is None:
                return
            picked.append(following)
            hit = hit & known.shared[following]

    def _following(self, picked: list[int], hit: Bool) -> int | None:
        """The part to take on: of another field, and losing least for what it cuts."""
        kept = (self.known.shared & hit).sum(axis=1)
        fields = {self.known.parts[i].field for i in picked}
        lost = np.maximum(hit.sum() - kept, 0.5) / np.maximum(self.price, 1e-9)
        lost[[p.field in fields for p in self.known.parts]] = np.inf
        lost[kept == 0] = np.inf
        best = int(np.argmin(lost))
        return best if np.isfinite(lost[best]) else None


def propose(rows: Rows, passes: Sequence[Pass], first_right: int = 0) -> tuple[Int32, Int32]:
    """Pairs of rows that any pass proposes, or that are the same in each field.

    Each pair once, left < right, by left and right; too many rows that share a key are but chained.

    Args:
        rows: of two data sets, one below the other.
        passes: see `chosen`.
        first_right: position of the first row of the second data set; 0 for one data set.
    """
    found = [collisions.pairs(rows.together(p.parts), first_right) for p in passes]
    found.append(collisions.pairs(rows.whole(), first_right))
    return collisions.joined(found, len(rows))
