"""One identity that has most of what is learnt: a text for "no value", or all that is left over."""

from __future__ import annotations

import json

import numpy as np

from gemel.data.dataset import UNKNOWN, Dataset
from gemel.figures import percent

MOST, LARGER = 0.5, 5
"""Share of the genuine comparisons, and times the records of the next one, from which on."""
LEAST = 3
"""Identities with two records, below which one of them has most of it anyway."""


def crowded(dataset: Dataset) -> str:
    """That one identity has most of the genuine comparisons, in words; empty where none has.

    Example:
        >>> from gemel.data import records
        >>> who = [*["n/a"] * 20, *"ppqqrr"]
        >>> crowded(records.from_rows([{"a": "x"}] * 26, identities=who)).partition(":")[0]
        "identity 'n/a' has 98 % of the genuine comparisons, 20 records where the next has 2"
    """
    if dataset.pairing.given is not None:
        return ""
    sizes = np.bincount(dataset.identities[dataset.identities != UNKNOWN])
    pairs = sizes * (sizes - 1) // 2
    if np.count_nonzero(pairs) < LEAST:
        return ""
    largest, share = int(sizes.argmax()), float(pairs.max() / pairs.sum())
    following = int(np.sort(sizes)[-2])
    if share < MOST or sizes[largest] < LARGER * following:
        return ""
    name = dataset.identity_names[largest]
    missing = f"data.missing = [{json.dumps(name, ensure_ascii=False)}]"
    mend = f"if it means no value, {missing}" if dataset.fields else "is all of it the same thing?"
    return (
        f"identity {name!r} has {percent(float(f'{share:.2g}'))} of the genuine comparisons, "
        f"{sizes[largest]:,} records where the next has {following:,}: {mend}"
    )
