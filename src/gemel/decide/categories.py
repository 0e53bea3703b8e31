"""Thresholds of their own for categories of records, such as countries or kinds of camera.

Impostors of one category may score higher, or vary more, than those of another. What a score of a
category would be in the average category is its *levelled* score: shifted and scaled so that the
impostors of all categories look alike. One threshold on levelled scores is a threshold of its own
for each category, with about one FMR for all. Where shifts and scales come from (`levelling`) and
which goal a threshold has is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Float32, Float64, Int16
from gemel.decide.outcomes import Pair
from gemel.errors import ConfigError, InvalidInput, quoted


class Line(msgspec.Struct, frozen=True):
    """From the levelled scores of a category to its scores: score = shift + scale * levelled."""

    shift: float
    scale: float


Category = str | Pair | None
"""Of both records, or of the left and the right one; None = unknown."""


class Categories(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How scores of each category are levelled.

    A comparison between two categories has the lower of both levelled scores, hence the higher of
    both thresholds. Where a category is unknown, that of all categories counts: not to know can
    only make a decision stricter.

    Args:
        column: of the records, that says the category.
        lines: by category, at least one.
    Raises:
        ConfigError: a scale is not positive, or there is no category.
    Example:
        >>> two = {"a": Line(0.0, 1.0), "b": Line(0.2, 1.0)}
        >>> categories = Categories(column="country", lines=two)
        >>> [categories.threshold(0.5, pair) for pair in (("a", "a"), ("a", "b"), ("a", "x"))]
        [0.5, 0.7, 0.7]
    """

    column: str
    lines: dict[str, Line]

    def __post_init__(self) -> None:
        if not self.lines:
            raise ConfigError("no category", where="categories")
        for name, line in self.lines.items():
            if not (np.isfinite(line.shift) and 0 < line.scale < np.inf):
                raise ConfigError(f"{line} makes no sense", where=f"categories.{name}")

    def known(self, pair: Pair) -> Pair:
        """The pair with None for each name that is no category here."""
        left, right = pair
        return (left if left in self.lines else None, right if right in self.lines else None)

    def threshold(self, levelled: float, pair: Pair) -> float:
        """The score that a levelled threshold means for a comparison."""
        return max(line.shift + line.scale * levelled for line in self._lines(pair))

    def levelled(self, score: Any, pair: Pair) -> Any:
        """The levelled score of a comparison; or (n,) float64 of as many, all of one pair."""
        each = [(score - line.shift) / line.scale for line in self._lines(pair)]
        return np.minimum.reduce(each) if isinstance(score, np.ndarray) else min(each)

    def _lines(self, pair: Pair) -> list[Line]:
        left, right = (self.lines.get(name) if name is not None else None for name in pair)
        if left is None or right is None:
            return list(self.lines.values())
        return [left] if left is right else [left, right]

    def codes(self, names: Sequence[str]) -> Int16:
        """Place of each name among the lines, -1 if it is none; and -1 at the end, for code -1."""
        place = {name: i for i, name in enumerate(self.lines)}
        return np.array([*(place.get(name, -1) for name in names), -1], np.int16)

    def level_block(self, score: Float32, left: Int16, right: Int16) -> Float32:
        """Levelled scores: (n,) float32.

        Args:
            score: (n,) float32.
            left: (n,) int16 places of the left categories (see `codes`), or one for all.
            right: (n,) int16, like left.
        """
        shift = np.array([line.shift for line in self.lines.values()])
        scale = np.array([line.scale for line in self.lines.values()])
        s = score.astype(np.float64)
        sides = ((s - shift[side]) / scale[side] for side in (left, right))
        levelled: Float32 = np.minimum(*sides).astype(np.float32)
        unknown = np.flatnonzero((left < 0) | (right < 0))
        if unknown.size:
            levelled[unknown] = _lowest(s[unknown], shift, scale)
        return levelled


def pair_of(category: Category) -> Pair:
    """Categories of the left and the right record.

    Raises:
        InvalidInput: neither a name nor one of each.

    Example:
        >>> pair_of("a"), pair_of(("a", None)), pair_of(None)
        (('a', 'a'), ('a', None), (None, None))
    """
    if category is None or isinstance(category, str):
        return category, category
    try:
        left, right = category
    except (TypeError, ValueError):
        what = f"{quoted(category)} is neither a category nor one of each side"
        raise InvalidInput(what, where="category") from None
    return left, right


def _lowest(score: Float64, shift: Float64, scale: Float64) -> Float64:
    """Lowest levelled score over all categories: (n,) float64.

    Only lines that no other one undercuts at both ends of the scores can be lowest in between.
    """
    low, high = ((end - shift) / scale for end in (score.min(), score.max()))
    order = np.lexsort((high, low))
    least = np.minimum.accumulate(high[order])
    kept = order[np.append(True, high[order][1:] < least[:-1])]
    lowest = np.full(len(score), np.inf)
    for i in kept.tolist():
        np.minimum(lowest, (score - shift[i]) / scale[i], out=lowest)
    return lowest
