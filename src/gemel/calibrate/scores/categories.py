"""Comparisons by the categories of their records: levelled, within each, and between two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gemel.arrays import Int16
from gemel.calibrate.scores.scores import Scores
from gemel.decide.categories import Categories
from gemel.errors import DataError


def level_scores(scores: Scores, categories: Categories) -> Scores:
    """The same comparisons with levelled scores.

    Args:
        scores: with categories, by any names.
        categories: how each is levelled.
    Raises:
        DataError: they have no categories.
    """
    left, right = sides(scores)
    code = categories.codes(scores.category_names)
    level = np.empty_like(scores.score)
    for at in scores.blocks():
        level[at] = categories.level_block(scores.score[at], code[left[at]], code[right[at]])
    return replace(scores, score=level)


def within(scores: Scores) -> Iterator[tuple[int, Scores]]:
    """Code and comparisons of each category: those of two of its records.

    Raises:
        DataError: the scores have no categories.
    """
    left, right = sides(scores)
    key = np.where(left == right, left, np.int16(-1))
    order = np.argsort(key, kind="stable")
    ends = np.searchsorted(key[order], np.arange(len(scores.category_names) + 1))
    for code in range(len(scores.category_names)):
        at = order[ends[code] : ends[code + 1]]
        if at.size:
            yield code, scores.take(at)


def between(scores: Scores) -> Scores:
    """Comparisons of records of two categories, or of an unknown one.

    Raises:
        DataError: the scores have no categories.
    """
    left, right = sides(scores)
    return scores.take(np.flatnonzero((left != right) | (left < 0)))


def sides(scores: Scores) -> tuple[Int16, Int16]:
    """Category codes of both sides.

    Raises:
        DataError: there are none.
    """
    if scores.left_category is None or scores.right_category is None:
        raise DataError("the comparisons have no categories", hint="name data.category")
    return scores.left_category, scores.right_category
