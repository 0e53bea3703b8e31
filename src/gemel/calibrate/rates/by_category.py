"""Error rates by category: where one threshold, or several, are right for some and not for others.

A comparison belongs to a category if both of its records do; all others are between categories.
Many categories are looked at together, so their intervals are as much wider as it takes for all to
hold at once (Bonferroni). How thresholds were found is not known here.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gemel.calibrate.rates.intervals import Estimate
from gemel.calibrate.rates.operating_point import rates
from gemel.calibrate.scores.categories import between, sides, within
from gemel.calibrate.scores.scores import Scores
from gemel.decide.bands import matches
from gemel.decide.categories import Categories

MAX_MATRIX = 24
"""Categories up to which every pair of them is told apart."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Comparisons within one category.

    Attributes:
        category: its name; empty in the row of all comparisons between categories.
        threshold: that is applied to them; None where it depends on the two categories.
        fmr: with an interval that holds for all categories at once.
        fnmr: like fmr.
    """

    category: str
    threshold: float | None
    n_identities: int
    n_genuine: int
    n_impostor: int
    fmr: Estimate
    fnmr: Estimate


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """Impostor comparisons of two categories, which may be the same.

    Attributes:
        left: name of one.
        right: name of the other.
        threshold: that is applied to them.
        n_impostor: comparisons.
        n_false_match: of them, matches.
        rate: FMR with an interval that holds for all cells at once.
    """

    left: str
    right: str
    threshold: float
    n_impostor: int
    n_false_match: int
    rate: Estimate

    @property
    def fmr(self) -> float | None:
        """False match rate; None without comparisons."""
        return self.n_false_match / self.n_impostor if self.n_impostor else None


class Worst(msgspec.Struct, frozen=True, kw_only=True):
    """The highest rate of any category.

    Attributes:
        category: where the highest rate was seen.
        value: that rate.
        low: some category has at least this.
        high: no category that can be judged has more.
        n_judged: categories with enough identities for an interval.
    """

    category: str
    value: float
    low: float
    high: float
    n_judged: int


class Breakdown(msgspec.Struct, frozen=True, kw_only=True):
    """Error rates by category.

    Attributes:
        column: that says the category.
        confidence: with which all intervals of a kind hold together.
        rows: one for each category that has comparisons.
        between: comparisons of two categories, or of an unknown one; None if there are none.
        worst_fmr: None if no category can be judged.
        worst_fnmr: like worst_fmr.
        matrix: every two categories, if they are few.
    """

    column: str
    confidence: float
    rows: tuple[Row, ...]
    between: Row | None
    worst_fmr: Worst | None
    worst_fnmr: Worst | None
    matrix: tuple[Cell, ...]


def breakdown(
    scores: Scores,
    threshold: float,
    *,
    column: str,
    categories: Categories | None = None,
    confidence: float = 0.95,
) -> Breakdown:
    """Error rates of each category.

    Args:
        scores: with categories; levelled if `categories` are given.
        threshold: of these scores.
        column: that says the category.
        categories: how the scores were levelled; None = they were not.
        confidence: of all intervals of a kind together.
    Raises:
        DataError: the scores have no categories.
    Source: Bonferroni; intervals by identity as in intervals.py.
    """
    names = scores.category_names
    parts, cells = list(within(scores)), _matrix(scores)
    each = 1 - (1 - confidence) / max(len(parts), 1)
    of_cells = 1 - (1 - confidence) / max(len(cells), 1)

    def applied(left: str, right: str) -> float:
        return threshold if categories is None else categories.threshold(threshold, (left, right))

    def cell(left: str, right: str, part: Scores) -> Cell:
        match = matches(part.score, threshold)
        return Cell(
            left=left,
            right=right,
            threshold=applied(left, right),
            n_impostor=len(part),
            n_false_match=int(np.count_nonzero(match)),
            rate=rates(part, match, of_cells)[0],
        )

    def row(name: str, part: Scores) -> Row:
        fmr, fnmr = rates(part, matches(part.score, threshold), each)
        return Row(
            category=name,
            threshold=applied(name, name) if name or categories is None else None,
            n_identities=part.n_identities,
            n_genuine=part.n_genuine,
            n_impostor=part.n_impostor,
            fmr=fmr,
            fnmr=fnmr,
        )

    rows = tuple(row(names[code], part) for code, part in parts)
    others = between(scores)
    return Breakdown(
        column=column,
        confidence=confidence,
        rows=rows,
        between=row("", others) if len(others) else None,
        worst_fmr=_worst({r.category: r.fmr for r in rows}),
        worst_fnmr=_worst({r.category: r.fnmr for r in rows}),
        matrix=tuple(cell(*each) for each in cells),
    )


def _worst(found: dict[str, Estimate]) -> Worst | None:
    """The highest of several rates, with an interval for the highest true one.

    All intervals hold together, so the highest truth lies above every lower limit and below the
    highest upper one.
    """
    judged = {name: e for name, e in found.items() if e.n_effective > 0}
    if not judged:
        return None
    name = max(judged, key=lambda name: (judged[name].value, judged[name].low))
    return Worst(
        category=name,
        value=judged[name].value,
        low=max(e.low for e in judged.values()),
        high=max(e.high for e in judged.values()),
        n_judged=len(judged),
    )


def _matrix(scores: Scores) -> list[tuple[str, str, Scores]]:
    """Names and impostor comparisons of every two categories that have any."""
    names = scores.category_names
    k = len(names)
    if k > MAX_MATRIX:
        return []
    left, right = sides(scores)
    key = np.minimum(left, right) * np.int16(k) + np.maximum(left, right)
    key[scores.genuine | (left < 0) | (right < 0)] = -1
    order = np.argsort(key, kind="stable")
    ends = np.searchsorted(key[order], np.arange(k * k + 1))
    return [
        (names[c // k], names[c % k], scores.take(order[ends[c] : ends[c + 1]]))
        for c in range(k * k)
        if ends[c] < ends[c + 1]
    ]
